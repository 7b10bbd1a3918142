"""The two pages in a real Chromium, where a request to another host fails the test."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from tests.support.browser import browser_page, needs_chromium
from tests.support.service import serving

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx
    from playwright.sync_api import ConsoleMessage, Page, Request


@pytest.fixture
def page(client: httpx.Client) -> Iterator[Page]:
    """A page of a browser, in which requests to other hosts and errors fail the test."""
    errors: list[str] = []

    def note_foreign(request: Request) -> None:
        url = urlsplit(request.url)
        if (
            url.scheme not in {"data", "blob"}
            and url.netloc != urlsplit(str(client.base_url)).netloc
        ):
            errors.append(f"request to {request.url}")

    def note_error(message: ConsoleMessage) -> None:
        # A refusal by the Content-Security-Policy, a 404, or an error that a script logs.
        if message.type == "error":
            errors.append(message.text)

    with browser_page(client.base_url) as page:
        page.on("request", note_foreign)
        page.on("pageerror", lambda error: errors.append(f"script error: {error}"))
        page.on("console", note_error)
        yield page
        page.wait_for_load_state("networkidle")
    assert errors == []


@needs_chromium
def test_swagger_ui_shows_the_api_and_tries_it_out(page: Page) -> None:
    page.goto("/docs")
    page.wait_for_selector("text=BMADFlow API")
    health = page.locator("#operations-health-getHealth")
    health.click()
    health.get_by_role("button", name="Try it out").click()
    health.get_by_role("button", name="Execute").click()
    response = health.locator(".live-responses-table .response")
    response.wait_for()
    assert response.locator(".response-col_status").inner_text().split()[0] == "200"
    assert '"database": "connected"' in response.inner_text()


TOKEN = "the-token-of-the-api"


@needs_chromium
def test_swagger_ui_sends_the_token_that_is_entered(database: str) -> None:
    with (
        serving(database, api_token=TOKEN, api_token_for_reads=True) as client,
        browser_page(client.base_url) as page,
    ):
        page.goto("/docs")

        def execute(operation: str) -> str:
            """Click "Execute" with the values of the example, and return the status."""
            block = page.locator(f"#operations-projects-{operation}")
            if not block.get_by_role("button", name="Execute").count():
                block.click()
                block.get_by_role("button", name="Try it out").click()
            with page.expect_response(re.compile("/api/projects$")) as received:
                block.get_by_role("button", name="Execute").click()
            return str(received.value.status)

        assert execute("createProject") == "401"
        assert execute("listProjects") == "401"
        page.get_by_role("button", name="Authorize").first.click()
        page.locator("#auth-bearer-value").fill(TOKEN)
        page.locator(".auth-btn-wrapper").get_by_role("button", name="Apply").first.click()
        page.locator(".auth-btn-wrapper").get_by_role("button", name="Close").first.click()
        assert execute("createProject") == "201"
        assert execute("listProjects") == "200"
        headers = {"Authorization": f"Bearer {TOKEN}"}
        [project] = client.get("/api/projects", headers=headers).json()
        assert project["name"] == "Payments"


@needs_chromium
@pytest.mark.parametrize("reads_need_token", [False, True])
def test_swagger_ui_shows_a_padlock_where_the_token_is_needed(
    database: str, reads_need_token: bool
) -> None:
    with (
        serving(database, api_token=TOKEN, api_token_for_reads=reads_need_token) as client,
        browser_page(client.base_url) as page,
    ):
        page.goto("/docs")
        page.wait_for_selector("#operations-health-getHealth")

        def padlock(operation: str) -> str | None:
            button = page.locator(f"#operations-{operation} .authorization__btn")
            return button.get_attribute("aria-label") if button.count() else None

        reads = ("projects-listProjects", "syncs-getSync", "documents-getRawDocument")
        changes = (
            "projects-createProject",
            "project_docs-updateProjectDoc",
            "syncs-syncProjectDoc",
        )
        for operation in (*reads, *changes):
            is_guarded = reads_need_token or operation in changes
            expected = "authorization button unlocked" if is_guarded else None
            assert padlock(operation) == expected, operation
        for operation in ("health-getHealth", "syncs-receiveWebhook", "documentation-getReDoc"):
            assert padlock(operation) is None
        page.get_by_role("button", name="Authorize").first.click()
        page.locator("#auth-bearer-value").fill(TOKEN)
        page.locator(".auth-btn-wrapper").get_by_role("button", name="Apply").first.click()
        page.locator(".auth-btn-wrapper").get_by_role("button", name="Close").first.click()
        assert padlock(changes[0]) == "authorization button locked"


@needs_chromium
def test_the_overview_leads_to_swagger_ui(page: Page) -> None:
    page.goto("/")
    page.get_by_role("link", name="API docs").click()
    page.wait_for_selector("#operations-health-getHealth")
    assert urlsplit(page.url).path == "/docs"


@needs_chromium
def test_redoc_shows_the_api(page: Page) -> None:
    page.goto("/redoc")
    page.wait_for_selector("text=BMADFlow API")
    page.get_by_text("health", exact=True).first.click()
    page.get_by_text("Tell whether the service can do its work", exact=True).first.wait_for()


@needs_chromium
@pytest.mark.parametrize(("width", "height"), [(1280, 800), (1024, 400), (2560, 1440)])
def test_the_line_below_redocs_menu_is_whole(page: Page, width: int, height: int) -> None:
    page.set_viewport_size({"width": width, "height": height})
    page.goto("/redoc")
    line = page.locator("a[href*='redocly.com']")
    line.wait_for()
    assert line.inner_text().strip() == "API docs by"
    logo = line.locator("img")
    logo.wait_for()
    assert logo.evaluate("image => image.complete && image.naturalWidth") == 44
    outer, inner = line.bounding_box(), logo.bounding_box()
    assert outer is not None
    assert inner is not None
    for start, size, end in (("x", "width", width), ("y", "height", height)):
        assert outer[start] <= inner[start]
        assert inner[start] + inner[size] <= outer[start] + outer[size] <= end


@pytest.mark.parametrize("path", ["/docs", "/redoc"])
def test_a_page_names_no_other_host_and_has_a_strict_policy(
    path: str, client: httpx.Client
) -> None:
    response = client.get(path)
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    assert "//" not in response.text.replace("<!doctype html>", "")
    policy = response.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self';" in policy
    assert "unsafe" not in policy
    assert "http" not in policy


def test_assets_have_media_types_and_may_be_cached(client: httpx.Client) -> None:
    for name, media_type in (("redoc.js", "text/javascript"), ("page.css", "text/css")):
        response = client.get(f"/docs/assets/{name}")
        assert response.status_code == 200
        assert response.headers["content-type"].startswith(media_type)
        assert "max-age" in response.headers["cache-control"]


@pytest.mark.parametrize("name", ["scalar.js", "__init__.py", "..%2fapp.py", "%2e%2e", "docs.html"])
def test_only_the_listed_assets_are_served(name: str, client: httpx.Client) -> None:
    assert client.get(f"/docs/assets/{name}").status_code == 404
