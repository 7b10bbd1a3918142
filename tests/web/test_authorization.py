from __future__ import annotations

import json
import re
from base64 import b64encode
from http.client import HTTPConnection
from itertools import product
from typing import TYPE_CHECKING

import httpx
import pytest

from service.app import ROUTES
from service.web.authorization import access_to
from tests.support.browser import browser_page, needs_chromium
from tests.support.examples import add_examples, example_path
from tests.support.postgres import run_sql
from tests.support.problems import assert_problem
from tests.support.service import json_log, run_command, serving

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from typing import TypeAlias

    from tests.support.service import Service

    Start: TypeAlias = Callable[..., Service]

TOKEN = "correct-horse-battery-staple"
READ_TOKEN = "look-but-do-not-touch"
ID = "6f1c2f0e-58b5-4f6e-9d7f-0b8a8f3d9a11"
OPEN = [
    "/api/health",
    "/api/health/live",
    "/metrics",
    "/docs",
    "/docs/assets/page.css",
    "/redoc",
    "/openapi.json",
]
PAGES = [
    "/",
    "/projects",
    f"/projects/{ID}",
    f"/projects/{ID}/files",
    f"/projects/{ID}/files/a.md",
    "/search?q=a",
    f"/documents/{ID}",
    f"/projects/{ID}/stories",
    f"/projects/{ID}/epics",
    f"/projects/{ID}/problems",
]
OTHERS = ["/llms.txt", "/nothing", "/docs/nothing", "/docs/assets/a/b", "/assets", "/metrics/x"]
READS = [
    "/api/projects",
    f"/api/projects/{ID}",
    f"/api/projects/{ID}/docs",
    f"/api/projects/{ID}/file-tree",
    f"/api/projects/{ID}/documents?path=a.md",
    f"/api/projects/{ID}/stories",
    f"/api/projects/{ID}/epics",
    f"/api/projects/{ID}/next",
    f"/api/projects/{ID}/problems",
    f"/api/projects/{ID}/progress",
    f"/api/projects/{ID}/activity",
    f"/api/projects/{ID}/activity.atom",
    f"/api/projects/{ID}/badge.svg",
    "/api/overview",
    f"/api/project-docs/{ID}",
    f"/api/project-docs/{ID}/sync-status",
    f"/api/project-docs/{ID}/syncs",
    f"/api/project-docs/{ID}/syncs/{ID}",
    f"/api/documents/{ID}",
    f"/api/documents/{ID}/raw",
    "/api/nothing",
]
CHANGES = [
    ("POST", "/api/projects"),
    ("PUT", f"/api/projects/{ID}"),
    ("DELETE", f"/api/projects/{ID}"),
    ("POST", f"/api/projects/{ID}/docs"),
    ("PUT", f"/api/project-docs/{ID}"),
    ("DELETE", f"/api/project-docs/{ID}"),
    ("POST", f"/api/project-docs/{ID}/sync"),
    ("POST", "/api/nothing"),
    ("PATCH", "/api/projects"),
]


@pytest.fixture
def guarded(database: str) -> Iterator[httpx.Client]:
    """A service that needs the token for changes."""
    with serving(database, api_token=TOKEN) as client:
        yield client


@pytest.fixture
def closed(database: str) -> Iterator[httpx.Client]:
    """A service that needs the token for changes and for reading."""
    with serving(
        database, api_token=TOKEN, api_read_token=READ_TOKEN, api_token_for_reads=True
    ) as client:
        yield client


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def basic(password: str, name: str = "somebody") -> dict[str, str]:
    return {"Authorization": f"Basic {b64encode(f'{name}:{password}'.encode()).decode()}"}


@pytest.mark.parametrize(("method", "path"), CHANGES)
def test_a_change_needs_the_token(guarded: httpx.Client, method: str, path: str) -> None:
    refused = guarded.request(method, path)
    assert_problem(refused, 401)
    assert refused.headers["www-authenticate"].startswith("Bearer ")
    assert guarded.request(method, path, headers=bearer(TOKEN)).status_code != 401


def test_every_changing_route_needs_the_token() -> None:
    open_changes = {
        (method, route.path_format)
        for route in ROUTES
        for method in route.methods or ()
        if method not in {"GET", "HEAD"} and access_to(method, route.path_format) != "change"
    }
    assert open_changes == {
        ("POST", "/api/project-docs/{id}/webhook"),  # it has a signature instead
        ("POST", "/mcp"),  # it only reads
    }


