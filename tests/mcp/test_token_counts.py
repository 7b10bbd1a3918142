"""How many tokens a text is said to have, and where it is cut."""

from __future__ import annotations

import base64
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service import ROOT
from service.mcp.token_counts import estimate_tokens, find_cut

NOISE = random.Random(1).randbytes(6_000)

# Texts, and the most tokens that Claude's tokenizer of 2023, cl100k_base and o200k_base count for
# 1,000 characters of such texts.
COUNTED = {
    "English": ((ROOT / "README.md").read_text(), 290),
    "code": ((ROOT / "service" / "routes" / "stories.py").read_text(), 248),
    "SQL": ((ROOT / "sql" / "0009_create_story.sql").read_text(), 262),
    "German": ("R\u00fcckerstattungsgrenzen gelten t\u00e4glich f\u00fcr alle Kunden. " * 40, 328),
    "Chinese": ("\u6bcf\u5929\u6700\u591a\u4e94\u767e\u6b27\u5143\u3002" * 200, 1_222),
    "Japanese": ("\u8fd4\u91d1\u306e\u4e0a\u9650\u306f\u4e00\u65e5\u3067\u3059\u3002" * 200, 1_000),
    "Korean": ("\ud658\ubd88 \ud55c\ub3c4\ub294 \ud558\ub8e8 \uc624\ubc31 " * 200, 1_077),
    "Russian": (
        "\u0412\u043e\u0437\u0432\u0440\u0430\u0442 \u0441\u0440\u0435\u0434\u0441\u0442\u0432. "
        * 200,
        530,
    ),
    "Thai": (
        "\u0e04\u0e39\u0e48\u0e21\u0e37\u0e2d\u0e01\u0e32\u0e23\u0e0a\u0e33\u0e23\u0e30 " * 200,
        1_643,
    ),
    "emoji": ("\u2705 \u274c \U0001f680 \U0001f389 \U0001f469\u200d\U0001f4bb " * 200, 1_583),
    "base64": (base64.b64encode(NOISE).decode(), 718),
    "hex": (NOISE.hex(), 578),
}


@pytest.mark.parametrize("kind", COUNTED)
def test_no_real_tokenizer_counts_more_for_writing(kind: str) -> None:
    text, most = COUNTED[kind]
    count = estimate_tokens(text) * 1_000 / len(text)
    assert most <= count <= 2.2 * most


texts = st.text() | st.text(st.sampled_from("aA0 \n\u6f22\U0001f680"))


@given(texts, texts)
def test_lines_together_have_two_more_than_each_for_itself_at_most(one: str, other: str) -> None:
    # One for the line end, and one where both have an odd number of East Asian characters.
    together = estimate_tokens(f"{one}\n{other}")
    assert together <= estimate_tokens(one) + estimate_tokens(other) + 2


@given(
    st.text(st.sampled_from("ab \n\r\t\u200d\u0301\U0001f469\U0001f3fd"), min_size=1),
    st.integers(1, 60),
)
def test_pieces_are_whole_texts_and_end_between_characters(text: str, longest: int) -> None:
    start = 0
    pieces: list[str] = []
    while start < len(text):
        end = find_cut(text, start, len(text), longest)
        assert start < end <= start + longest
        pieces.append(text[start:end])
        start = end
    assert "".join(pieces) == text


@pytest.mark.parametrize(
    ("text", "longest", "piece"),
    [
        ("one\n\ntwo\nthree\n", 10, "one\n\ntwo\n"),
        ("first line\n\nsecond line here", 15, "first line\n\n"),
        ("first line\nsecond line here", 15, "first line\n"),
        ("first second third", 15, "first second "),
        ("abcdefghij", 4, "abcd"),
        ("abc\r\ndef", 4, "abc"),
        ("abe\u0301f", 3, "ab"),
        ("ab\U0001f469\u200d\U0001f4bbc", 4, "ab"),
        ("ab\U0001f44d\U0001f3fdc", 3, "ab"),
        ("whole", 5, "whole"),
        ("e" + "\u0301" * 99, 50, "e" + "\u0301" * 49),
    ],
)
def test_a_cut_is_after_a_paragraph_a_line_a_blank_or_a_character(
    text: str, longest: int, piece: str
) -> None:
    assert text[: find_cut(text, 0, len(text), longest)] == piece
