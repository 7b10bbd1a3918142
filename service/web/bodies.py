"""JSON bodies: base schemas, strict parsing of requests, and responses."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, ClassVar, Final, NoReturn, TypeVar, cast

from marshmallow import EXCLUDE, Schema, ValidationError, fields, validate
from starlette.responses import Response

from service.characters import CONTROL_OR_LINE_END, DIRECTION, UNSTORABLE, is_visible, trim
from service.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from starlette.requests import Request

T = TypeVar("T")

# Bytes of a body that is parsed at once: most are smaller. More are parsed in a thread.
PARSED_AT_ONCE: Final = 64 * 1024

JSON_TYPE: Final = re.compile(r"application/(json|[\w.+-]+\+json)", re.IGNORECASE)

UNSUPPORTED: Final = "Send JSON, with the header Content-Type: application/json."
NAME_RULE: Final = (
    "One line, with a character that can be seen. White space and invisible characters at its ends "
    "are dropped. Control characters are refused, and so are those that change the direction of "
    "text (U+202A to U+202E, U+2066 to U+206F)."
)
NOT_A_UUID: Final = "is not a UUID."


class ExactSchema(Schema):
    """The schema of a response, which has exactly these fields: tests hold the service to that.

    The OpenAPI document allows others, so that clients generated from it accept the fields of later
    versions: some generators refuse what `additionalProperties: false` excludes.
    """

    class Meta:
        """Options of marshmallow, which apispec reads, too."""

        unknown = EXCLUDE


class UnionSchema(Schema):
    """One of several schemas, by the value of their field `discriminator`: for responses only."""

    discriminator: ClassVar[str]
    variants: ClassVar[Mapping[str, type[Schema]]]


class InputSchema(Schema):
    """The schema of a request. Unknown fields are ignored: front ends send whole objects."""

    class Meta:
        """Options of marshmallow."""

        unknown = EXCLUDE


class Text(fields.String):
    """A text of `shortest` to `longest` characters, trimmed.

    Where `is_name`, it is one line that a reader sees as it is: control characters, line ends and
    characters that change the direction of text are refused, and so are texts that cannot be seen.
    Descriptions are not names, nor are folders and branches, which are as git has them.
    """

    # The problem's detail puts the field's name before each: see invalid().
    default_error_messages: ClassVar[dict[str, str]] = {
        "required": "is required.",
        "null": "must not be null.",
        "invalid": "must be a string.",
    }

    def __init__(
        self, *, shortest: int = 0, longest: int, is_name: bool = False, **options: Any
    ) -> None:
        metadata = dict(options.pop("metadata", {}))
        if shortest:
            metadata.setdefault("pattern", r"\S")
        if is_name:
            metadata.setdefault("description", NAME_RULE)
        super().__init__(
            validate=validate.Length(shortest, longest, error=_length_error(shortest, longest)),
            metadata=metadata,
            **options,
        )
        self._is_name = is_name
        self._longest = longest

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **options: Any
    ) -> str:
        whole = super()._deserialize(value, attr, data, **options)
        text = trim(whole) if self._is_name else whole.strip()
        if UNSTORABLE.search(text):
            raise ValidationError("must not hold NUL or half a character.")
        # A longer text is refused for its length; here it would cost a second for each megabyte.
        if self._is_name and len(text) <= self._longest:
            _check_name(whole.strip(), text)
        return text


def _check_name(whole: str, trimmed: str) -> None:
    """Raise ValidationError for a name that shows nothing, or something else than it is."""
    if CONTROL_OR_LINE_END.search(trimmed):
        raise ValidationError("must not hold control characters.")
    if DIRECTION.search(trimmed):
        raise ValidationError(
            "must not hold characters that change the direction of text "
            "(U+202A to U+202E, U+2066 to U+206F)."
        )
    if whole and not is_visible(trimmed):
        raise ValidationError("must have a character that can be seen.")


def _length_error(shortest: int, longest: int) -> str:
    if shortest:
        return f"must have {shortest} to {longest} characters."
    return f"must have at most {longest} characters."


async def read_json(request: Request[Any], schema: Schema) -> dict[str, Any]:
    """Return the body as `schema` loads it.

    Raises the Problem `unsupported` for a media type other than JSON: a browser sends some of those
    across origins without a preflight, JSON never. Raises `invalid` for a body that is not JSON
    (RFC 8259), or does not fit the schema: then with the errors of each field.
    """
    check_json_type(request)
    body = await read_parsed(request, parse_object)
    try:
        return cast("dict[str, Any]", schema.load(body))
    except ValidationError as error:
        raise invalid(cast("dict[str, list[str]]", error.normalized_messages())) from None


async def read_parsed(request: Request[Any], parse: Callable[[bytes], T]) -> T:
    """Return what `parse` makes of the body; raises what it raises.

    A megabyte of small values takes a tenth of a second. So large bodies are parsed in a thread,
    one after the other, and other requests get their turn between them.
    """
    body = await request.body()
    if len(body) <= PARSED_AT_ONCE:
        return parse(body)
    return await request.state["large_bodies"].run(parse, body)


def check_json_type(request: Request[Any]) -> None:
    """Raise the Problem `unsupported` for a body that is not sent as JSON: see read_json."""
    media_type = request.headers.get("content-type", "").partition(";")[0].strip()
    if not JSON_TYPE.fullmatch(media_type):
        raise Problem("unsupported", UNSUPPORTED)


def parse_object(body: bytes) -> dict[str, Any]:
    """Return the body, a JSON object; raise the Problem `invalid` for anything else."""
    parsed = parse_json(body)
    if not isinstance(parsed, dict):
        raise Problem("invalid", "The body must be a JSON object.")
    return cast("dict[str, Any]", parsed)


def parse_json(body: bytes) -> object:
    """Return the value of the body, which is JSON (RFC 8259), or raise the Problem `invalid`.

    Also for what parsers read differently: a name twice in an object, and numbers of thousands of
    digits. Strings may hold half a character, as JSON can escape it.
    """
    try:
        return json.loads(
            body.decode(), object_pairs_hook=_refuse_duplicates, parse_constant=_refuse_constant
        )
    except UnicodeDecodeError:
        raise Problem("invalid", "The body is not valid UTF-8.") from None
    except json.JSONDecodeError as error:
        detail = f"The body is not JSON: {error.msg}, at character {error.pos + 1}."
        raise Problem("invalid", detail) from None
    except RecursionError:
        raise Problem("invalid", "The body is nested too deeply.") from None
    except ValueError:  # a number of thousands of digits
        raise Problem("invalid", "A number in the body is too long.") from None


def invalid(errors: Mapping[str, list[str]]) -> Problem:
    """Return a Problem with the errors of each field, which its detail repeats."""
    detail = " ".join(f"{name}: {text}" for name, texts in errors.items() for text in texts)
    return Problem("invalid", detail, errors=errors)


def _refuse_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    # Parsers disagree on which of two equal names counts (RFC 8259, section 4).
    members = dict(pairs)
    if len(members) != len(pairs):
        raise Problem("invalid", "The body has a name twice in one object.")
    return members


def _refuse_constant(name: str) -> NoReturn:
    raise Problem("invalid", f"The body is not JSON: {name} is no number there.")


def json_response(
    body: str | bytes, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """Return a response with `body`, which is JSON: by orjson, or by PostgreSQL in a query."""
    return Response(
        body,
        status_code=status,
        headers={"Cache-Control": "no-store", **(headers or {})},
        media_type="application/json",
    )