def test_reading_needs_no_token_by_default_and_ignores_a_wrong_one(guarded: httpx.Client) -> None:
    for path in [*READS, *PAGES, *OTHERS, "/mcp"]:
        for headers in {}, bearer("wrong"), basic("wrong"), {"Authorization": "Basic ?"}:
            assert guarded.get(path, headers=headers).status_code not in (401, 403), path


def test_reading_needs_a_token_with_api_token_for_reads(closed: httpx.Client) -> None:
    for path in [*READS, *PAGES, *OTHERS, "/mcp"]:
        assert_problem(closed.get(path), 401)
        assert closed.head(path).status_code == 401, path
        for headers in bearer(TOKEN), bearer(READ_TOKEN), basic(TOKEN), basic(READ_TOKEN):
            assert closed.get(path, headers=headers).status_code not in (401, 403), path


def test_health_metrics_assets_and_the_documentation_stay_open(closed: httpx.Client) -> None:
    for path in [*OPEN, "/assets/hub.css", "/favicon.ico", "/robots.txt"]:
        assert access_to("GET", path) == "open"
        assert closed.get(path, headers=bearer("wrong")).status_code in (200, 404), path


def test_no_request_to_the_endpoint_for_agents_is_a_change(closed: httpx.Client) -> None:
    for method in ("GET", "POST", "DELETE"):
        assert access_to(method, "/mcp") == "read"
        assert closed.request(method, "/mcp").status_code == 401
        found = closed.request(method, "/mcp", headers=bearer(READ_TOKEN))
        assert found.status_code not in (401, 403), method


def test_an_unknown_change_needs_the_token_wherever_it_is(guarded: httpx.Client) -> None:
    for path in ["/projects", "/mcp/x", "/", "/nothing"]:
        refused = guarded.post(path)
        assert_problem(refused, 401)
        assert refused.headers["www-authenticate"].startswith("Bearer ")


def test_a_browser_asks_its_user_for_the_token_of_a_page(closed: httpx.Client) -> None:
    for path in [*PAGES, *OTHERS]:
        for headers in {}, basic("wrong"), bearer("wrong"):
            refused = closed.get(path, headers=headers)
            assert_problem(refused, 401)
            assert refused.headers["www-authenticate"] == 'Basic realm="BMADFlow", charset="UTF-8"'


def test_no_browser_asks_its_user_for_what_a_front_end_reads(closed: httpx.Client) -> None:
    for path in [*READS, "/mcp"]:
        script = {"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Dest": "empty"}
        foreign = {"Sec-Fetch-Site": "same-site", "X-Requested-With": "hub.js"}
        for headers in {}, script, foreign, basic("wrong"), bearer("wrong"):
            refused = closed.get(path, headers=headers)
            assert refused.headers["www-authenticate"].startswith('Bearer realm="BMADFlow API"')


@needs_chromium
@pytest.mark.parametrize("start", ["/", "/projects/none/below"])
def test_a_script_of_a_page_reads_with_the_password_of_the_page(
    closed: httpx.Client, start: str
) -> None:
    with browser_page(closed.base_url, READ_TOKEN) as page:
        page.goto(start)
        own = "{headers: {'X-Requested-With': 'hub.js'}}"
        read = f"fetch('/api/projects', {own}).then(response => response.status)"
        assert page.evaluate(read) == 200
        create = "fetch('/api/projects', {method: 'POST'}).then(response => response.status)"
        assert page.evaluate(create) == 401


def test_a_browser_is_asked_by_a_page_that_says_so(closed: httpx.Client) -> None:
    refused = closed.get("/", headers={"Accept": "text/html,*/*;q=0.8"})
    assert refused.status_code == 401
    assert refused.headers["content-type"].startswith("text/html")
    assert refused.headers["www-authenticate"] == 'Basic realm="BMADFlow", charset="UTF-8"'
    assert "as the password, with any name" in refused.text


def test_the_password_of_any_name_is_the_token(closed: httpx.Client) -> None:
    for name in ["", "x", "Zoë", "a b", " "]:
        assert closed.get("/api/projects", headers=basic(READ_TOKEN, name)).status_code == 200


@pytest.mark.parametrize("token", ["a:b:cdefghijklmnop", ":abcdefghijklmnop:"])
def test_a_token_with_a_colon_is_a_password(database: str, token: str) -> None:
    with serving(database, api_token=token, api_token_for_reads=True) as client:
        assert client.get("/api/projects", headers=basic(token)).status_code == 200
        assert client.get("/api/projects", headers=basic(token[1:])).status_code == 401


