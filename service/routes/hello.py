"""A greeting, by which the front end's first page shows that it has found the service."""

from datetime import UTC, datetime
from typing import Final

from starlette.responses import JSONResponse

from service.schemas.hello import HelloSchema
from service.state import Request
from service.web.operation import ResponseSpec, operation


def hello_body(time: datetime) -> dict[str, str]:
    """Return the body of the greeting."""
    return {"message": "Hello BMADFlow", "status": "ok", "timestamp": time.isoformat()}


HELLO_RESPONSE: Final = ResponseSpec(
    description="A greeting.",
    schema=HelloSchema,
    examples={"hello": hello_body(datetime(2026, 11, 25, 3, 0, 0, 123456, tzinfo=UTC))},
)


@operation(tag="health", responses={200: HELLO_RESPONSE})
async def get_hello(request: Request) -> JSONResponse:
    """Greet.

    Does not query the database: `/api/health` tells whether the service can do its work.
    """
    return JSONResponse(hello_body(datetime.now(UTC)))
