from urllib.parse import parse_qs, unquote, urlsplit

from hypothesis import given
from hypothesis import strategies as st

from service.web.page_addresses import files_page, project_page, search_page, work_page


def test_a_page_is_named_by_project_source_and_path() -> None:
    assert project_page("1") == "/projects/1"
    assert files_page("1") == "/projects/1/files"
    assert files_page("1", "docs/prd.md") == "/projects/1/files/docs/prd.md"
    assert files_page("1", "prd.md", "Backend", "goals") == "/projects/1/files/Backend/prd.md#goals"
    assert files_page("1", top="Backend") == "/projects/1/files/Backend"
    assert work_page("1", "stories") == "/projects/1/stories"
    assert work_page("1", "stories", {"epic": "é&2"}) == "/projects/1/stories?epic=%C3%A9%262"
    assert search_page() == "/search"
    assert search_page("a b", {"kind": "prd"}) == "/search?q=a+b&kind=prd"


@given(st.text(st.characters(codec="utf-8"), min_size=1), st.text(st.characters(codec="utf-8")))
def test_any_path_and_anchor_survive_a_url(path: str, anchor: str) -> None:
    path = "d/" + path.strip("/")
    url = urlsplit(files_page("1", path, None, anchor))
    assert unquote(url.path) == f"/projects/1/files/{path}".rstrip("/")
    assert unquote(url.fragment) == anchor
    assert not url.query


@given(st.text(st.characters(codec="utf-8"), min_size=1))
def test_any_query_survives_a_url(query: str) -> None:
    assert parse_qs(urlsplit(search_page(query)).query, keep_blank_values=True) == {"q": [query]}