MALFORMED = ["", " ?", " YQ", " YQ=", " YQ==", " YT pi", " YTp\xff", f" {TOKEN}", " dG9rZW4="]


def test_malformed_credentials_of_basic_are_refused_with_the_reason(closed: httpx.Client) -> None:
    for credentials in MALFORMED:
        header = f"Basic{credentials}".encode("latin-1")
        refused = closed.get("/api/projects", headers=[(b"Authorization", header)])
        assert "NAME:TOKEN in base64" in assert_problem(refused, 401)["detail"], credentials


def test_a_wrong_password_is_refused(closed: httpx.Client) -> None:
    for password in ["", TOKEN[:-1], f"{TOKEN}x", TOKEN.upper(), f"{TOKEN}\0", "\xff"]:
        refused = closed.get("/", headers=basic(password))
        assert assert_problem(refused, 401)["detail"] == "The token is not the API's."


def test_the_token_for_reads_may_change_nothing(closed: httpx.Client) -> None:
    for method, path in CHANGES:
        refused = closed.request(method, path, headers=bearer(READ_TOKEN))
        assert "a change needs API_TOKEN" in assert_problem(refused, 403)["detail"]
        assert refused.headers["www-authenticate"].endswith('error="insufficient_scope"')


def test_basic_which_browsers_send_by_themselves_may_change_nothing(closed: httpx.Client) -> None:
    for method, path in CHANGES:
        for password in (TOKEN, READ_TOKEN, "wrong"):
            refused = closed.request(method, path, headers=basic(password))
            assert "Basic is refused here" in assert_problem(refused, 401)["detail"]
            assert refused.headers["www-authenticate"] == 'Bearer realm="BMADFlow API"'


OTHER_SITES = ["cross-site", "same-site", "unknown"]
LOADED: list[dict[str, str]] = [
    {},
    *({"Sec-Fetch-Dest": to} for to in ("image", "empty", "iframe")),
]


def test_what_a_page_of_another_site_loads_gets_nothing_by_basic(closed: httpx.Client) -> None:
    for site, loaded in product(OTHER_SITES, LOADED):
        sent = {"Sec-Fetch-Site": site} | loaded
        for path in ("/api/search?q=a", "/search?q=a"):
            for password in (READ_TOKEN, "wrong"):  # both alike, or the page could guess
                assert_problem(closed.get(path, headers=basic(password) | sent), 403)
            # A program chooses its headers itself.
            assert closed.get(path, headers=bearer(READ_TOKEN) | sent).status_code != 403


def test_a_link_of_another_site_leads_to_a_response_that_is_not_compressed(
    closed: httpx.Client,
) -> None:
    for number in range(20):
        created = closed.post("/api/projects", json={"name": f"{number}"}, headers=bearer(TOKEN))
        assert created.status_code == 201
    for site in OTHER_SITES:
        link = {"Sec-Fetch-Site": site, "Sec-Fetch-Dest": "document", "Sec-Fetch-Mode": "navigate"}
        followed = closed.get("/api/projects", headers=basic(READ_TOKEN) | link)
        assert followed.status_code == 200
        # Or its length would tell how much of the link's query the documents beside it have.
        assert "content-encoding" not in followed.headers
    own = basic(READ_TOKEN) | {"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Dest": "empty"}
    assert closed.get("/api/projects", headers=own).headers["content-encoding"] == "gzip"


GETS = [route for route in ROUTES if "GET" in (route.methods or ())]


def test_no_cache_that_clients_share_keeps_what_needs_a_token(database: str) -> None:
    add_examples(database)
    tokens = {"api_token": TOKEN, "api_read_token": READ_TOKEN}
    statuses: set[int] = set()
    with serving(database, **tokens, api_token_for_reads=True) as client:
        for route in GETS:
            path = example_path(route.path_format).decode()
            if access_to("GET", path) == "open":
                continue
            fresh = client.get(path, headers=bearer(READ_TOKEN))
            responses = [fresh, client.get(path), client.head(path, headers=basic(READ_TOKEN))]
            if tag := fresh.headers.get("etag"):
                same = bearer(READ_TOKEN) | {"If-None-Match": tag}
                responses.append(client.get(path, headers=same))
            for response in responses:
                statuses.add(response.status_code)
                varies = re.split(r",\s*", response.headers["vary"])
                assert varies.count("Authorization") == 1, path
                directives = set(re.split(r",\s*", response.headers["cache-control"]))
                assert directives & {"private", "no-store"}, path
                assert not directives & {"public", "must-revalidate"}, path
                assert not re.search("s-maxage", response.headers["cache-control"]), path
    assert {200, 304, 401} <= statuses


