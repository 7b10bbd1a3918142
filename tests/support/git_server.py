"""Real git repositories on a real smart-HTTP server, which misbehaves on demand.

    with git_server(tmp_path) as server:
        remote = server.create("team/docs")
        commit = remote.commit({"docs/a.md": b"# A\n"})
        settings = git_settings(tmp_path, server)
        async with GitRepository(GitOptions(**settings)) as repository:
            tree = await repository.fetch_tree(remote.url, None, "docs")

`remote.url`, `https://git.example/team/docs.git`, is for the service: `git_settings` makes git use
the server for it. `remote.local_url` is the server's own, over http.
"""

from __future__ import annotations

import gzip
import os
import shutil
import ssl
import subprocess
import threading
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote, unquote, urlsplit

HOST = "git.example"
# The date of the commit before the first one: each is a minute after the one before by default.
FIRST_COMMIT = 1_700_000_000
MAIN = "main"
# Each is part of the requests of one step of a sync.
LIST = b"command=ls-refs"
TREE = b"deepen 50"
BLOBS = b"deepen 1"
LFS_POINTER = (
    b"version https://git-lfs.github.com/spec/v1\n"
    b"oid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\nsize 12345\n"
)


class Link(NamedTuple):
    """A symbolic link."""

    target: bytes


class Submodule(NamedTuple):
    """A submodule, at a commit of another repository."""

    commit: str


Content = bytes | Link | Submodule | None
Name = str | bytes


