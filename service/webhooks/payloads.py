"""What the payload of a push says: the repository, its default branch, and the changed refs."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import unquote, unquote_to_bytes, urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator

# SHA-1 or SHA-256.
OBJECT_ID: Final = re.compile("[0-9a-f]{40}|[0-9a-f]{64}")
ZEROS: Final = re.compile("0+")


# The field of a form with the payload.
PAYLOAD_FIELD: Final = b"payload="


class FormPayload:
    """The payload in a form whose first field has it, decoded part by part: it may be large."""

    def __init__(self) -> None:
        self._waiting: bytes = b""
        self._has_begun = False
        self._is_over = False

    def decode(self, chunk: bytes) -> bytes:
        """Return the next part of the payload."""
        if self._is_over:
            return b""
        escaped = self._waiting + chunk
        if not self._has_begun:
            if len(escaped) < len(PAYLOAD_FIELD):
                self._waiting = escaped
                return b""
            self._has_begun = True
            self._is_over = not escaped.startswith(PAYLOAD_FIELD)
            if self._is_over:
                return b""
            escaped = escaped[len(PAYLOAD_FIELD) :]
        escaped, end, _ = escaped.partition(b"&")
        self._is_over = bool(end)
        # An escape such as %7B may have its end in the next part.
        cut = escaped.rfind(b"%", -2)
        self._waiting = escaped[cut:] if cut != -1 and not end else b""
        complete = escaped.removesuffix(self._waiting)
        return unquote_to_bytes(complete.replace(b"+", b" "))


class RefChange(NamedTuple):
    """A change of a ref such as `refs/heads/main`: its commit after it and before it.

    Without a commit the ref was deleted, or the payload does not tell.
    """

    ref: str
    is_deleted: bool
    commit: str | None
    previous: str | None

    @property
    def is_of_branch(self) -> bool:
        """Whether the ref is that of a branch."""
        return self.ref.startswith("refs/heads/")


class PushPayload(NamedTuple):
    """A push. Where the payload leaves a part out, that part is empty or None."""

    # The URLs of the repository and of its page.
    urls: list[str]
    # `owner/name`.
    names: list[str]
    default_branch: str | None
    changes: list[RefChange]

    def is_of(self, url: str) -> bool:
        """Return whether the push was to the repository at `url`, or may have been."""
        repository = _normalise(url)
        if self.urls:
            return repository in map(_normalise, self.urls)
        path = f"/{repository[1]}"
        return not self.names or any(path.endswith(f"/{name.lower()}") for name in self.names)

    def find_change(self, branch: str) -> RefChange | None:
        """Return the change of a branch."""
        ref = f"refs/heads/{branch}"
        return next((change for change in self.changes if change.ref == ref), None)


def read_push_payload(payload: dict[str, Any]) -> PushPayload:
    """Return what the payload of GitHub, GitLab, Gitea, Bitbucket Cloud or Data Center says."""
    found: list[object] = [
        _get(payload, "repository", "clone_url"),
        _get(payload, "repository", "html_url"),
        _get(payload, "project", "git_http_url"),
        _get(payload, "project", "web_url"),
        _get(payload, "repository", "git_http_url"),
        _get(payload, "repository", "homepage"),
        _get(payload, "repository", "links", "html", "href"),
    ]
    found += [_get(link, "href") for link in _list(_get(payload, "repository", "links", "clone"))]
    # Bitbucket's clone links are of ssh, too.
    urls = [url for url in _texts(found) if re.match("https?://", url, re.IGNORECASE)]
    names = [
        _get(payload, "repository", "full_name"),
        _get(payload, "project", "path_with_namespace"),
    ]
    # Data Center tells a project's key and a slug, of which the path of its clone URL is made, but
    # not each version tells the URL.
    key_and_slug = [
        *_texts([_get(payload, "repository", "project", "key")]),
        *_texts([_get(payload, "repository", "slug")]),
    ]
    if len(key_and_slug) == 2:
        names.append("/".join(key_and_slug))
    branches = [
        _get(payload, "repository", "default_branch"),
        _get(payload, "project", "default_branch"),
        _get(payload, "repository", "mainbranch", "name"),
    ]
    return PushPayload(
        urls, list(_texts(names)), next(_texts(branches), None), list(_read_changes(payload))
    )


def _read_changes(payload: dict[str, Any]) -> Iterator[RefChange]:
    if isinstance(ref := payload.get("ref"), str):  # GitHub, GitLab, Gitea
        after, before = payload.get("after"), payload.get("before")
        is_deleted = payload.get("deleted") is True or _is_zeros(after)
        yield RefChange(ref, is_deleted, _commit(after), _commit(before))
    for change in _list(_get(payload, "push", "changes")):  # Bitbucket Cloud
        new, old = _get(change, "new"), _get(change, "old")
        named = new or old
        kind = "tags" if _get(named, "type") in {"tag", "annotated_tag"} else "heads"
        yield RefChange(
            f"refs/{kind}/{_get(named, 'name')}",
            new is None,
            _commit(_get(new, "target", "hash")),
            _commit(_get(old, "target", "hash")),
        )
    for change in _list(payload.get("changes")):
        if isinstance(ref := _get(change, "ref"), str):  # GitLab's repository_update
            after, before = _get(change, "after"), _get(change, "before")
            yield RefChange(ref, _is_zeros(after), _commit(after), _commit(before))
        elif isinstance(ref := _get(change, "ref", "id"), str):  # Bitbucket Data Center
            after, before = _get(change, "toHash"), _get(change, "fromHash")
            is_deleted = _get(change, "type") == "DELETE" or _is_zeros(after)
            yield RefChange(ref, is_deleted, _commit(after), _commit(before))


def _get(value: object, *names: str) -> object:
    """Return the member of nested objects that the names lead to, or None."""
    for name in names:
        if not isinstance(value, dict):
            return None
        value = value.get(name)  # pyright: ignore[reportUnknownVariableType]
    return value  # pyright: ignore[reportUnknownVariableType]


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else []  # pyright: ignore[reportUnknownVariableType]


def _texts(values: list[object]) -> Iterator[str]:
    return (value for value in values if isinstance(value, str) and value)


def _commit(value: object) -> str | None:
    is_commit = isinstance(value, str) and OBJECT_ID.fullmatch(value) and not _is_zeros(value)
    return value if is_commit and isinstance(value, str) else None


def _is_zeros(value: object) -> bool:
    return isinstance(value, str) and ZEROS.fullmatch(value) is not None


def _normalise(url: str) -> tuple[str, str]:
    """Return the host and the path of a repository's URL, by which two URLs are compared.

    Without the scheme and the port, which a proxy in front of the host can change, and in lower
    case: on most hosts two repositories cannot differ in the case alone.
    """
    try:
        parts = urlsplit(url)
        host = (parts.hostname or "").removeprefix("www.")
    except ValueError:
        return "", url
    return host, unquote(parts.path).strip("/").lower().removesuffix(".git")
