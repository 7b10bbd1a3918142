"""The documentation of one route, from its `@operation`, name, docstring and path."""

from __future__ import annotations

import inspect
import re
import sys
from dataclasses import dataclass, field
from itertools import pairwise
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Literal, NamedTuple, TypeAlias, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from marshmallow import Schema
    from starlette.routing import Route

    from service.problems import Code

    Parameter: TypeAlias = Mapping[str, object]

Endpoint = TypeVar("Endpoint", bound="Callable[..., object]")

# `python -OO` removes them.
HAS_DOCSTRINGS: Final = sys.flags.optimize < 2
NO_DOCSTRINGS: Final = "python -OO removes the texts of the OpenAPI document"

# The attribute of an endpoint that holds its OperationSpec.
ATTRIBUTE: Final = "operation"


class Resource(NamedTuple):
    """The resource that an id in a path names; `missing` is the detail of the 404."""

    description: str
    example_id: str
    missing: str


class UndocumentedRouteError(Exception):
    """A route lacks a part of its documentation."""


@dataclass(frozen=True, kw_only=True)
class ResponseSpec:
    """One response of an operation.

    Without `schema` it has no body. `others` are examples of the texts that it has as other media
    types, by these. `parameters` are the request parameters that lead to it.
    """

    description: str
    schema: type[Schema] | Mapping[str, object] | None = None
    media_type: str = "application/json"
    examples: Mapping[str, object] = field(default_factory=dict[str, object])
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    others: Mapping[str, str] = field(default_factory=dict[str, str])
    parameters: tuple[Parameter, ...] = ()


@dataclass(frozen=True, kw_only=True)
class BodySpec:
    """The body of a request.

    With `is_partial` no field of the schema is required. A body of another media type than JSON is
    refused with 415, except where `is_any_type`.
    """

    schema: type[Schema]
    examples: Mapping[str, object]
    is_partial: bool = False
    is_any_type: bool = False


@dataclass(frozen=True, kw_only=True)
class OperationSpec:
    """The part of a route's documentation that its name, docstring and path do not give.

    `problems` maps a code to the detail of its example. Ids in the path and a body add their codes
    by themselves; `problems` can replace the details of those. With `has_head` the document lists
    HEAD, too.
    """

    tag: str
    responses: Mapping[int, ResponseSpec]
    parameters: tuple[Parameter, ...] = ()
    body: BodySpec | None = None
    problems: Mapping[Code, str] = field(default_factory=dict["Code", str])
    has_head: bool = False

    def __call__(self, endpoint: Endpoint) -> Endpoint:
        """Attach this OperationSpec to a function, or to a class whose instance is the endpoint."""
        setattr(endpoint, ATTRIBUTE, self)
        return endpoint


# The decorator of a route.
operation = OperationSpec


def parameter(
    name: str,
    place: Literal["path", "query", "header"],
    description: str,
    schema: Mapping[str, object] = MappingProxyType({"type": "string"}),
    *,
    is_required: bool = False,
    example: str | None = None,
) -> Parameter:
    """Return the documentation of a parameter in the path, the query or a header."""
    required = {"required": True} if is_required else {}
    examples = {} if example is None else {"example": example}
    return {
        "name": name,
        "in": place,
        **required,
        "description": description,
        "schema": {**schema},
        **examples,
    }


def find_spec(route: Route) -> OperationSpec:
    """Return the OperationSpec of a route; raise UndocumentedRouteError if it has none."""
    spec = getattr(route.endpoint, ATTRIBUTE, None)
    if not isinstance(spec, OperationSpec):
        raise UndocumentedRouteError(f"{route.path}: {route.name} has no @operation")
    return spec


def derive_operation_id(route: Route) -> str:
    """Return the name of the endpoint, a function or a class, in the form `listProjects`."""
    name: str = getattr(route.endpoint, "__name__", type(route.endpoint).__name__)
    first, *others = name.split("_")
    return first[0].lower() + first[1:] + "".join(word.capitalize() for word in others)


def derive_texts(route: Route) -> tuple[str, str]:
    """Return summary and description: the docstring's first paragraph, and the others.

    The only paragraph of a docstring is the description, too. Raises UndocumentedRouteError for a
    route without a docstring; without docstrings at all, returns the operation's id.
    """
    # Python 3.13 does what cleandoc does; those before leave the docstring indented.
    docstring = inspect.cleandoc(route.endpoint.__doc__ or "")
    if not docstring and not HAS_DOCSTRINGS:
        docstring = derive_operation_id(route)
    if not docstring:
        raise UndocumentedRouteError(f"{route.path}: {route.name} has no docstring")
    first, *others = (lines.replace("\n", " ") for lines in re.split(r"\n{2,}", docstring))
    return first.removesuffix("."), "\n\n".join(others) or first


def derive_ids(route: Route, resources: Mapping[str, Resource]) -> dict[str, Resource]:
    """Return the resource of each id in the path, by the id's name, in path order.

    The segment before an id names its resource, as in `/projects/{project_id}`. A parameter that
    `@operation` documents itself is left out. Raises UndocumentedRouteError for an unknown
    resource.
    """
    documented = {own["name"] for own in find_spec(route).parameters}
    found: dict[str, Resource] = {}
    for before, segment in pairwise(route.path_format.split("/")):
        name = segment.strip("{}")
        if name == segment or name in documented:
            continue
        if before not in resources:
            raise UndocumentedRouteError(f"{route.path}: {before!r}, before {name}, is no resource")
        found[name] = resources[before]
    return found
