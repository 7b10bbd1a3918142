"""Errors as clients see them (RFC 9457): one class, and a table of status codes."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Final, Literal

Code = Literal[
    "invalid",
    "unauthorized",
    "forbidden",
    "not_found",
    "method_not_allowed",
    "timeout",
    "conflict",
    "too_large",
    "unsupported",
    "misdirected",
    "internal",
    "unavailable",
]

STATUS: Final[Mapping[Code, HTTPStatus]] = {
    "invalid": HTTPStatus.BAD_REQUEST,
    "unauthorized": HTTPStatus.UNAUTHORIZED,
    "forbidden": HTTPStatus.FORBIDDEN,
    "not_found": HTTPStatus.NOT_FOUND,
    "method_not_allowed": HTTPStatus.METHOD_NOT_ALLOWED,
    "timeout": HTTPStatus.REQUEST_TIMEOUT,
    "conflict": HTTPStatus.CONFLICT,
    "too_large": HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    "unsupported": HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    "misdirected": HTTPStatus.MISDIRECTED_REQUEST,
    "internal": HTTPStatus.INTERNAL_SERVER_ERROR,
    "unavailable": HTTPStatus.SERVICE_UNAVAILABLE,
}

RETRY_AFTER_SECONDS: Final = 5


class Problem(Exception):
    """An error for the client: `raise Problem("not_found", "There is no such project.")`.

    `detail` is a sentence for people. Clients receive it unchanged, so it must hold nothing
    internal. `errors` has the errors of each field of a request. A 503 gets a `Retry-After`.
    """

    def __init__(
        self,
        code: Code,
        detail: str,
        *,
        errors: Mapping[str, list[str]] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = STATUS[code]
        self.detail = detail
        self.errors = errors
        self.headers = dict(headers or {})
        if self.status is HTTPStatus.SERVICE_UNAVAILABLE:
            self.headers.setdefault("Retry-After", str(RETRY_AFTER_SECONDS))
