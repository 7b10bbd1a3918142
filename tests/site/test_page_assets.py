from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from service.site.page_assets import FILE_RESPONSE, FOLDER, MEDIA_TYPES, asset_address
from tests.support.problems import assert_problem
from tests.support.service import serving

if TYPE_CHECKING:
    import httpx


@pytest.mark.parametrize("name", MEDIA_TYPES)
def test_an_asset_is_its_file_and_is_immutable_under_its_version(
    client: httpx.Client, name: str
) -> None:
    response = client.get(asset_address(name))
    assert response.content == (FOLDER / name).read_bytes()
    assert response.headers["content-type"].startswith(MEDIA_TYPES[name])
    assert response.headers["cache-control"] == "public, max-age=31536000, immutable"
    tag = {"If-None-Match": response.headers["etag"]}
    assert client.get(asset_address(name), headers=tag).status_code == 304


@pytest.mark.parametrize("query", ["", "?v=", "?v=0123456789abcdef"])
def test_an_asset_of_another_version_is_kept_by_no_cache(client: httpx.Client, query: str) -> None:
    response = client.get(f"/assets/hub.css{query}")
    assert (response.status_code, response.headers["cache-control"]) == (200, "no-cache")


def test_the_media_types_are_documented() -> None:
    assert {"text/*", *FILE_RESPONSE.others} == {
        "text/*" if kind.startswith("text/") else kind for kind in MEDIA_TYPES.values()
    }


def test_every_file_of_the_folder_is_served() -> None:
    assert {path.name for path in FOLDER.iterdir()} == MEDIA_TYPES.keys()


@pytest.mark.parametrize("name", ["page.css", "..%2foverview.py", "%2e%2e", "hub.css%00", "x"])
def test_only_the_listed_files_are_served(client: httpx.Client, name: str) -> None:
    assert_problem(client.get(f"/assets/{name}"), 404)


def test_the_icon_is_where_browsers_look_for_it(client: httpx.Client) -> None:
    response = client.get("/favicon.ico")
    assert response.headers["content-type"].startswith("image/svg+xml")
    assert response.content == (FOLDER / "hub.svg").read_bytes()


def test_assets_need_no_token(database: str) -> None:
    with serving(database, api_token="t" * 20, api_token_for_reads=True) as client:
        for path in ("/assets/hub.css", "/assets/hub.js", "/favicon.ico"):
            assert client.get(path).status_code == 200


def test_every_section_of_the_style_begins_outside_all_rules() -> None:
    depth = 0
    for line in (FOLDER / "hub.css").read_text().splitlines():
        assert depth == 0 or not line.startswith("/*"), f"a brace is missing before {line!r}"
        depth += line.count("{") - line.count("}")
    assert depth == 0
