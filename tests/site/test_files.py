"""Where the paths of a project's files lead: to documents, folders, the repository, or nowhere."""

from __future__ import annotations

import re
from html import escape, unescape
from http.client import HTTPConnection
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote, urljoin, urlsplit

import pytest

from tests.support.hub import Hub, running_hub
from tests.support.postgres import run_sql

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx

    from tests.support.git_server import Remote
    from tests.support.postgres import Postgres

HTML = {"Accept": "text/html,*/*;q=0.8"}

NAMES = [
    "a b.md",
    "#1?.md",
    "100%.md",
    "%2e%2e.md",
    "é文.md",
    "a+b&c=d;e.md",
    "..md.md",
    "a:b.md",
    "'\"<b>.md",
    "back\\slash.md",
]
FILES = {
    "README.md": "# Readme\n\n[prd](docs/prd.md)\n",
    "docs/prd.md": "# PRD\n\n[readme](../README.md) [root](/README.md)\n",
    "docs/pictures/a b.png": "\x89PNG",
    "docs/pictures.md": "# Pictures\n",
    "docs/deep/er/note.md": "# Note\n",
    "src/main.py": "print(1)\n",
    "broken.md": "\0" * 2000,
    **{f"names/{name}": f"# {name}\n" for name in NAMES},
}


