"""Git commands on one bare repository, with limits, a deadline, and errors for users."""

from __future__ import annotations

import asyncio
import math
import os
import resource
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from service.git.address import refuse_private_literal, resolve_public, split_url
from service.git.credentials import find_token
from service.git.errors import (
    CANNOT_START,
    MOVED_TO,
    PROXY_UNREACHABLE,
    REFUSES_CREDENTIALS,
    TOO_LARGE,
    UNREACHABLE,
    GitAccessError,
    GitError,
    GitMachineError,
    GitMovedError,
    GitTooLargeError,
    explain,
    machine_error,
)
from service.git.process import (
    ERROR_BYTES,
    cpu_limit,
    git_command,
    git_environment,
    lower_limit,
    read_end,
    run_git,
)
from service.git.proxy import proxy_secrets
from service.git.redirects import TRACE_BYTES, TRACE_VARIABLES, find_target
from service.git.version import check_version
from service.git.watch import TransferWatch, patience

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from service.git.options import GitOptions

FETCH = ("fetch", "-q", "--no-tags", "--no-auto-maintenance")
NO_BLOBS = "--filter=blob:none"  # git still fetches blobs that are wanted by id
NO_TREES = "--filter=tree:0"

# How much later than the watch git ends a transfer itself: without Linux's /proc, or if the service
# was killed.
STALL_SECONDS_MORE = 5


