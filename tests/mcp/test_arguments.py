"""What is said of arguments that do not fit a tool's schema."""

from __future__ import annotations

from difflib import get_close_matches
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.mcp.arguments import MAX_ECHO, MAX_FAULTS, check_arguments
from service.mcp.tool import ToolError

SCHEMA: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {
        "query": {"type": "string", "minLength": 1, "maxLength": 256},
        "project": {"type": "string"},
        "kind": {"type": "string", "enum": ["story", "epic", "prd", "user_story"]},
        "limit": {"type": "integer", "minimum": 1, "maximum": 50},
        "exact": {"type": "boolean"},
    },
    "required": ["query"],
    "additionalProperties": False,
}

FAULTS: Final[list[tuple[dict[str, Any], str]]] = [
    ({"limit": 99}, "limit must be an integer from 1 to 50, not 99."),
    ({"limit": "99"}, "limit must be an integer from 1 to 50, not 99."),
    ({"limit": "5.5"}, 'limit must be an integer from 1 to 50, not "5.5".'),
    ({"limit": "5" * 10}, 'limit must be an integer from 1 to 50, not "5555555555".'),
    ({"project": True}, "project must be a string, not true."),
    ({"project": 1.5}, "project must be a string, not 1.5."),
    ({"project": 10**9}, "project must be a string, not 1000000000."),
    ({"limit": True}, "limit must be an integer from 1 to 50, not true."),
    ({"limit": float("inf")}, "limit must be an integer from 1 to 50, not Infinity."),
    ({"limit": [[]]}, "limit must be an integer from 1 to 50, not an array."),
    ({"exact": "yes"}, 'exact must be true or false, not "yes".'),
    ({"project": {}}, "project must be a string, not an object."),
    ({"project": "\ud800"}, "project must not hold NUL or half a character."),
    (
        {"kind": "Storys"},
        (
            'kind must be one of "story", "epic", "prd", "user_story", not "Storys". '
            'Did you mean "story"?'
        ),
    ),
    ({"query": ""}, 'query must be a string of 1 to 256 characters, not "".'),
    (
        {"query": "x" * 257},
        "query must be a string of 1 to 256 characters, not a text of 257 characters.",
    ),
    ({"query": None}, "query must be a string of 1 to 256 characters, not null."),
    (
        {"projct": "a"},
        (
            'There is no argument "projct": did you mean project? '
            "The arguments are query, project, kind, limit, exact."
        ),
    ),
]


def find_faults(**arguments: Any) -> str:
    with pytest.raises(ToolError) as caught:
        check_arguments(SCHEMA, arguments)
    return str(caught.value).removeprefix("The arguments do not fit. ")


def test_arguments_that_fit_are_returned() -> None:
    arguments = {"query": "refunds", "kind": "story", "limit": 5, "exact": True}
    assert check_arguments(SCHEMA, arguments) == arguments


def test_an_optional_argument_that_is_null_counts_as_not_given() -> None:
    assert check_arguments(SCHEMA, {"query": "refunds", "project": None}) == {"query": "refunds"}


@pytest.mark.parametrize("limit", [5, 5.0, "5", "05"])
def test_an_integer_may_be_written_as_a_string_or_with_a_fraction_of_zero(limit: object) -> None:
    checked = check_arguments(SCHEMA, {"query": "refunds", "limit": limit})
    assert checked["limit"] == 5
    assert type(checked["limit"]) is int


def test_a_string_may_be_written_as_an_integer() -> None:
    assert check_arguments(SCHEMA, {"query": 22, "project": -1}) == {"query": "22", "project": "-1"}


@pytest.mark.parametrize("kind", ["user_story", "User story", "USER-STORY", " user  story "])
def test_a_word_of_an_enum_may_be_in_any_case_and_with_blanks(kind: str) -> None:
    assert check_arguments(SCHEMA, {"query": "x", "kind": kind})["kind"] == "user_story"


@pytest.mark.parametrize(("wrong", "said"), FAULTS)
def test_a_fault_names_the_argument_what_it_must_be_and_what_was_given(
    wrong: dict[str, Any], said: str
) -> None:
    assert find_faults(**{"query": "refunds"} | wrong) == said


def test_a_missing_argument_is_named() -> None:
    assert find_faults() == "query is missing: a string of 1 to 256 characters."


def test_all_faults_are_said_at_once() -> None:
    assert find_faults(limit=0, kind=3).count(".") == 3


@given(
    st.dictionaries(
        st.text(max_size=500) | st.sampled_from([*SCHEMA["properties"]]),
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=500),
        max_size=30,
    )
)
def test_a_text_about_any_arguments_is_bounded(arguments: dict[str, Any]) -> None:
    try:
        check_arguments(SCHEMA, arguments)
    except ToolError as error:
        assert len(str(error)) < 9 * (120 + 6 * MAX_ECHO)


def test_of_thousands_of_unknown_arguments_a_few_are_compared_with_those_of_the_tool(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    compared: list[str] = []

    def count(name: str, names: list[str], n: int) -> list[str]:
        compared.append(name)
        return get_close_matches(name, names, n)

    monkeypatch.setattr("difflib.get_close_matches", count)
    with pytest.raises(ToolError, match=f"And {1_000 + 1 - MAX_FAULTS} more faults"):
        check_arguments(SCHEMA, {f"querry{number}": 1 for number in range(1_000)})
    assert 0 < len(compared) <= MAX_FAULTS
