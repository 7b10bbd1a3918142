"""Small repositories that become large: shared folders, escaped names, texts that grow."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any

import httpx

from tests.attacks.arena import Arena, Figures, attack

if TYPE_CHECKING:
    from tests.support.git_server import Remote

RUN_SECONDS = 100.0


def write_tree(remote: Remote, *entries: tuple[str, str, bytes]) -> str:
    """Return the id of a new tree with entries of mode, id and name, which need not be sorted."""
    kinds = {"040000": "tree", "160000": "commit"}
    lines = [
        f"{mode} {kinds.get(mode, 'blob')} {id_}\t".encode() + name for mode, id_, name in entries
    ]
    return remote.git("mktree", "-z", stdin=b"\0".join(lines) + b"\0")


def write_blob(remote: Remote, content: bytes) -> str:
    return remote.git("hash-object", "-w", "--stdin", stdin=content)


def repository_kb(remote: Remote) -> int:
    remote.pack()
    packs = (remote.path / "objects/pack").glob("*.pack")
    return sum(pack.stat().st_size for pack in packs) // 1000


def sync(arena: Arena, source: str) -> dict[str, Any]:
    """Sync a source; return what its run says of itself, with the seconds that it took."""
    client = arena.hub.client
    started = time.monotonic()
    location = client.post(f"/api/project-docs/{source}/sync").headers["location"]
    status: dict[str, Any] = {}
    while time.monotonic() - started < RUN_SECONDS:
        status = client.get(f"/api/project-docs/{source}/sync-status").json()
        if status["status"] not in ("syncing", "idle"):
            break
        time.sleep(0.1)
    seconds = round(time.monotonic() - started, 1)
    return {"run": status["status"], "error": status["error"], "seconds": seconds} | {
        "location": location
    }


def receive(arena: Arena, path: str) -> str:
    """Get a path, and return the status and the size of the response."""
    try:
        with httpx.stream(
            "GET", f"{arena.url}{path}", headers={"Accept-Encoding": "identity"}, timeout=60
        ) as response:
            size = sum(len(part) for part in response.iter_raw())
            return f"{response.status_code}, {size / 1e6:.1f} MB"
    except httpx.HTTPError as error:
        return type(error).__name__


def sync_and_read_tree(arena: Arena, remote: Remote) -> Figures:
    """Sync a repository and get the tree of its project."""
    size = repository_kb(remote)
    project = arena.hub.create_project()
    source = arena.hub.create_source(project, remote)
    with arena.observing():
        figures = sync(arena, source)
        tree = receive(arena, f"/api/projects/{project}/file-tree")
        runs = receive(arena, f"/api/project-docs/{source}/syncs")
    figures.pop("location")
    return {"repository": f"{size} KB", **figures, "file-tree": tree, "syncs": runs}


@attack
def shared_chain(arena: Arena) -> Figures:
    """20,000 folders share one chain of 97 folders, with a document at its end."""
    remote = arena.git.create()
    tree = write_tree(remote, ("100644", write_blob(remote, b"# A\n"), b"a.md"))
    for _ in range(97):
        tree = write_tree(remote, ("040000", tree, b"d" * 9))
    folders = (("040000", tree, b"%d" % number) for number in range(20_000))
    remote.commit_tree(write_tree(remote, *folders))
    return sync_and_read_tree(arena, remote)


@attack
def shared_chain_within_the_list(arena: Arena) -> Figures:
    """1,000 folders share that chain: git's list of them is allowed, the tree is not."""
    remote = arena.git.create()
    tree = write_tree(remote, ("100644", write_blob(remote, b"# A\n"), b"a.md"))
    for _ in range(97):
        tree = write_tree(remote, ("040000", tree, b"d" * 9))
    folders = (("040000", tree, b"%d" % number) for number in range(1000))
    remote.commit_tree(write_tree(remote, *folders))
    return sync_and_read_tree(arena, remote)


@attack
def names_that_are_not_utf8(arena: Arena) -> Figures:
    """450,000 files with names of 240 bytes that are no UTF-8, in 900 folders that are one."""
    remote = arena.git.create()
    blob = write_blob(remote, b"# A\n")
    files = (("100644", blob, b"\xff" * 230 + b"%d.md" % number) for number in range(500))
    tree = write_tree(remote, *files)
    folders = (("040000", tree, b"\xfe" * 200 + b"%d" % number) for number in range(900))
    remote.commit_tree(write_tree(remote, *folders))
    return sync_and_read_tree(arena, remote)