class GitRunner:
    """Runs git, with its output, its errors and a bare repository in one directory."""

    def __init__(self, options: GitOptions, directory: Path, deadline: float) -> None:
        """`deadline`, in the event loop's time, is for all commands together."""
        self.git_dir = directory / "repository"
        self._options = options
        self._directory = directory
        self._deadline = deadline
        self._watch = TransferWatch(self.git_dir / "objects/pack", options.seconds)
        # By host and port: http.curloptResolve of the addresses that were checked.
        self._pins: dict[tuple[str, int], str] = {}
        # By host: the status with which it refused its token. It gets no token any more.
        self.refused_tokens: dict[str, int] = {}
        self._is_version_checked = False
        self._file_count = 0

    async def initialise(self) -> None:
        """Make the repository, unless it is there already."""
        if not self.git_dir.exists():
            await self.run("init", "-q", "--bare", "--template=")

    async def fetch(
        self,
        url: str,
        *flags: str,
        wanted: str | None = None,
        stdin: Path | None = None,
        file_bytes: int | None = None,
    ) -> None:
        """Fetch what `wanted` names, a ref or an id, or the ids in the file `stdin`."""
        names = [] if wanted is None else [wanted]
        command = (*FETCH, *flags, "--end-of-options", url, *names)
        await self.run_remote(url, *command, stdin=stdin, file_bytes=file_bytes)

    def fetched_bytes(self) -> int:
        """Return the size of all packs in bytes: about as many as were transferred."""
        return sum(pack.stat().st_size for pack in self.git_dir.glob("objects/pack/*.pack"))

    async def run_remote(
        self,
        url: str,
        *arguments: str,
        stdin: Path | None = None,
        git_dir: str | None = None,
        file_bytes: int | None = None,
    ) -> Path:
        """Run a git command that connects to `url`; return the file of its output.

        Raises GitError if the URL's host may not be reached, and as `run`, whose limits hold, does.
        """
        host, port = split_url(url, self._options.protocols)
        name = f"[{host}]" if ":" in host else host
        address = name if port == 443 else f"{name}:{port}"
        configuration = await self._connection(host, port, address)
        try:
            return await self._run_with_token(
                url,
                address,
                partial(
                    self.run,
                    *arguments,
                    stdin=stdin,
                    git_dir=git_dir,
                    file_bytes=file_bytes,
                    is_remote=True,
                ),
                configuration,
            )
        except GitMovedError:
            if target := await self._find_target(url, address, configuration):
                raise GitMovedError(MOVED_TO.format(url=target)) from None
            raise

    async def _connection(self, host: str, port: int, address: str) -> dict[str, str]:
        """Return the configuration with which git reaches a host. Raises GitError if it may not."""
        options = self._options
        if options.proxy and address not in options.no_proxy:
            if not options.private_networks:
                await refuse_private_literal(host)
            return {"http.proxy": options.proxy}
        if options.private_networks:
            return {}
        if (host, port) not in self._pins:
            self._pins[host, port] = await resolve_public(host, port)
        return {"http.curloptResolve": self._pins[host, port]}

    async def _run_with_token(
        self,
        url: str,
        address: str,
        run: Callable[..., Awaitable[Path]],
        configuration: dict[str, str],
    ) -> Path:
        """Run git with the host's token, and once without it if the host refuses it."""
        token = find_token(self._options.all_tokens, url, address)
        if token is None or address in self.refused_tokens:
            return await run(configuration=configuration)
        header = {"http.extraHeader": f"Authorization: {token.authorization()}"}
        try:
            return await run(configuration=configuration | header)
        except GitAccessError as error:
            refusal = error
        # Hosts refuse an expired token for public repositories, too: try without it.
        try:
            output = await run(configuration=configuration)
        except GitAccessError as error:
            if refusal.status == 404:  # the token is good, but not for this repository
                raise refusal from None
            self.refused_tokens[address] = refusal.status
            refused = REFUSES_CREDENTIALS.format(host=address, status=refusal.status)
            raise GitAccessError(f"{error} {refused}", error.status) from None
        self.refused_tokens[address] = refusal.status
        return output

    async def _find_target(
        self, url: str, address: str, configuration: dict[str, str]
    ) -> str | None:
        """Return the URL that the server redirects to, if it may be shown to users."""
        trace = self.new_path("trace")
        arguments = ("ls-remote", "--", url, "HEAD")
        variables = {**TRACE_VARIABLES, "GIT_TRACE_CURL": str(trace)}
        run = partial(self.run, *arguments, git_dir=os.devnull, variables=variables, is_remote=True)
        with suppress(GitError):
            await self._run_with_token(url, address, run, configuration)
        if not trace.exists():
            return None
        text = read_end(trace, TRACE_BYTES).decode(errors="replace")
        return find_target(text, url, self._options.hosts)

    async def run(
        self,
        *arguments: str,
        stdin: Path | None = None,
        git_dir: str | None = None,
        file_bytes: int | None = None,
        configuration: Mapping[str, str] | None = None,
        variables: Mapping[str, str] | None = None,
        is_remote: bool = False,
    ) -> Path:
        """Run a git command to its end; return the file of its output.

        `configuration` and `variables` are added to git's configuration and environment.
        `is_remote` is for commands that speak to a server: one that sends too slowly is an error.
        No file that git writes may have more than `file_bytes`, by default the options' max_bytes.
        Raises GitError if the command fails, is too slow or cannot be started.
        """
        if not self._is_version_checked:
            self._is_version_checked = True
            await self._check_version()
        directory = f"--git-dir={git_dir or self.git_dir}"
        return await self._run(
            [directory, *arguments],
            stdin,
            file_bytes,
            configuration or {},
            variables or {},
            is_remote=is_remote,
        )

    def unfinished_packs(self) -> list[Path]:
        """Return the packs of unfinished fetches."""
        return list(self.git_dir.glob("objects/pack/tmp_*"))

    def remove_unfinished(self) -> None:
        """Remove what unfinished fetches left, so that another one can begin."""
        for pack in self.unfinished_packs():
            pack.unlink()
        (self.git_dir / "shallow.lock").unlink(missing_ok=True)

    def new_path(self, name: str) -> Path:
        """Return the path of a new file in the directory."""
        self._file_count += 1
        return self._directory / f"{name}-{self._file_count}"

    async def _check_version(self) -> None:
        output = await self._run(["version"], None, None, {}, {})
        check_version(output.read_text())

    async def _run(
        self,
        arguments: list[str],
        stdin: Path | None,
        file_bytes: int | None,
        configuration: Mapping[str, str],
        variables: Mapping[str, str],
        *,
        is_remote: bool = False,
    ) -> Path:
        options = self._options
        output, errors = self.new_path("output"), self.new_path("errors")
        command = git_command(file_bytes or options.max_bytes, cpu_limit(options.seconds))
        environment = git_environment(
            protocols=options.protocols,
            config_global=options.config_global,
            stall_seconds=math.ceil(patience(options.seconds)) + STALL_SECONDS_MORE,
            configuration=configuration,
        )
        try:
            async with asyncio.timeout_at(self._deadline):
                code = await run_git(
                    [*command, *arguments],
                    {**environment, **variables},
                    stdin=stdin or Path(os.devnull),
                    stdout=output,
                    stderr=errors,
                    watch=self._watch.end_if_slow if is_remote else None,
                )
        except TimeoutError:
            raise GitError(
                f"Reading the repository took longer than {options.seconds:g} s."
            ) from None
        except OSError as error:
            raise machine_error(error, CANNOT_START) from error
        if code != 0:
            raise self._explain(code, errors, configuration, file_bytes or options.max_bytes)
        return output

    def _explain(
        self, code: int, errors: Path, configuration: Mapping[str, str], file_bytes: int
    ) -> GitError:
        max_bytes = lower_limit(resource.RLIMIT_FSIZE, file_bytes)
        # git does not always report that a helper was killed for the size of its file.
        if any(pack.stat().st_size >= max_bytes for pack in self.unfinished_packs()):
            return GitTooLargeError(TOO_LARGE.format(bytes=max_bytes))
        credentials = configuration.get("http.extraHeader", "").rpartition(" ")[2]
        secrets = {credentials, *(token.token for token in self._options.all_tokens)}
        if self._options.proxy:
            secrets |= proxy_secrets(self._options.proxy)
        paths = (str(self._directory), self._options.config_global)
        hidden = [text for text in (*paths, *secrets) if text]
        printed = read_end(errors, ERROR_BYTES).rstrip(b"\0")
        error = explain(
            code,
            printed,
            max_bytes=max_bytes,
            cpu_seconds=cpu_limit(self._options.seconds),
            hidden=hidden,
        )
        if str(error) == UNREACHABLE and "http.proxy" in configuration:
            return GitMachineError(PROXY_UNREACHABLE)
        return error