def test_where_reading_is_open_a_cache_may_keep_it(guarded: httpx.Client) -> None:
    created = guarded.post("/api/projects", json={"name": "Payments"}, headers=bearer(TOKEN))
    tree = guarded.get(f"/api/projects/{created.json()['id']}/file-tree")
    assert tree.headers["cache-control"] == "no-cache"
    assert "Authorization" not in tree.headers["vary"]


def test_what_is_open_is_cached_as_before(closed: httpx.Client) -> None:
    asset = closed.get("/docs/assets/page.css")
    assert asset.headers["cache-control"] == "public, max-age=3600"
    assert "Authorization" not in asset.headers["vary"]


def test_no_get_changes_anything(database: str) -> None:
    add_examples(database)
    name = database.rpartition("/")[2].partition("?")[0]
    run_sql(database, f'alter database "{name}" set default_transaction_read_only = on')
    paths = [example_path(route.path_format).decode() for route in GETS]
    # Without a syncer, which would write by itself.
    with serving(database, sync_concurrency=0) as client:
        assert client.post("/api/projects", json={"name": "Platform"}).status_code == 503
        statuses = {path: client.get(path).status_code for path in paths}
    assert {path: status for path, status in statuses.items() if status >= 500} == {}
    assert list(statuses.values()).count(200) > len(statuses) // 2


def test_neither_the_log_nor_the_metrics_have_a_token(database: str) -> None:
    sent = [*(basic(token) for token in (TOKEN, READ_TOKEN, "guessed-password"))]
    sent += [bearer(token) for token in (TOKEN, READ_TOKEN, "guessed-password")]
    tokens = {"api_token": TOKEN, "api_read_token": READ_TOKEN}
    with json_log() as read_log:
        with serving(database, **tokens, api_token_for_reads=True) as client:
            for headers in sent:
                client.get("/api/projects", headers=headers)
                client.get("/projects", headers=headers)
                client.post("/api/projects", headers=headers)
            # As a client sends it that was given https://name:token@hub.example/
            client.get("/", auth=("somebody", READ_TOKEN))
            metrics = client.get("/metrics").text
        logged = read_log()
    assert [json.loads(line)["status"] for line in logged.splitlines() if '"request"' in line]
    for secret in (TOKEN, READ_TOKEN, "guessed-password"):
        for form in (secret, b64encode(f"somebody:{secret}".encode()).decode()):
            assert form not in logged
            assert form not in metrics


@pytest.mark.parametrize(
    "path", ["/api/health/../projects", "/api/projects/", "/api/projects//", "/api/health/x"]
)
def test_no_spelling_of_a_path_bypasses_the_token(closed: httpx.Client, path: str) -> None:
    assert closed.get(path).status_code in (401, 404)
    assert closed.post(path).status_code in (401, 404, 405)


@pytest.mark.parametrize(
    ("method", "path"),
    [("DELETE", "/api/healthy"), ("POST", f"/api/project-docs/{ID}/webhook/x")],
)
def test_a_path_that_only_begins_as_an_open_one_needs_the_token(method: str, path: str) -> None:
    assert access_to(method, path) == "change"


@pytest.mark.parametrize("target", ["*", "*api/hello", "api/hello", "?/api/hello", "x/api/hello"])
@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_a_target_that_is_no_path_bypasses_no_token(
    closed: httpx.Client, method: str, target: str
) -> None:
    url = closed.base_url
    connection = HTTPConnection(url.host, url.port, timeout=30)
    try:
        connection.request(method, target)
        assert connection.getresponse().status in (400, 401)
    finally:
        connection.close()


@pytest.mark.parametrize(
    "header",
    [
        "",
        TOKEN,
        f"Basic {TOKEN}",
        "Bearer",
        f"Bearer {TOKEN}x",
        f"Bearer {TOKEN[:-1]}",
        f"Bearer {TOKEN.upper()}",
        f"Bearer x {TOKEN}",
        "Bearer \xff",
    ],
)
def test_a_wrong_or_malformed_token_is_refused(guarded: httpx.Client, header: str) -> None:
    response = guarded.post("/api/projects", headers=[(b"Authorization", header.encode("latin-1"))])
    assert_problem(response, 401)