@attack
def names_of_control_characters(arena: Arena) -> Figures:
    """40,000 documents with paths of 350 control characters, which take six bytes as JSON."""
    remote = arena.git.create()
    blob = write_blob(remote, b"# A\n")
    files = (("100644", blob, b"\x01" * 150 + b"%d.md" % number) for number in range(400))
    tree = write_tree(remote, *files)
    folders = (("040000", tree, b"\x02" * 200 + b"%d" % number) for number in range(100))
    remote.commit_tree(write_tree(remote, *folders))
    return sync_and_read_tree(arena, remote)


@attack
def folders_without_files(arena: Arena) -> Figures:
    """10^12 folders, which are twelve, and no file."""
    remote = arena.git.create()
    tree = remote.git("mktree")
    for _ in range(12):
        tree = write_tree(remote, *(("040000", tree, b"%d" % number) for number in range(10)))
    remote.commit_tree(tree)
    return sync_and_read_tree(arena, remote)


@attack
def files_that_are_no_documents(arena: Arena) -> Figures:
    """400,000 pictures with paths of 240 bytes, in 400 folders that are one."""
    remote = arena.git.create()
    blob = write_blob(remote, b"# A\n")
    files = (("100644", blob, b"x" * 180 + b"%d.png" % number) for number in range(1000))
    tree = write_tree(remote, *files)
    folders = (("040000", tree, b"y" * 40 + b"%d" % number) for number in range(400))
    remote.commit_tree(write_tree(remote, *folders, ("100644", blob, b"a.md")))
    return sync_and_read_tree(arena, remote)


@attack
def submodules_and_links(arena: Arena) -> Figures:
    """200,000 submodules and 200,000 links, with names that are not UTF-8."""
    remote = arena.git.create()
    blob = write_blob(remote, b"a")
    entries = [("160000", "1" * 40, b"\xff" * 50 + b"%d" % number) for number in range(1000)]
    entries += [("120000", blob, b"\xfe" * 50 + b"%d.md" % number) for number in range(1000)]
    tree = write_tree(remote, *entries)
    folders = (("040000", tree, b"\x03" * 40 + b"%d" % number) for number in range(200))
    remote.commit_tree(write_tree(remote, *folders))
    return sync_and_read_tree(arena, remote)


@attack
def one_content_at_50_000_paths(arena: Arena) -> Figures:
    """One content at 50,000 paths; all of them are renamed, and one run later removed."""
    remote = arena.git.create()
    blob = write_blob(remote, b"# A\n\n" + b"text " * 200)
    project = arena.hub.create_project()
    source = arena.hub.create_source(project, remote)
    figures: Figures = {}

    def commit(prefix: bytes, count: int) -> None:
        tree = write_tree(remote, *(("100644", blob, b"%d.md" % n) for n in range(500)))
        folders = (("040000", tree, prefix + b"%d" % number) for number in range(count))
        remote.commit_tree(write_tree(remote, *folders))

    with arena.observing():
        for name, prefix, count in (
            ("first", b"a", 100),
            ("renamed", b"b", 100),
            ("rest", b"b", 1),
        ):
            commit(prefix, count)
            figures[name] = sync(arena, source)["seconds"]
        figures["file-tree"] = receive(arena, f"/api/projects/{project}/file-tree")
    return figures


@attack
def skipped_files_of_many_runs(arena: Arena) -> Figures:
    """30 runs that skip 2,000 files each, with names of control characters."""
    remote = arena.git.create()
    blob = write_blob(remote, b"a")
    deep = b"\x01" * 240
    links = (("120000", blob, b"\x01" * 230 + b"%d.md" % number) for number in range(2000))
    tree = write_tree(remote, *links)
    for _ in range(3):
        tree = write_tree(remote, ("040000", tree, deep))
    source = arena.hub.create_source(arena.hub.create_project(), remote)
    figures: Figures = {}
    with arena.observing():
        for number in range(30):
            text = write_blob(remote, b"# %d\n" % number)
            remote.commit_tree(
                write_tree(remote, ("040000", tree, b"d"), ("100644", text, b"a.md"))
            )
            figures["run"] = sync(arena, source)["run"]
        figures["syncs"] = receive(arena, f"/api/project-docs/{source}/syncs?limit=100")
    return figures


