"""Fetches contents by their ids, in few bytes, and none that is too large."""

from __future__ import annotations

import asyncio
import re
from functools import partial
from typing import TYPE_CHECKING

from service.git.batches import fetch_in_batches
from service.git.errors import (
    TOO_LARGE,
    GitError,
    GitMissingObjectError,
    GitTooLargeError,
    machine_error,
)
from service.git.objects import Blobs, read_sizes
from service.git.runner import NO_BLOBS, NO_TREES

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping
    from pathlib import Path

    from service.git.options import GitOptions
    from service.git.runner import GitRunner

MAX_FILE_BYTES = 5_000_000

NULL_ID = "0" * 40  # broken tools list files with it; no object has it
FIRST_BLOBS = 4000  # of past versions, for which one request asks
# How often a request is made again for half of the past versions, since it had too many bytes: each
# such request may transfer history_bytes in vain.
MAX_HALVINGS = 4
OBJECT_ID = re.compile(r"[0-9a-f]{40}")
NO_GIANTS = f"--filter=blob:limit={MAX_FILE_BYTES + 1}"  # no blob above MAX_FILE_BYTES


class BlobFetcher:
    """Fetches the contents of one repository whose tree was fetched before."""

    def __init__(self, git: GitRunner, options: GitOptions) -> None:
        self._git = git
        self._options = options
        # The fetched commit and the folder's tree in it.
        self.commit: str | None = None
        self.tree_id: str | None = None

    async def fetch(self, url: str, ids: Collection[str]) -> Blobs:
        """Fetch contents by the ids of a Tree's entries, in as few bytes as the server allows.

        The Blobs say which of them the server cannot give, while it gives others.
        """
        wanted = list(dict.fromkeys(ids))
        if not all(OBJECT_ID.fullmatch(blob) for blob in wanted):
            raise GitError("An id is not that of a git object.")
        await self._git.initialise()
        present = await self._read_present_sizes(wanted)
        to_fetch = [blob for blob in wanted if blob not in present and blob != NULL_ID]
        are_giants_left_out = False
        try:
            await fetch_in_batches(
                to_fetch, partial(self._fetch_batch, url), partial(self._probe, url)
            )
        except GitTooLargeError:
            await self._fetch_without_giants(url)
            are_giants_left_out = True
        if to_fetch:
            present = await self._read_present_sizes(wanted)
        sizes: dict[str, int] = {}
        too_large: dict[str, int | None] = {}
        missing: set[str] = set()
        for blob in wanted:
            size = present.get(blob)
            if size is None and (blob == NULL_ID or not are_giants_left_out):
                missing.add(blob)
            elif size is None or size > MAX_FILE_BYTES:
                too_large[blob] = size
            else:
                sizes[blob] = size
        if sum(sizes.values()) > self._options.max_bytes:
            raise GitError(f"The files have more than {self._options.max_bytes:,} bytes together.")
        output = await self._cat_file("--batch", "--buffer", stdin=await self._write_ids(sizes))
        return await asyncio.to_thread(Blobs, output, sizes, too_large, missing)

    async def fetch_first(self, url: str, versions: Mapping[str, str]) -> Blobs:
        """Fetch past versions in this order, until the options' history_bytes have been fetched.

        Each has the id of the version after it of the same file, or its own where there is none.
        Servers store older versions as deltas of newer ones, and send them so to a request for
        both: then a version that was fetched before and comes again takes fewer bytes than without
        it the other one would.

        A request for too many bytes is made again for half its versions, up to MAX_HALVINGS times.

        The Blobs have no more bytes than the options' max_bytes. A content that was not fetched is
        missing. Raises GitError if the server does not give any, or if git fails.
        """
        wanted = [blob for blob in versions if OBJECT_ID.fullmatch(blob)]
        present = await self._read_present_sizes(wanted)
        to_fetch = [blob for blob in wanted if blob not in present and blob != NULL_ID]
        end = self._git.fetched_bytes() + self._options.history_bytes
        start, size, halvings = 0, FIRST_BLOBS, 0
        while start < len(to_fetch) and (room := end - self._git.fetched_bytes()) > 0:
            batch = to_fetch[start : start + size]
            fetch = partial(self._fetch_versions, url, versions, room)
            try:
                await fetch_in_batches(batch, fetch, partial(self._probe, url))
            except GitTooLargeError:
                self._git.remove_unfinished()
                size = len(batch) // 2
                halvings += 1
                if not size or halvings > MAX_HALVINGS:
                    break
            except GitError:
                self._git.remove_unfinished()
                raise
            else:
                start += size
        if to_fetch:
            present = await self._read_present_sizes(wanted)
        sizes: dict[str, int] = {}
        too_large: dict[str, int | None] = {}
        room = self._options.max_bytes
        for blob in wanted:
            size = present.get(blob)
            if size is None:
                continue
            if size > MAX_FILE_BYTES:
                too_large[blob] = size
            elif size <= room:
                sizes[blob] = size
                room -= size
        output = await self._cat_file("--batch", "--buffer", stdin=await self._write_ids(sizes))
        missing = {*wanted} - sizes.keys() - too_large.keys()
        return await asyncio.to_thread(Blobs, output, sizes, too_large, missing)

    async def _fetch_versions(
        self, url: str, versions: Mapping[str, str], max_bytes: int, ids: list[str]
    ) -> None:
        async def fetch(wanted: Iterable[str]) -> None:
            flags = (NO_BLOBS, "--depth=1", "--no-write-fetch-head", "--stdin")
            stdin = await self._write_ids(wanted)
            await self._git.fetch(url, *flags, stdin=stdin, file_bytes=max_bytes)

        try:
            await fetch(dict.fromkeys([*ids, *(versions[blob] for blob in ids)]))
        except GitMissingObjectError as error:
            if error.object_id in ids:
                raise
            await fetch(ids)

    async def _read_present_sizes(self, wanted: Collection[str]) -> dict[str, int]:
        """Return the sizes of those of the wanted blobs that were fetched already, by their ids."""
        output = await self._cat_file("--batch-all-objects", "--unordered", "--batch-check")
        return await asyncio.to_thread(read_sizes, output, set(wanted))

    async def _cat_file(self, *arguments: str, stdin: Path | None = None) -> Path:
        # Twice the limit, since git prints a line before each object. The contents themselves are
        # within the limit: fetch_blobs has checked their sizes.
        file_bytes = 2 * self._options.max_bytes
        return await self._git.run("cat-file", *arguments, stdin=stdin, file_bytes=file_bytes)

    async def _fetch_batch(self, url: str, ids: list[str]) -> None:
        stdin = await self._write_ids(ids)
        flags = (NO_BLOBS, "--depth=1", "--no-write-fetch-head", "--stdin")
        await self._git.fetch(url, *flags, stdin=stdin)
        if self._git.fetched_bytes() > self._options.max_bytes:
            raise GitTooLargeError(TOO_LARGE.format(bytes=self._options.max_bytes))

    async def _probe(self, url: str) -> None:
        """Fetch the newest commit again, without trees and contents: see whether fetches work."""
        if self.commit is None:
            raise GitError("The folder has to be fetched first.")
        flags = (NO_TREES, "--refetch", "--depth=1", "--no-write-fetch-head")
        await self._git.fetch(url, *flags, wanted=self.commit)

    async def _fetch_without_giants(self, url: str) -> None:
        """Fetch all blobs of the folder but giants: a server tells no sizes before it sends."""
        for pack in self._git.unfinished_packs():
            pack.unlink()
        if self.tree_id is None:
            raise GitError("The folder has to be fetched first.")
        # Without NO_BLOBS: of two filters, git applies both.
        flags = (NO_GIANTS, "--refetch", "--depth=1", "--no-write-fetch-head")
        await self._git.fetch(url, *flags, wanted=self.tree_id)

    async def _write_ids(self, ids: Iterable[str]) -> Path:
        path = self._git.new_path("ids")
        try:
            await asyncio.to_thread(path.write_text, "".join(f"{blob}\n" for blob in ids))
        except OSError as error:
            raise machine_error(error) from error
        return path
