"""JSON-RPC bodies, headers and arguments of tools, right and wrong ones: the answers are valid."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from service.mcp.methods import METHODS
from service.mcp.tools import TOOLS
from tests.support.agents import (
    FILES,
    META,
    NEWEST,
    VERSIONS,
    Agents,
    agents_hub,
    example_arguments,
    make_request,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import httpx
    from hypothesis.strategies import SearchStrategy

    from service.mcp.tool import Tool
    from tests.support.postgres import Postgres

fuzz = settings(
    max_examples=300,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],  # a failure shows what was sent
    suppress_health_check=[
        HealthCheck.function_scoped_fixture,
        HealthCheck.too_slow,
        HealthCheck.data_too_large,
    ],
)


@pytest.fixture(scope="module")
def agents(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Agents]:
    database = postgres.create_database(template="migrated")
    with agents_hub(database, tmp_path_factory.mktemp("fuzzed")) as agents:
        yield agents


# --- values

# With NUL, half a character, and what documents, paths, ids and cursors look like.
texts = st.one_of(
    st.text(st.characters(exclude_categories=()), max_size=30),
    st.sampled_from(
        [
            *FILES,
            *(
                "",
                " ",
                "\0",
                "\ud800",
                "Payments",
                "refund",
                '"',
                "-",
                "or",
                "%",
                "../..",
                "x" * 3000,
            ),
            *(
                "6f1c2f0e-58b5-4f6e-9d7f-0b8a8f3d9a11",
                "WzEsMl0=",
                "#refunds",
                "story",
                "done",
                "1.1",
            ),
            *("bmadflow://documents/1", "bmadflow://projects/Payments/files/docs/prd.md"),
        ]
    ),
)
numbers = st.one_of(
    st.integers(),
    st.sampled_from([0, -1, 1, 50, 2**31, 2**63, 10**400, 1.5, 1e308, 5.0]),
)
scalars = st.one_of(st.none(), st.booleans(), numbers, texts)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)


def rarely(usual: SearchStrategy[Any], rare: SearchStrategy[Any]) -> SearchStrategy[Any]:
    return st.integers(0, 5).flatmap(lambda number: usual if number else rare)


# --- messages

ids = rarely(st.integers(-5, 5) | texts, values)
versions = rarely(st.sampled_from(VERSIONS), texts)
names = rarely(st.sampled_from([tool.name for tool in TOOLS]), values)
metas = rarely(
    st.just(META), values | st.fixed_dictionaries({}, optional=dict.fromkeys(META, values))
)
params = rarely(
    st.fixed_dictionaries(
        {},
        optional={
            "name": names,
            "arguments": values | st.dictionaries(texts, values, max_size=4),
            "uri": texts | values,
            "cursor": texts | values,
            "protocolVersion": versions | values,
            "_meta": metas,
        },
    ),
    values,
)
methods = rarely(st.sampled_from([*METHODS, "notifications/initialized"]), values)
messages = st.fixed_dictionaries(
    {"jsonrpc": rarely(st.just("2.0"), values), "method": methods},
    optional={"id": ids, "params": params, "result": values, "error": values},
)
bodies = rarely(messages, values | st.lists(messages, max_size=3))
headers = st.fixed_dictionaries(
    {},
    optional={
        "MCP-Protocol-Version": versions,
        "Mcp-Method": methods,
        "Mcp-Name": names | texts,
        "Mcp-Session-Id": texts,
        "Accept": st.sampled_from(["application/json", "text/event-stream", "*/*", ""]),
        "Origin": st.sampled_from(["http://localhost:3000", "https://evil.example", "null"]),
    },
)


def merge(known: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    return known | other


def arguments_of(tool: Tool) -> SearchStrategy[dict[str, Any]]:
    """Return arguments that mostly fit a tool, some that do not, and names that it has not."""
    properties: Mapping[str, Mapping[str, Any]] = tool.input_schema["properties"]
    fitting = {name: rarely(value_of(schema), values) for name, schema in properties.items()}
    return st.builds(
        merge,
        st.fixed_dictionaries({}, optional=fitting) | st.just(example_arguments(tool)),
        rarely(st.just({}), st.dictionaries(texts, values, max_size=2)),
    )


def value_of(schema: Mapping[str, Any]) -> SearchStrategy[Any]:
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    if schema["type"] == "integer":
        return st.integers(schema.get("minimum", -10), schema.get("maximum", 10**6))
    return st.booleans() if schema["type"] == "boolean" else texts


def check(response: httpx.Response, message: object) -> None:
    """Check that the answer is one of JSON-RPC, or a 202, or a problem; and no 5xx."""
    assert response.status_code < 500, response.text
    if response.status_code == 202:
        assert not response.content
        return
    body = response.json()
    if response.headers["content-type"] == "application/problem+json":
        assert response.status_code == body["status"]
        assert response.status_code in {403, 413, 415}
        return
    assert response.headers["content-type"] == "application/json"
    assert body["jsonrpc"] == "2.0"
    assert ("result" in body) != ("error" in body)
    if "error" in body:
        assert isinstance(body["error"]["code"], int)
        assert 0 < len(body["error"]["message"]) < 1000
    if body["id"] is not None:
        assert isinstance(message, dict)
        assert body["id"] == message["id"]


def is_sendable(value: object) -> bool:
    """Return whether a header can have the value."""
    if not isinstance(value, str) or value != value.strip():
        return False
    return value.isascii() and value.isprintable()


@fuzz
@given(body=bodies, lines=headers)
def test_any_message_gets_a_valid_answer(agents: Agents, body: object, lines: Any) -> None:
    sendable = {name: value for name, value in lines.items() if is_sendable(value)}
    check(agents.post(body, sendable), body)


@fuzz
@given(
    body=st.binary(max_size=200) | bodies.map(lambda body: json.dumps(body).encode()),
    cut=st.floats(0, 1),
)
def test_any_bytes_get_a_valid_answer(agents: Agents, body: bytes, cut: float) -> None:
    content = body[: int(len(body) * cut)]
    response = agents.client.post(
        "/mcp", content=content, headers={"Content-Type": "application/json"}
    )
    try:
        message = json.loads(content)
    except (ValueError, RecursionError):
        message = None
    check(response, message)


@pytest.mark.parametrize("tool", TOOLS, ids=lambda tool: tool.name)
def test_any_arguments_get_a_result(agents: Agents, tool: Tool) -> None:
    outcomes: set[bool] = set()

    @settings(fuzz, max_examples=100)
    @given(arguments=arguments_of(tool), version=st.sampled_from(VERSIONS))
    def call(arguments: dict[str, Any], version: str) -> None:
        message, lines = make_request(
            version, "tools/call", {"name": tool.name, "arguments": arguments}
        )
        response = agents.post(message, lines)
        check(response, message)
        assert response.status_code == 200, response.text
        result = response.json()["result"]
        assert result["content"][0]["text"]
        assert result["isError"] or result["structuredContent"]
        outcomes.add(result["isError"])

    call()
    assert outcomes == {True, False}, "some calls fit, some do not"


@fuzz
@given(uri=texts | values, version=st.sampled_from(VERSIONS))
def test_any_uri_gets_an_answer(agents: Agents, uri: object, version: str) -> None:
    message, lines = make_request(version, "resources/read", {"uri": uri})
    sendable = {name: value for name, value in lines.items() if is_sendable(value)}
    response = agents.post(message, sendable)
    check(response, message)
    if version == NEWEST and isinstance(uri, str) and "Mcp-Name" not in sendable:
        assert response.json()["error"]["code"] == -32020
