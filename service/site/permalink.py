"""The address of a document by its id: it stays while the document moves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from service.routes.file_tree import read_place
from service.routes.shared import MISSING_DOCUMENT, read_id
from service.site.templating import redirect_to
from service.web.operation import ResponseSpec, operation
from service.web.page_addresses import files_page
from service.web.references import reference_to

if TYPE_CHECKING:
    from starlette.responses import Response

    from service.state import Request

FOUND_RESPONSE: Final = ResponseSpec(
    description="To the document's page.", headers={"Location": "The page."}
)


@operation(tag="pages", responses={302: FOUND_RESPONSE}, problems={"not_found": MISSING_DOCUMENT})
async def follow_permalink(request: Request) -> Response:
    """Find the page of a document by its id.

    The id stays when the document moves in its repository, and so does this address. Browsers take
    an anchor along.
    """
    place = await read_place(request.state["database"], read_id(request, "id"))
    page = files_page(place.project_id, place.path, place.top)
    return redirect_to(reference_to(request.scope, page))
