"""The router: finds a route by the segments of the path, however many routes there are."""

from __future__ import annotations

import inspect
from functools import cached_property
from typing import TYPE_CHECKING, cast

from starlette.requests import Request
from starlette.routing import Route, Router

from service.problems import Problem
from service.web.references import MAX_SLASHES

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send


class _Node:
    """What can follow some segments: the path's end, literal segments, a parameter, or the rest."""

    def __init__(self) -> None:
        self.routes: dict[str, Route] = {}  # of the path that ends here, by method
        self.literals: dict[str, _Node] = {}
        self.parameter: _Node | None = None
        self.rest: _Node | None = None


class SegmentRouter(Router):
    """Starlette's router without its regular expressions, which it tries one after another.

    Every route is a Route whose endpoint is an async function or an ASGI application. A parameter
    is one whole segment, without a converter, or at the end of a route all segments that are left,
    one at least: `{path:path}`. A literal segment beside it comes first, and is final: with `/a/b`
    and `/a/{x}/c` nothing is at `/a/b/c`. Nothing is at a path of more than MAX_SLASHES. The first
    request fixes the routes.
    """

    @cached_property
    def _root(self) -> _Node:
        root = _Node()
        for route in cast("list[Route]", self.routes):
            node = root
            for segment in route.path[1:].split("/"):
                if segment.endswith(":path}"):
                    node.rest = node = node.rest or _Node()
                elif segment.startswith("{"):
                    node.parameter = node = node.parameter or _Node()
                else:
                    node = node.literals.setdefault(segment, _Node())
            for method in route.methods or ():
                node.routes.setdefault(method, route)
        return root

    @cached_property
    def _whole(self) -> dict[str, dict[str, Route]]:
        # The routes without parameters, by path and method.
        paths = {route.path for route in cast("list[Route]", self.routes) if "{" not in route.path}
        return {path: self._find_by_segments(path)[0] for path in paths}

    async def not_found(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Raise the Problem `not_found`. This is Starlette's `default`."""
        raise Problem("not_found", "There is nothing at this path.")

    async def app(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Call the endpoint of the path and the method; for an unknown path call `default`.

        Raises the Problem `method_not_allowed` for a method that the path does not have.
        """
        if scope["type"] != "http":
            await super().app(scope, receive, send)
            return
        routes, values = self._find(scope["path"])
        if not routes:
            await self.default(scope, receive, send)
            return
        method = scope["method"]
        # Metrics and log lines have the route's path, whatever the method.
        scope["route"] = route = routes.get(method) or next(iter(routes.values()))
        if method not in routes:
            allowed = ", ".join(sorted(routes))
            detail = f"This path has no {method[:20]}; it has {allowed}."
            raise Problem("method_not_allowed", detail, headers={"Allow": allowed})
        scope["path_params"] = dict(zip(route.param_convertors, values, strict=True))
        if inspect.isfunction(route.endpoint):
            response = await route.endpoint(Request(scope, receive, send))
            await response(scope, receive, send)
        else:
            await route.endpoint(scope, receive, send)

    def find_template(self, path: str, method: str) -> str | None:
        """Return the path of the route, such as `/a/{x}`, for a path and any method, or None."""
        routes, _ = self._find(path)
        return (routes.get(method) or next(iter(routes.values()))).path if routes else None

    def _find(self, path: str) -> tuple[dict[str, Route], list[str]]:
        """Return the routes of a path by method, none for an unknown path; and its parameters."""
        if path in self._whole:  # most requests are for health
            return self._whole[path], []
        return self._find_by_segments(path)

    def _find_by_segments(self, path: str) -> tuple[dict[str, Route], list[str]]:
        first, *segments = path.split("/")
        # Such as `*` and `*api`: only what begins with a slash is a path.
        if first or len(segments) > MAX_SLASHES:
            return {}, []
        node, values = self._root, list[str]()
        for position, segment in enumerate(segments):
            found = node.literals.get(segment)
            if found is None and segment:
                if node.rest is not None:
                    return node.rest.routes, [*values, "/".join(segments[position:])]
                found = node.parameter
                values.append(segment)
            if found is None:
                return {}, []
            node = found
        return node.routes, values
