"""The rank of sections: what comes first, and why."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.documents.parts import make_parts
from service.documents.sections import read_document
from service.search.query import parse_query
from service.search.rank import PartRank, rank_part
from service.search.ranking import Candidate, Found, SectionPlace, rank_documents

if TYPE_CHECKING:
    from collections.abc import Sequence

    from service.search.query import Query

FILLER = "Some other words that fill a section and say nothing else of interest. "


def rank(query: str, text: str, path: str = "docs/x.md") -> PartRank:
    """Return the rank of a document of one part."""
    metadata, sections = read_document(text, "md", path)
    [part] = make_parts(metadata, sections, path)
    return rank_part(parse_query(query), part.tokens)


def candidates(documents: dict[str, str]) -> list[Candidate]:
    """Return the parts of documents by their paths; the n-th has the id n."""
    found: list[Candidate] = []
    for number, (path, text) in enumerate(documents.items()):
        metadata, sections = read_document(text, "md", path)
        found += [
            Candidate(UUID(int=number), place, part.tokens, part.headings)
            for place, part in enumerate(make_parts(metadata, sections, path))
        ]
    return found


def ranked(query: Query, parts: Sequence[Candidate]) -> list[Found]:
    return asyncio.run(rank_documents(query, parts))


def order(query: str, *texts: str, **options: Any) -> list[int]:
    """Return the numbers of the texts, in the order in which a search finds them."""
    documents = {f"docs/{number}.md": text for number, text in enumerate(texts)}
    # The order does not depend on that of the database.
    parts = [*reversed(candidates(documents))]
    found = ranked(parse_query(query, **options), parts)
    return [each.document_id.int for each in found]


# --- where a word is


def test_a_title_comes_before_headings_and_headings_before_text() -> None:
    body = f"{FILLER}\n\n"
    title = f"# Refunds\n\n{body}## Other\n\n{body}"
    heading = f"# Other\n\n{body}## Refunds\n\n{body}"
    text = f"# Other\n\n{body}## More\n\nRefunds. {body}"
    assert order("refunds", text, heading, title) == [2, 1, 0]
    assert order("refund", text, heading, title) == [2, 1, 0]


def test_a_title_in_front_matter_counts_as_one() -> None:
    text = f"## Other\n\nRefunds. {FILLER}\n"
    assert order("refunds", text, f"---\ntitle: Refunds\n---\n## Other\n\n{FILLER}\n") == [1, 0]


def test_a_title_in_front_matter_is_the_heading_of_the_text_below_it() -> None:
    section = f"## Limits of a refund\n\nThe limits of one refund. {FILLER}\n"
    text = f"---\ntitle: Limits of refunds\n---\n{FILLER}\n\n{section}"
    assert rank("limits of refunds", text).sections[0].line == 1


def test_words_of_a_heading_are_side_by_side_where_only_stop_words_part_them() -> None:
    body = f"\n\nThe macros and the functions. {FILLER}\n\n"
    apart = f"# A\n\n## Functions and more macros{body}"
    side_by_side = f"# A\n\n## Macros and the functions{body}"
    assert order("macros and functions", apart, side_by_side)[0] == 1


def test_stop_words_of_a_heading_are_none_of_its_words() -> None:
    few = f"# A\n\n## Refunds today\n\n{FILLER}\n"
    all_of_it = f"# A\n\n## The refunds and you\n\n{FILLER}\n"
    assert order("refunds", few, all_of_it) == [1, 0]


def test_a_section_under_the_heading_comes_before_one_that_lacks_it() -> None:
    body = f"The limits. {FILLER}\n\n"
    under = f"# Other\n\n## Refunds\n\n### More\n\n{body}"
    beside = f"# Other\n\n## Payments\n\n### More\n\n{body}"
    assert order("refunds limits", beside, under)[0] == 1


def test_a_long_section_does_not_win_by_its_length() -> None:
    short = "# A\n\n## B\n\nThe refund is paid within a day.\n"
    long = "# A\n\n## B\n\n" + f"{FILLER * 20}The refund is paid. " * 4
    assert order("refund", long, short) == [1, 0]


def test_more_occurrences_count_more_but_less_and_less() -> None:
    def score(times: int) -> float:
        words = ["refund"] * times + ["word"] * (100 - times)
        return rank("refund", f"# A\n\n## B\n\n{' '.join(words)}\n").score

    scores = [score(times) for times in (1, 2, 4, 8, 16, 32)]
    assert scores == sorted(scores)
    steps = [after - before for before, after in pairwise(scores)]
    assert steps == sorted(steps, reverse=True)


def test_what_is_written_as_asked_comes_before_other_forms() -> None:
    text = "# A\n\n## B\n\nAll {} here.\n"
    assert order("refunds", text.format("refunding"), text.format("refunds")) == [1, 0]
    heading = "# A\n\n## {}\n\nb\n"
    assert order("refunds", heading.format("Refunding"), heading.format("Refunds")) == [1, 0]


def test_a_whole_identifier_comes_before_its_parts() -> None:
    text = "# A\n\n## B\n\nIt is {} here.\n"
    assert order("create_pool", text.format("create pool"), text.format("create_pool")) == [1, 0]
    heading = "# A\n\n## {}\n\nb\n"
    assert order("FR-12", heading.format("FR 12"), heading.format("FR-12"))[0] == 1


def test_words_side_by_side_come_before_words_apart() -> None:
    apart = "# A\n\n## B\n\nThe limits of what a refund may be.\n"
    beside = "# A\n\n## B\n\nWhat of a refund limits it may be.\n"
    assert order("refund limits", apart, beside) == [1, 0]


def test_a_heading_without_other_words_comes_first() -> None:
    whole = f"# A\n\n## Refunds\n\n{FILLER}\n"
    part = f"# A\n\n## Refunds, payments, and other kinds\n\n{FILLER}\n"
    assert order("refunds", part, whole) == [1, 0]


@pytest.mark.parametrize("times", [1, 5, 100])
@pytest.mark.parametrize("title", ["# {}", "---\ntitle: {}\n---\n"])
def test_one_word_in_a_heading_counts_for_more_than_any_number_in_the_text(
    times: int, title: str
) -> None:
    text = f"# About it\n\n## Other\n\n{'The refund. ' * times}\n"
    heading = "# About it\n\n## The limits of a refund\n\nThese limits.\n"
    titled = f"{title.format('The limits of a refund')}\n\nThese limits.\n"
    assert order("refund", text, heading, titled) == [2, 1, 0]


def test_a_file_is_found_by_its_name_first() -> None:
    documents = {
        "docs/a.md": "# A\n\nSee the epic payments, as in epic-payments.md.\n",
        "docs/epic-payments.md": "# B\n\nb\n",
    }
    for query in ("epic-payments.md", "epic-payments", "docs/epic-payments.md"):
        found = ranked(parse_query(query), candidates(documents))
        assert found[0].document_id.int == 1


# --- how many of the words


@pytest.mark.parametrize(
    ("query", "all_of_them"),
    [
        ("refund limits", "The limits of a refund."),
        ("refund limits card", "A card has limits of a refund."),
        ("refund limits card euro", "In euro a card has limits of a refund."),
    ],
)
def test_all_words_come_before_all_but_one(query: str, all_of_them: str) -> None:
    has_all = f"# A\n\n## B\n\n{FILLER} {all_of_them}\n"
    first, *others = query.split()
    # Without the first word, but with all others in title, heading and text.
    words = " ".join(others)
    lacks_one = f"# {words}\n\n## {words}\n\n{' '.join([words] * 10)}\n"
    assert order(query, lacks_one, has_all) == [1, 0]
    assert rank(query, has_all).has_all
    assert not rank(query, lacks_one).has_all
    assert first not in lacks_one


@pytest.mark.parametrize("count", range(1, 9))
def test_words_above_a_section_count_as_its_own(count: int) -> None:
    words = ["alpha", "beta", "gamma", "delta", "epsilon", "zeta", "theta", "kappa"]
    query = " ".join([*words[:count], "refund"])
    assert rank(query, f"# {' '.join(words)}\n\n## B\n\nThe refund.\n").has_all
    assert rank(query, f"# A\n\n## {' '.join(words)}\n\n### B\n\nThe refund.\n").has_all
    assert not rank(f"{query} limits", f"# {' '.join(words)}\n\n## B\n\nThe refund.\n").has_all


def test_words_in_one_section_come_before_words_in_several() -> None:
    one = f"# A\n\n## B\n\nThe refund has limits. {FILLER}\n"
    several = f"# A\n\n## B\n\nThe refund. {FILLER}\n\n## C\n\nThe limits. {FILLER}\n"
    assert order("refund limits", several, one) == [1, 0]
    assert not rank("refund limits", several).has_all


def test_words_far_apart_count_for_less_and_more_than_those_without_one() -> None:
    near = "# A\n\n## B\n\n" + f"The refund. The limits. {FILLER * 12}\n"
    far = "# A\n\n## B\n\n" + f"The refund, the refund. {FILLER * 90} The limits, the limits.\n"
    without = "# Refund\n\n## The refund\n\nThe refund.\n"
    assert rank("refund limits", far).score < rank("refund limits", without).score
    assert order("refund limits", without, far, near) == [2, 1, 0]


def test_a_word_that_only_asks_may_lack_and_counts_where_it_is() -> None:
    with_it = "# A\n\n## B\n\nThe refund of a card works.\n"
    without = "# A\n\n## B\n\nThe refund of a card is.\n"
    question = "how does a refund of a card work?"
    assert rank(question, without).has_all
    assert order(question, without, with_it) == [1, 0]
    assert not rank("refund card work", without).has_all


# --- operators


def test_a_section_with_an_excluded_word_is_not_found() -> None:
    text = "# A\n\n## B\n\nThe refund.\n\n## C\n\nA refund of the card.\n\n## D\n\nRefund!\n"
    assert {each.line for each in rank("refund -card", text).sections} == {2, 4}
    assert order("refund -card", "# A\n\nThe refund of a card.\n") == []
    assert order('refund -"of card"', "# A\n\nThe refund of a card.\n") == [0]
    assert order("refund -a", "# The refund of A\n\nB.\n", "# The refund\n\nB.\n") == [1]


def test_of_several_alternatives_the_best_counts() -> None:
    both = order("refund or limits", "# Limits\n\nb\n", "# A\n\nThe refund.\n", "# A\n\nNo.\n")
    assert both == [0, 1]
    assert order("refund or limits card", "# A\n\nThe limits of a card.\n") == [0]


# --- documents


def test_a_result_has_its_three_best_sections_best_first() -> None:
    text = (
        "# A\n\n## B\n\nOnce refund here.\n\n## Refund\n\nA refund.\n\n## D\n\nNo.\n\n"
        "## E\n\nRefund, refund, refund.\n\n## F\n\nA refund there.\n"
    )
    [found] = ranked(parse_query("refund"), candidates({"docs/x.md": text}))
    assert [place.line for place in found.sections][:2] == [3, 5]
    assert len(found.sections) == 3


def test_of_the_pieces_of_a_long_section_the_best_is_shown() -> None:
    text = "# A\n\n" + f"The refund. {FILLER * 200}" + "Refund, refund, refund."
    metadata, sections = read_document(text, "md", "docs/x.md")
    assert len(sections) > 1
    assert {section.heading for section in sections} == {0}
    [found] = ranked(parse_query("refund"), candidates({"docs/x.md": text}))
    assert len(found.sections) == 1
    assert metadata["title"] == "A"


@pytest.mark.parametrize("query", ["refund", "x", "docs/x", "x.md", "docs/x.md refund"])
@pytest.mark.parametrize("text", ["# Refund\n\n{}", "## A\n\n{}\n\n## B\n\n{}", "{}"])
def test_title_and_path_are_shown_once_of_a_document_in_several_parts(
    query: str, text: str
) -> None:
    parts = candidates({"docs/x.md": text.format(FILLER * 900, "A refund. " * 3_000)})
    assert len(parts) > 2
    for found in ranked(parse_query(query), parts):
        assert sum(place.line == 0 for place in found.sections) <= 1


def test_a_document_is_found_once_with_the_best_of_its_parts() -> None:
    text = "# A\n\n" + "".join(
        f"## H{number}\n\n{'word ' * 1_500} {'refund ' * (number == 12)}\n\n"
        for number in range(15)
    )
    parts = candidates({"docs/x.md": text})
    assert len(parts) > 2
    [found] = ranked(parse_query("refund"), parts)
    [place] = found.sections
    assert parts[place.number].headings[place.line].endswith("13")


def test_a_text_without_a_heading_is_shown_beside_any_section() -> None:
    [part] = candidates({"docs/x.md": "The refund.\n\n# A\n\n## B\n\nThe refund.\n"})
    assert part.headings == ["", "", "0", "0 1"]
    [found] = ranked(parse_query("refund"), [part])
    assert sorted(found.sections) == [SectionPlace(0, 1), SectionPlace(0, 3)]


def test_documents_of_one_score_have_the_order_of_their_ids() -> None:
    text = "# A\n\nThe refund.\n"
    assert order("refund", text, text, text) == [0, 1, 2]


texts = st.lists(
    st.sampled_from(["refund", "limits", "card", "the", "# B\n\n", "## refund\n\n", "\n\n", "x"]),
    max_size=30,
).map(" ".join)


@settings(deadline=None, max_examples=100)
@given(
    query=st.lists(
        st.sampled_from(["refund", "limits", "card", "or", "-x", '"refund limits"', "the"]),
        min_size=1,
        max_size=6,
    ).map(" ".join),
    documents=st.lists(texts, max_size=6),
    seed=st.randoms(use_true_random=False),
)
def test_the_order_is_total(query: str, documents: list[str], seed: Any) -> None:
    parts = candidates({f"docs/{number}.md": text for number, text in enumerate(documents)})
    parsed = parse_query(query)
    if not parsed.alternatives:
        return
    found = ranked(parsed, parts)
    seed.shuffle(parts)
    assert ranked(parsed, parts) == found
    keys = [(not each.has_all, -each.score, each.document_id) for each in found]
    assert keys == sorted(set(keys))
    assert all(each.sections and each.score >= 0 for each in found)
    for each in found:
        assert_places_exist(each, parts)


def assert_places_exist(found: Found, parts: list[Candidate]) -> None:
    lines = {
        SectionPlace(part.number, line)
        for part in parts
        if part.document_id == found.document_id
        for line in range(len(part.headings))
    }
    assert set(found.sections) <= lines
    assert len(set(found.sections)) == len(found.sections) <= 3