def sync_documents(arena: Arena, *contents: bytes) -> Figures:
    """Sync documents with these contents, and get each of them."""
    remote = arena.git.create()
    entries = [
        ("100644", write_blob(remote, content), b"%d.md" % number)
        for number, content in enumerate(contents)
    ]
    remote.commit_tree(write_tree(remote, *entries))
    size = repository_kb(remote)
    project = arena.hub.create_project()
    source = arena.hub.create_source(project, remote)
    with arena.observing():
        figures = sync(arena, source)
        files = arena.hub.files(project)
        documents = [receive(arena, f"/api/documents/{file['id']}") for file in files.values()]
        listed = arena.hub.client.get(figures.pop("location")).json()["skipped_files"]
    reasons = {file["reason"] for file in listed}
    return {"repository": f"{size} KB", **figures, "documents": documents, "skipped": reasons}


@attack
def control_characters(arena: Arena) -> Figures:
    """A document of 5 MB of control characters."""
    return sync_documents(arena, b"\x01" * 4_999_999)


@attack
def tables_with_short_rows(arena: Arena) -> Figures:
    """2.6 MB of tables whose rows of one character are filled with 100 cells each."""
    table = b"|a" * 100 + b"|\n" + b"|-" * 100 + b"|\n" + b"a\n" * 300 + b"\n"
    return sync_documents(arena, table * 2600)


def growing_texts() -> list[bytes]:
    """Return texts of 5 MB with many nodes, headings and anchors, or in no known encoding."""
    texts = (
        b"#\n", b"# \xf0\x9f\x98\x80" + b"\xf0\x9f\x98\x80a" * 150 + b"\n", b"- " * 99 + b"a\n",
        b"[^1]: a\n\n" + b"[^1]" * 1000, b"*a", b"<a name=x%d>", b"> - " * 49 + b"a\n",
        b"\x80", b"a@b.c ", b"\xe4\xb8\xad" * 10 + b"\xff",
    )  # fmt: skip
    contents = [(text * (5_000_000 // len(text)))[:4_999_999] for text in texts]
    front_matter = b"---\n" + b"".join(b"%x: {{x\n" % n for n in range(6500)) + b"---\n"
    aliases = b"---\na: &a [x, x]\n" + b"".join(
        b"%x: &%x [*a, *a, *a]\n" % (n, n) for n in range(2000)
    )
    return [*contents, front_matter, aliases + b"---\n"]


@attack
def texts_that_grow(arena: Arena) -> Figures:
    """Texts of 5 MB with many nodes, headings and anchors, or in no known encoding."""
    return sync_documents(arena, *growing_texts())


@attack
def several_runs_at_once(arena: Arena) -> Figures:
    """Runs that grow, in four projects at once: texts of 5 MB, and three lists of 50,000 paths."""
    texts, paths = arena.git.create("a/texts"), arena.git.create("a/paths")
    entries = [
        ("100644", write_blob(texts, content), b"%d.md" % number)
        for number, content in enumerate(growing_texts())
    ]
    texts.commit_tree(write_tree(texts, *entries))
    blob = write_blob(paths, b"# A\n\n" + b"text " * 200)
    tree = write_tree(paths, *(("100644", blob, b"%d.md" % number) for number in range(500)))
    folders = (("040000", tree, b"a%d" % number) for number in range(100))
    paths.commit_tree(write_tree(paths, *folders))
    sources = [
        arena.hub.create_source(arena.hub.create_project(f"Project {number}"), remote)
        for number, remote in enumerate((texts, paths, paths, paths))
    ]
    with arena.observing(), ThreadPoolExecutor(len(sources)) as pool:
        runs = list(pool.map(partial(sync, arena), sources))
    return {"runs": [f"{run['run']} in {run['seconds']} s" for run in runs]}


@attack
def large_runs_at_once(arena: Arena) -> Figures:
    """Four projects of 50,000 documents of 2 KB each, which are all synced at once."""
    sources: list[str] = []
    for project in range(4):
        remote = arena.git.create(f"{project}/documents")
        remote.commit(
            {
                f"{'long/' * 20}{number % 200}/{number}.md": b"# %d of %d\n\n%s"
                % (number, project, b"lorem ipsum " * 160)
                for number in range(50_000)
            }
        )
        sources.append(
            arena.hub.create_source(arena.hub.create_project(f"Project {project}"), remote)
        )
    with arena.observing(), ThreadPoolExecutor(len(sources)) as pool:
        runs = list(pool.map(partial(sync, arena), sources))
    return {"runs": [f"{run['run']} in {run['seconds']} s" for run in runs]}