def git(*arguments: str | Path, stdin: bytes = b"", cwd: Path | None = None) -> str:
    """Run git without the user's configuration; return its output."""
    variables = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1", "LC_ALL": "C"}
    finished = subprocess.run(
        ["git", *map(str, arguments)],
        input=stdin,
        cwd=cwd,
        env=os.environ | variables,
        capture_output=True,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr.decode()
    return finished.stdout.decode(errors="surrogateescape").strip()


class Remote:
    """A bare repository on the server. It begins empty, with the HEAD `main`."""

    def __init__(self, path: Path, url: str, local_url: str) -> None:
        self.path = path
        self.url = url
        self.local_url = local_url
        self._seconds = FIRST_COMMIT
        git("init", "-q", "--bare", "--template=", f"--initial-branch={MAIN}", path)
        with (path / "config").open("a") as config:
            # Without compression, giants are committed fast.
            config.write("[uploadpack]\n\tallowFilter = true\n[fastimport]\n\tunpackLimit = 99\n")
            config.write("[core]\n\tcompression = 0\n\tbigFileThreshold = 1m\n")

    def git(self, *arguments: str | Path, stdin: bytes = b"") -> str:
        return git(f"--git-dir={self.path}", *arguments, stdin=stdin)

    def configure(self, name: str, value: str) -> None:
        self.git("config", name, value)

    def commit(
        self,
        files: Mapping[str, Content] | Mapping[bytes, Content] | None = None,
        *,
        branch: str = MAIN,
        renames: Mapping[str, str] | None = None,
        start_over: bool = False,
        seconds: int | None = None,
        message: str = "Change it",
    ) -> str:
        """Commit files, links and submodules on a branch, None to delete one; return the id.

        20,000 files take about a second. `start_over` makes it the branch's only commit, as a
        force-push does. `seconds` is its date, since 1970.
        """
        self._seconds = seconds if seconds is not None else self._seconds + 60
        committer = f"Tester <tester@git.example> {self._seconds} +0000"
        head = f"commit refs/heads/{branch}\ncommitter {committer}\n"
        parts = [head.encode(), _data(message.encode())]
        if (self.path / "refs/heads" / branch).is_file() and not start_over:
            parts.append(f"from refs/heads/{branch}^0\n".encode())
        for old, new in (renames or {}).items():
            parts.append(b"R %s %s\n" % (_quote(old), _quote(new)))
        for name, content in (files or {}).items():
            match content:
                case None:
                    parts.append(b"D %s\n" % _quote(name))
                case Link(target):
                    parts.append(b"M 120000 inline %s\n%s" % (_quote(name), _data(target)))
                case Submodule(commit):
                    parts.append(b"M 160000 %s %s\n" % (commit.encode(), _quote(name)))
                case bytes():
                    parts.append(b"M 100644 inline %s\n%s" % (_quote(name), _data(content)))
        self.git("fast-import", "--quiet", "--force", stdin=b"".join(parts))
        return self.head(branch)

    def commit_tree(self, tree: str) -> str:
        """Commit a tree that `git mktree` wrote on `main`; return the commit's id."""
        identity = ("-c", "user.name=x", "-c", "user.email=x@x")
        commit = self.git(*identity, "commit-tree", "-m", "x", tree)
        self.git("update-ref", f"refs/heads/{MAIN}", commit)
        return commit

    def write_object(self, kind: str, data: bytes) -> str:
        """Write an object as it is, however malformed; return its id."""
        flags = ("-w", "--literally", "-t", kind, "--stdin")
        return self.git("hash-object", *flags, stdin=data)

    def write_tree(self, *entries: tuple[str, bytes, str]) -> str:
        """Write a tree of entries (mode, name, id), in this order; return its id."""
        records = [
            mode.encode() + b" " + name + b"\0" + bytes.fromhex(object_id)
            for mode, name, object_id in entries
        ]
        return self.write_object("tree", b"".join(records))

    def commit_as(self, tree: str, person: bytes) -> str:
        """Commit a tree on `main` with this text as author and committer; return the id."""
        head = b"tree %s\nauthor %s\ncommitter %s\n\nx\n" % (tree.encode(), person, person)
        commit = self.write_object("commit", head)
        self.git("update-ref", f"refs/heads/{MAIN}", commit)
        return commit

    def lose(self, object_id: str) -> None:
        """Delete an object, which must not be packed."""
        self.object_path(object_id).unlink()

    def object_path(self, object_id: str) -> Path:
        """Return the path of an object that is not packed."""
        return self.path / "objects" / object_id[:2] / object_id[2:]

    def head(self, branch: str = MAIN) -> str:
        return (self.path / "refs/heads" / branch).read_text().strip()

    def delete_branch(self, branch: str) -> None:
        self.git("update-ref", "-d", f"refs/heads/{branch}")

    def set_head(self, branch: str) -> None:
        """Make a branch, which need not exist, the default one."""
        self.git("symbolic-ref", "HEAD", f"refs/heads/{branch}")

    def detach_head(self, commit: str) -> None:
        self.git("update-ref", "--no-deref", "HEAD", commit)

    def pack(self) -> None:
        """Put all objects into one compressed pack, as hosts of git do."""
        self.git("-c", "core.compression=6", "repack", "-q", "-a", "-d", "-F")


def _quote(name: Name) -> bytes:
    raw = name.encode() if isinstance(name, str) else name
    plain = b"".join(
        bytes((byte,))
        if (chr(byte).isalnum() and byte < 128) or byte in b"/._-"
        else b"\\%03o" % byte
        for byte in raw
    )
    return b'"%s"' % plain


def _data(content: bytes) -> bytes:
    return b"data %d\n%s\n" % (len(content), content)


@dataclass(frozen=True)
class Request:
    """A request that the server received. The headers' names are in lower case."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes = field(repr=False)


@dataclass
class Behaviour:
    """How the server misbehaves. Each field can be changed while it serves."""

    # Send this many bytes of each pack and then nothing, until `resume` is set or the server ends.
    stall_after: int | None = None
    # Stall only requests with this in their bodies: see LIST, TREE and BLOBS.
    stall_only: bytes = b""
    resume: threading.Event = field(default_factory=threading.Event)
    # Send this many bytes of each pack, then close the connection.
    hang_up_after: int | None = None
    # Close the connection instead of responding to the next request with this in its body.
    hang_up_once: bytes = b""
    # Pause after each KiB of a pack.
    slow_seconds: float = 0.0
    # Redirect to this base URL, which has no slash at its end.
    redirect_to: str | None = None
    # Redirect only paths with this in them.
    redirect_paths: str = ""
    # Replace the first text in the redirect's path by the second.
    redirect_path: tuple[str, str] | None = None
    redirect_status: int = 301
    # Respond with 401 unless the Authorization header is this one.
    authorization: str | None = None
    # Respond with this status to every request with an Authorization header.
    token_status: int | None = None
    # Respond to every request with this status and body.
    status: int | None = None
    body: bytes = b""
    # Let so many more git commands see the repositories as they were when `lag` was called.
    lagging_commands: int = 0
    # Serve the repository's files: git's dumb HTTP protocol.
    is_dumb: bool = False


class GitServer:
    """Serves the repositories that `create` makes; counts requests and bytes."""

    def __init__(self, folder: Path, certificate: Path | None = None) -> None:
        self.folder = folder
        self.behaviour = Behaviour()
        self.lagging_folder = folder.with_name(f"{folder.name}-lagging")
        self._is_lagging = False
        self.requests: list[Request] = []
        self.sent_bytes = 0
        # Requests to git under way: now, and the most at once.
        self.active = self.most_active = 0
        # Requests that stall now.
        self.stalled = 0
        self._counting = threading.Lock()
        self._stopping = threading.Event()
        self._http = _HTTPServer(self)
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self._http.socket = context.wrap_socket(self._http.socket, server_side=True)
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.02,))
        folder.mkdir(parents=True, exist_ok=True)

    @property
    def port(self) -> int:
        return self._http.server_address[1]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def create(self, name: str = "team/docs") -> Remote:
        """Make an empty repository at /NAME.git."""
        path = f"{name}.git"
        quoted = quote(path)
        return Remote(self.folder / path, f"https://{HOST}/{quoted}", f"{self.url}/{quoted}")

    @contextmanager
    def counting_active(self) -> Generator[None]:
        with self._counting:
            self.active += 1
            self.most_active = max(self.most_active, self.active)
        try:
            yield
        finally:
            with self._counting:
                self.active -= 1

    def forget(self) -> None:
        """Restart `requests` and `sent_bytes`."""
        self.requests.clear()
        self.sent_bytes = 0

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self.behaviour.resume.set()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    def lag(self, commands: int) -> None:
        """Show so many more git commands the repositories as they are now."""
        shutil.rmtree(self.lagging_folder, ignore_errors=True)
        shutil.copytree(self.folder, self.lagging_folder)
        self.behaviour.lagging_commands = commands

    def folder_to_show(self, method: str) -> Path:
        """Return the repositories' folder; each git command begins with a GET."""
        if method == "GET":
            self._is_lagging = self.behaviour.lagging_commands > 0
            self.behaviour.lagging_commands -= self._is_lagging
        return self.lagging_folder if self._is_lagging else self.folder

    def wait(self) -> None:
        """Block until `resume` is set or the server ends."""
        with self._counting:
            self.stalled += 1
        while not self.behaviour.resume.wait(0.02) and not self._stopping.is_set():
            pass
        with self._counting:
            self.stalled -= 1


class _HTTPServer(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, git_server: GitServer) -> None:
        self.git_server = git_server
        super().__init__(("127.0.0.1", 0), _Handler)

    def shutdown_request(self, request: Any) -> None:
        """End TLS properly before closing the connection: git's GnuTLS insists on it."""
        if isinstance(request, ssl.SSLSocket):
            with suppress(OSError):
                request.unwrap()
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Print nothing when a client disconnects: tests kill git on purpose."""


class _Handler(BaseHTTPRequestHandler):
    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Print nothing."""

    @property
    def git_server(self) -> GitServer:
        assert isinstance(self.server, _HTTPServer)
        return self.server.git_server

    def do_GET(self) -> None:
        self._respond()

    def do_POST(self) -> None:
        self._respond()

    def _respond(self) -> None:
        server = self.git_server
        behaviour = server.behaviour
        headers = {name.lower(): value for name, value in self.headers.items()}
        body = self._read_body(headers)
        server.requests.append(Request(self.command, self.path, headers, body))
        if behaviour.redirect_to is not None and behaviour.redirect_paths in self.path:
            path = self.path
            if behaviour.redirect_path is not None:
                old, new = behaviour.redirect_path
                path = path.replace(old, new, 1)
            self._send(behaviour.redirect_status, b"", Location=behaviour.redirect_to + path)
        elif behaviour.hang_up_once and behaviour.hang_up_once in body:
            behaviour.hang_up_once = b""
            self.close_connection = True
        elif behaviour.status is not None:
            self._send(behaviour.status, behaviour.body)
        elif behaviour.token_status is not None and "authorization" in headers:
            self._send(behaviour.token_status, b"", **{"WWW-Authenticate": 'Basic realm="git"'})
        elif behaviour.authorization not in (None, headers.get("authorization")):
            self._send(401, b"", **{"WWW-Authenticate": 'Basic realm="git"'})
        elif behaviour.is_dumb:
            self._serve_file()
        else:
            with server.counting_active():
                self._serve_git(headers, body)

    def _read_body(self, headers: dict[str, str]) -> bytes:
        if headers.get("transfer-encoding") != "chunked":
            return self.rfile.read(int(headers.get("content-length", "0")))
        parts: list[bytes] = []
        while size := int(self.rfile.readline(), 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def _send(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self._write(body)

    def _write(self, data: bytes) -> None:
        self.wfile.write(data)
        self.git_server.sent_bytes += len(data)

    def _serve_file(self) -> None:
        path = self.git_server.folder / urlsplit(self.path).path.lstrip("/")
        if path.is_file():
            self._send(200, path.read_bytes())
        else:
            self._send(404, b"")

    def _serve_git(self, headers: dict[str, str], body: bytes) -> None:
        """Run git http-backend as CGI (RFC 3875) and pass its response on."""
        server = self.git_server
        parts = urlsplit(self.path)
        variables = {
            "PATH": os.environ["PATH"],
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": "safe.directory",
            "GIT_CONFIG_VALUE_0": "*",
            "GIT_PROJECT_ROOT": str(server.folder_to_show(self.command)),
            "GIT_HTTP_EXPORT_ALL": "1",
            "GIT_PROTOCOL": headers.get("git-protocol", ""),
            "REQUEST_METHOD": self.command,
            "PATH_INFO": unquote(parts.path),
            "QUERY_STRING": parts.query,
            "CONTENT_TYPE": headers.get("content-type", ""),
            "CONTENT_LENGTH": str(len(body)),
            "HTTP_CONTENT_ENCODING": headers.get("content-encoding", ""),
            "REMOTE_ADDR": "127.0.0.1",
        }
        with subprocess.Popen(
            ["git", "http-backend"],
            env=variables,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        ) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            try:
                process.stdin.write(body)
                process.stdin.close()
                status = 200
                lines: list[tuple[str, str]] = []
                while line := process.stdout.readline().strip():
                    name, _, value = line.decode().partition(": ")
                    if name.lower() == "status":
                        status = int(value.split()[0])
                    else:
                        lines.append((name, value))
                self.send_response(status)
                for name, value in lines:
                    self.send_header(name, value)
                self.end_headers()
                self._pass_on(process, is_stalling=self._is_stalling(headers, body))
            finally:
                process.kill()

    def _is_stalling(self, headers: dict[str, str], body: bytes) -> bool:
        if headers.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        return self.git_server.behaviour.stall_only in body

    def _pass_on(self, process: subprocess.Popen[bytes], *, is_stalling: bool) -> None:
        assert process.stdout is not None
        server = self.git_server
        behaviour = server.behaviour
        # Only responses to POST are cut short: GET asks for the server's capabilities.
        stall_after = behaviour.stall_after if is_stalling else None
        limits = [stall_after, behaviour.hang_up_after]
        first, *_ = [limit for limit in limits if limit is not None] or [None]
        sent = 0
        step = 1024 if behaviour.slow_seconds else 65536
        while data := process.stdout.read(step):
            if first is not None and self.command == "POST" and sent + len(data) > first:
                self._write(data[: first - sent])
                self.wfile.flush()
                if behaviour.hang_up_after is not None:
                    return
                server.wait()
                data, first = data[first - sent :], None
            self._write(data)
            sent += len(data)
            if behaviour.slow_seconds and self.command == "POST":
                time.sleep(behaviour.slow_seconds)


@contextmanager
def git_server(folder: Path, certificate: Path | None = None) -> Generator[GitServer]:
    """Serve the repositories in `folder`, on a free port of 127.0.0.1.

    With a file of a certificate and its key, over TLS.
    """
    server = GitServer(folder, certificate)
    server.start()
    try:
        yield server
    finally:
        server.stop()


def git_settings(folder: Path, server: GitServer, **changes: Any) -> dict[str, Any]:
    """Return GitOptions' arguments that make git use the server for https://git.example/….

    Writes a configuration file for GIT_CONFIG_GLOBAL into `folder`.
    """
    path = folder / f"gitconfig-{server.port}"
    path.write_text(f'[url "{server.url}/"]\n\tinsteadOf = https://{HOST}/\n')
    settings: dict[str, Any] = {
        "protocols": ("http", "https"),
        "private_networks": True,
        "config_global": str(path),
        "seconds": 30.0,
    }
    return settings | changes