@pytest.fixture(scope="module")
def hub(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    database = postgres.create_database(template="migrated")
    with running_hub(database, tmp_path_factory.mktemp("hub")) as hub:
        yield hub
    postgres.drop_database(database)


class Files:
    """The pages of the files of a project."""

    def __init__(self, hub: Hub, name: str) -> None:
        self.hub = hub
        self.project = hub.create_project(name)
        self.commits: dict[str, str] = {}

    def add_source(self, name: str, files: dict[str, str], **fields: Any) -> Remote:
        remote = self.hub.server.create(f"team/{name.lower()}-{self.project}")
        remote.commit({path: text.encode() for path, text in files.items()})
        source = self.hub.create_source(self.project, remote, name=name, **fields)
        run = self.hub.sync(source)
        assert run["status"] == "completed", run
        self.commits[name] = run["commit_id"]
        # A host whose pages are known; nothing syncs from there.
        run_sql(
            self.hub.database,
            f"update project_doc set github_url = 'https://github.com/team/{name.lower()}' "
            f"where id = '{source}'",
        )
        return remote

    def get(self, path: str, **options: Any) -> httpx.Response:
        """Return the response at a path below the files, as it is escaped."""
        return self.hub.client.get(f"/projects/{self.project}/files{path}", **options)

    def follow(self, path: str) -> str:
        """Return where a redirect from a path leads: a path below the files, or a URL."""
        response = self.get(path)
        assert response.status_code == 302, response.text
        url = urljoin(str(response.url), response.headers["location"])
        return url.partition(f"/projects/{self.project}/files")[2] or url


@pytest.fixture(scope="module")
def one(hub: Hub) -> Files:
    """A project with one source."""
    files = Files(hub, "One")
    files.add_source("Docs", FILES)
    return files


@pytest.fixture(scope="module")
def several(hub: Hub) -> Files:
    """A project with several sources."""
    files = Files(hub, "Several")
    files.add_source("Docs", {"docs/prd.md": "# PRD\n", "docs/only.md": "# Only\n"})
    files.add_source("App/Web", {"docs/prd.md": "# PRD of the app\n", "x.md": "# X\n"})
    return files


@pytest.mark.parametrize("name", NAMES)
def test_a_document_of_any_name_has_a_page(one: Files, name: str) -> None:
    listed = one.get("/names").text
    path = f"/names/{quote(name, safe='')}"
    response = one.get(path)
    assert response.status_code == 200, response.text
    assert response.headers["content-type"].startswith("text/html")
    links = [unquote(unescape(link)) for link in re.findall(r'href="([^"]*)"', listed)]
    assert any(link.endswith(f"/files/names/{name}") for link in links)


@pytest.mark.parametrize(
    ("sent", "canonical"),
    [
        ("/docs/prd.md/", "/docs/prd.md"),
        ("/docs%2Fprd.md", "/docs/prd.md"),
        ("/docs//prd.md", "/docs/prd.md"),
        ("/docs/prd.md/?plain=1", "/docs/prd.md?plain=1"),
    ],
)
def test_an_address_from_which_relative_links_would_lead_elsewhere_is_redirected(
    one: Files, sent: str, canonical: str
) -> None:
    assert one.follow(sent) == canonical


@pytest.mark.parametrize("path", ["/docs/%70rd.md", "/docs/prd.md?plain=1", "/docs/", "/docs", "/"])
def test_other_forms_of_an_address_are_the_same_page(one: Files, path: str) -> None:
    assert one.get(path).status_code == 200


def test_each_folder_is_a_page_from_which_all_documents_are_reached(one: Files) -> None:
    for path in ("", "/docs", "/docs/deep", "/docs/deep/er"):
        assert one.get(path).status_code == 200
    assert "1 document" in one.get("/docs/deep").text


@pytest.mark.parametrize(
    ("path", "there"),
    [
        ("/docs/pictures/a%20b.png", "docs/pictures/a%20b.png"),
        ("/src/main.py", "src/main.py"),
        ("/LICENSE", "LICENSE"),
        ("/broken.md", "broken.md"),  # skipped: no text
    ],
)
def test_what_the_hub_does_not_read_is_in_the_repository_at_the_synced_commit(
    one: Files, path: str, there: str
) -> None:
    commit = one.commits["Docs"]
    assert one.follow(path) == f"https://github.com/team/docs/blob/{commit}/{there}"


def test_documents_outside_the_sources_folder_are_in_the_repository(hub: Hub) -> None:
    files = Files(hub, "A folder of a repository")
    files.add_source("Docs", FILES, github_folder_path="docs")
    assert files.get("/docs/prd.md").status_code == 200
    commit = files.commits["Docs"]
    assert files.follow("/README.md") == f"https://github.com/team/docs/blob/{commit}/README.md"
    assert files.get("/docs/nothing.md").status_code == 404


def test_a_missing_document_is_a_404_that_names_the_repository(one: Files) -> None:
    response = one.get("/docs/nothing.md", headers=HTML)
    assert response.status_code == 404
    assert 'href="https://github.com/team/docs"' in response.text
    assert "docs/nothing.md" in response.text
    assert response.headers["cache-control"] == "no-store"
    assert "etag" not in response.headers
    problem = one.get("/docs/nothing.md", headers={"Accept": "application/json"})
    assert problem.headers["content-type"] == "application/problem+json"
    assert problem.json()["status"] == 404


@pytest.mark.parametrize("path", ["", "/", "/docs/deep/"])
def test_a_link_out_of_the_repository_is_a_404_that_says_where_it_leads(
    one: Files, several: Files, path: str
) -> None:
    for outside, url in (
        ("../../issues", "https://github.com/team/docs/issues"),
        ("../../<b>/%22", "https://github.com/team/docs/%3Cb%3E/%22"),
        ("../x", ""),
    ):
        response = one.get(path, params={"outside": outside}, headers=HTML)
        assert response.status_code == 404
        assert "The link leads out of the repository" in response.text
        assert f"<code>{escape(outside)}</code>" in response.text
        assert 'href="https://github.com/team/docs"' in response.text
        assert ("On GitHub" in response.text) is bool(url)
        assert url in response.text
    response = several.get("/", params={"outside": "../x"}, headers=HTML)
    assert response.status_code == 404
    assert response.text.count("https://github.com/team/") >= 2
    problem = one.get("/", params={"outside": "../x"})
    assert problem.json()["detail"] == "The link leads out of the repository."


@pytest.mark.parametrize(
    "path",
    [
        "/..%2f..%2fother/x.png",
        "/docs/%2e%2e/%2e%2e/x.png",
        "/docs/..%2F..%2F..%2Fevil/x.png",
        "/./x.png",
        "/%00.png",
        "/..",
    ],
)
def test_no_path_leads_out_of_the_repository(one: Files, path: str) -> None:
    # Not with httpx, which would resolve the dots, as browsers do.
    connection = HTTPConnection(urlsplit(str(one.hub.client.base_url)).netloc)
    connection.putrequest("GET", f"/projects/{one.project}/files{path}")
    connection.endheaders()
    response = connection.getresponse()
    assert response.status == 404, response.headers
    connection.close()


@pytest.mark.parametrize(
    "path",
    ["//evil.example/x.png", "/@evil.example/x.png", "/%09/evil.example", "/%5Cevil.example"],
)
def test_no_redirect_leads_to_another_host_than_the_sources(one: Files, path: str) -> None:
    response = one.get(path)
    location = urljoin(str(response.url), response.headers.get("location", ""))
    hosts = {urlsplit(str(one.hub.client.base_url)).netloc, "github.com"}
    assert urlsplit(location).netloc in hosts


def test_an_unknown_host_has_no_pages_to_be_redirected_to(hub: Hub) -> None:
    files = Files(hub, "An unknown host")
    files.add_source("Docs", FILES)
    run_sql(
        hub.database,
        "update project_doc set github_url = 'https://git.example/team/docs' "
        f"where project_id = '{files.project}'",
    )
    response = files.get("/src/main.py", headers=HTML)
    assert response.status_code == 404
    assert 'href="https://git.example/team/docs"' in response.text


def test_several_sources_are_folders_at_the_top(several: Files) -> None:
    top = several.get("").text
    assert 'files/Docs"' in top
    assert 'files/App-Web"' in top
    assert several.get("/Docs").status_code == 200
    assert "PRD of the app" in several.get("/App-Web/docs/prd.md").text
    assert several.follow("/Docs/x.png").startswith("https://github.com/team/docs/blob/")
    assert several.follow("/App-Web/x.png").startswith("https://github.com/team/app/web/blob/")


def test_a_path_without_its_sources_folder_leads_to_the_only_document(several: Files) -> None:
    assert several.follow("/docs/only.md") == "/Docs/docs/only.md"
    assert several.follow("/x.md") == "/App-Web/x.md"


def test_a_path_that_several_sources_have_is_a_404_that_lists_them(several: Files) -> None:
    response = several.get("/docs/prd.md", headers=HTML)
    assert response.status_code == 404
    assert 'files/Docs/docs/prd.md"' in response.text
    assert 'files/App-Web/docs/prd.md"' in response.text
    assert several.get("/nowhere.md", headers=HTML).status_code == 404
    assert several.get("/nowhere.png", headers=HTML).status_code == 404


def test_a_path_with_the_folder_of_what_is_the_only_source_now_is_redirected(one: Files) -> None:
    assert one.follow("/Docs/docs/prd.md") == "/docs/prd.md"
    assert one.follow("/Docs/docs") == "/docs"


def test_a_project_without_documents_has_a_page_of_its_files(hub: Hub) -> None:
    empty = Files(hub, "Empty")
    assert "no source" in empty.get("").text
    unsynced = Files(hub, "Unsynced")
    hub.create_source(unsynced.project, hub.server.create(f"team/{unsynced.project}"))
    assert "not been synced yet" in unsynced.get("").text
    assert unsynced.get("/a.md").status_code == 404
    assert unsynced.get("/a.png").status_code == 404  # no commit, and no branch is known


def test_a_missing_project_and_a_malformed_id_have_problems(hub: Hub) -> None:
    missing = "/projects/0198c0de-0000-7000-8000-000000000000/files"
    for path in (missing, f"{missing}/docs/a.md"):
        assert hub.client.get(path).status_code == 404
    assert hub.client.get("/projects/payments/files/a.md").status_code == 400


def test_addresses_hold_behind_a_proxy_that_adds_a_prefix(
    postgres: Postgres, tmp_path_factory: pytest.TempPathFactory
) -> None:
    database = postgres.create_database(template="migrated")
    folder = tmp_path_factory.mktemp("prefixed")
    with running_hub(database, folder, root_path="/hub") as hub:
        files = Files(hub, "Prefixed")
        files.add_source("Docs", FILES)
        for prefix in ("/hub", ""):
            path = f"{prefix}/projects/{files.project}/files"
            assert hub.client.get(f"{path}/docs/prd.md").status_code == 200
            for sent in ("/docs%2Fprd.md", "/docs/prd.md/"):
                moved = hub.client.get(path + sent)
                assert urljoin(path + sent, moved.headers["location"]) == f"{path}/docs/prd.md"
            links = re.findall(r'href="([^"]*)"', hub.client.get(f"{path}/docs").text)
            assert f"{path}/docs/prd.md" in {urljoin(f"{path}/docs", link) for link in links}
    postgres.drop_database(database)