def test_the_scheme_is_case_insensitive(guarded: httpx.Client) -> None:
    response = guarded.post("/api/projects", headers={"Authorization": f"bearer {TOKEN}"})
    assert response.status_code == 415


def test_a_refusal_reads_no_body_and_has_cors_headers(guarded: httpx.Client) -> None:
    headers = {"Origin": "http://localhost:3000"}
    response = guarded.post("/api/projects", content=b"{" * 100_000, headers=headers)
    assert_problem(response, 401)
    assert response.headers["access-control-allow-origin"] == "http://localhost:3000"


def test_a_preflight_needs_no_token(closed: httpx.Client) -> None:
    headers = {
        "Origin": "http://localhost:3000",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization,content-type",
    }
    response = closed.options("/api/projects", headers=headers)
    assert response.status_code == 200
    assert "authorization" in response.headers["access-control-allow-headers"]


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1"])
def test_without_a_token_the_service_listens_on_loopback_only(database: str, host: str) -> None:
    result = run_command("serve", DATABASE_URL=database, BACKEND_HOST=host)
    assert result.returncode == 2
    assert result.stderr.startswith("error: API_TOKEN: is required where BACKEND_HOST is not")
    assert "BACKEND_HOST=127.0.0.1" in result.stderr
    assert len(result.stderr.splitlines()) == 1


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
@pytest.mark.parametrize("token", ["hunter2", "hunter2hunter2-\n"])
def test_a_short_token_is_refused_where_other_machines_could_guess_it(
    host: str, token: str, database: str
) -> None:
    result = run_command("serve", DATABASE_URL=database, BACKEND_HOST=host, API_TOKEN=token)
    assert result.returncode == 2
    assert result.stderr.startswith("error: API_TOKEN: has fewer than 16 characters")
    assert result.stderr.count("\n") == 1
    assert "hunter2" not in result.stderr


def test_a_short_token_for_reads_is_refused_where_other_machines_could_guess_it(
    database: str,
) -> None:
    result = run_command(
        "serve",
        DATABASE_URL=database,
        BACKEND_HOST="0.0.0.0",
        API_TOKEN=TOKEN,
        API_READ_TOKEN="hunter2",
        API_TOKEN_FOR_READS="true",
    )
    assert result.returncode == 2
    assert result.stderr.startswith("error: API_READ_TOKEN: has fewer than 16 characters")
    assert result.stderr.count("\n") == 1
    assert "hunter2" not in result.stderr


def test_a_token_for_reads_that_would_mean_nothing_refuses_the_start(database: str) -> None:
    result = run_command("serve", DATABASE_URL=database, API_TOKEN=TOKEN, API_READ_TOKEN=READ_TOKEN)
    assert result.returncode == 2
    assert result.stderr.startswith("error: API_READ_TOKEN: needs API_TOKEN and API_TOKEN_FOR_")
    assert result.stderr.count("\n") == 1
    assert READ_TOKEN not in result.stderr


@pytest.mark.parametrize(("host", "token"), [("127.0.0.1", "short"), ("0.0.0.0", "t" * 16)])
def test_a_short_token_on_loopback_and_a_longer_one_anywhere_serve(
    host: str, token: str, database: str, start_service: Start
) -> None:
    service = start_service(DATABASE_URL=database, BACKEND_HOST=host, API_TOKEN=token)
    port = service.url.rpartition(":")[2]
    created = httpx.post(
        f"http://127.0.0.1:{port}/api/projects",
        json={"name": "Payments"},
        headers={"Authorization": f"Bearer {token}"},
    )
    assert created.status_code == 201


def test_a_token_in_a_file_with_a_line_break_protects_every_change(
    database: str, tmp_path: Path, start_service: Start
) -> None:
    (tmp_path / "token").write_text(f"{TOKEN}\r\n")
    service = start_service(DATABASE_URL=database, API_TOKEN_FILE=str(tmp_path / "token"))
    url = f"{service.url}/api/projects"
    assert httpx.post(url, json={"name": "Payments"}).status_code == 401
    right = {"Authorization": f"Bearer {TOKEN}"}
    assert httpx.post(url, json={"name": "Payments"}, headers=right).status_code == 201
