"""Words, compounds and identifiers of a text: as they are indexed, searched and marked."""

from __future__ import annotations

import sys
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.documents.tokens import (
    MAX_REMEMBERED,
    lexemes_of,
    stems_of,
    token_of,
    tokenize,
    tokens_of,
)
from service.documents.words import (
    MAX_WORD,
    STOP_WORDS,
    fold,
    read_forms,
    read_units,
    read_words,
    stem,
    stem_all,
)

# Any text, and texts with many compounds, accents, and letters of several scripts.
texts = st.one_of(
    st.text(max_size=60),
    st.text(
        alphabet="abAB1 2-_./:'\u2019\u00e9e\u0301\u4e2d\u6587\u30ab\uff76\uff9e|\\\t", max_size=60
    ),
)


def forms(text: str) -> list[str]:
    return [word.form for word in read_words(text)]


def parts(text: str) -> list[str]:
    return [word.form for unit in read_units(text) for word in unit.parts]


def joined(text: str) -> list[str]:
    return [word.form for unit in read_units(text) for word in unit.joined]


# --- identifiers


@pytest.mark.parametrize(
    ("text", "expected_parts", "expected_joined"),
    [
        ("pool", ["pool"], []),
        ("get_db", ["get", "db"], ["getdb"]),
        ("cors_origins", ["cors", "origins"], ["corsorigins"]),
        ("CORS_ORIGINS", ["cors", "origins"], ["corsorigins"]),
        ("cors-origins", ["cors", "origins"], ["corsorigins"]),
        ("/api/health", ["api", "health"], ["apihealth"]),
        ("`/api/health`.", ["api", "health"], ["apihealth"]),
        (
            "asyncpg.create_pool",
            ["asyncpg", "create", "pool"],
            ["asyncpgcreate", "createpool"],
        ),
        ("FR-12", ["fr", "12"], ["fr12"]),
        ("FR12", ["fr", "12"], ["fr12"]),
        ("fr_12", ["fr", "12"], ["fr12"]),
        ("1.3", ["1", "3"], ["1.3"]),
        ("13", ["13"], []),
        ("2026-11-26", ["2026", "11", "26"], ["2026.11", "11.26"]),
        (
            "epic-1.story-10",
            ["epic", "1", "story", "10"],
            ["epic1", "1story", "story10"],
        ),
        ("LLMProvider", ["llm", "provider"], ["llmprovider"]),
        ("getUserName", ["get", "user", "name"], ["getuser", "username", "getusername"]),
        (
            "XMLHttpRequest",
            ["xml", "http", "request"],
            ["xmlhttp", "httprequest", "xmlhttprequest"],
        ),
        ("createPool()", ["create", "pool"], ["createpool"]),
        ("iOS", ["ios"], []),
        ("URLs", ["urls"], []),
        ("v2", ["v2"], []),
        ("sha256sum", ["sha256sum"], []),
        ("c7e52e9", ["c7e52e9"], []),
        ("OAuth2", ["oauth", "2"], ["oauth2"]),
        ("--no-cache", ["no", "cache"], ["nocache"]),
        ("user@example.com", ["user", "example", "com"], ["userexample", "examplecom"]),
        ("std::vector->size", ["std", "vector", "size"], ["stdvector"]),
    ],
)
def test_an_identifier_is_found_whole_and_by_its_parts(
    text: str, expected_parts: list[str], expected_joined: list[str]
) -> None:
    assert parts(text) == expected_parts
    assert joined(text) == expected_joined


@pytest.mark.parametrize(
    "spellings",
    [
        ["FR-12", "FR12", "fr_12", "Fr.12", "fr/12", "\uff26\uff32-\uff11\uff12"],
        ["get_db", "get-db", "getDb", "GET_DB", "get.db"],
        ["createPool", "create_pool", "create-pool", "CreatePool", "CREATE_POOL"],
        ["LLMProvider", "llm_provider", "LLM-Provider"],
    ],
)
def test_the_spellings_of_an_identifier_have_the_same_words(spellings: list[str]) -> None:
    assert len({tuple(sorted(set(forms(text)))) for text in spellings}) == 1


def test_numbers_that_differ_have_no_joined_word_in_common() -> None:
    assert set(joined("1.3")).isdisjoint([*forms("13"), *joined("1.30"), *joined("11.3")])
    assert set(joined("FR-1")).isdisjoint([*forms("FR-12"), *forms("FR-11"), *forms("FR-10")])


def test_blanks_end_a_compound() -> None:
    assert joined("create pool, FR 12") == []
    assert [len(unit.parts) for unit in read_units("a_b c - d e.\nf")] == [2, 1, 1, 1, 1]


# --- apostrophes


@pytest.mark.parametrize("apostrophe", ["'", "\u2019"])
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("l'architecture", ["architecture"]),
        ("d'abord", ["abord"]),
        ("qu'elle", ["elle"]),
        ("l'IA", ["ia"]),
        ("d'UX", ["ux"]),
        ("l'\u00e9t\u00e9", ["ete"]),
        ("user's", ["user"]),
        ("QA's", ["qa"]),
        ("users' names", ["users", "names"]),
        ("it's", ["it"]),
        ("don't", ["don"]),
        ("we'll", ["we"]),
        ("'quoted'", ["quoted"]),
        ("5'10", ["5", "10"]),
    ],
)
def test_an_apostrophe_parts_what_it_shortens(
    text: str, expected: list[str], apostrophe: str
) -> None:
    assert parts(text.replace("'", apostrophe)) == expected


# --- case, accents, scripts


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("\u00c9cole", "ecole"),
        ("na\u00efve", "naive"),
        ("Stra\u00dfe", "strasse"),
        ("\u00c6r\u00f8sk\u00f8bing", "aeroskobing"),
        ("\u0141\u00f3d\u017a", "lodz"),
        ("\u0130stanbul", "istanbul"),
        ("\u039f\u03b4\u03cc\u03c2", "\u03bf\u03b4\u03bf\u03c3"),
        ("\u0439\u043e\u0433", "\u0438\u043e\u0433"),
        ("\ufb01le", "file"),
        ("\uff21\uff30\uff29", "api"),
        ("\u212bngstr\u00f6m", "angstrom"),
        ("soft\u00adhyphen", "softhyphen"),
    ],
)
def test_case_and_accents_do_not_matter(text: str, form: str) -> None:
    for written in (text, text.upper() if len(text.upper()) == len(text) else text):
        for normal in ("NFC", "NFD"):
            assert forms(unicodedata.normalize(normal, written)) == [form]
    assert forms(form) == [form]


@pytest.mark.parametrize(
    ("text", "pairs"),
    [
        ("\u8a2d\u8a08\u66f8", ["\u8a2d\u8a08", "\u8a08\u66f8", "\u66f8"]),
        ("\u30ac\u30a4\u30c9", ["\u30ac\u30a4", "\u30a4\u30c9", "\u30c9"]),
        ("\ud55c\uad6d\uc5b4", ["\ud55c\uad6d", "\uad6d\uc5b4", "\uc5b4"]),
        ("\u4e2d", ["\u4e2d"]),
        ("\u4e2d\u6587\u3001\u65e5\u672c", ["\u4e2d\u6587", "\u6587", "\u65e5\u672c", "\u672c"]),
        ("\u30c7\u30fc\u30bf\u30fb\u578b", ["\u30c7\u30fc", "\u30fc\u30bf", "\u30bf", "\u578b"]),
        ("\u3097\u3099\u30fb\U0002fa1e", []),
        ("\u7b2c1\u7ae0", ["\u7b2c", "1", "\u7ae0"]),
        ("API\u8a2d\u8a08", ["api", "\u8a2d\u8a08", "\u8a08"]),
        ("\U00020000\U00020001", ["\U00020000\U00020001", "\U00020001"]),
    ],
)
def test_cjk_has_its_pairs_of_characters(text: str, pairs: list[str]) -> None:
    assert forms(text) == pairs


@pytest.mark.parametrize(
    "text", ["\u30ac\u30a4\u30c9", "\u3071\u3093", "\ud55c\uad6d\uc5b4", "\uac00\uac01"]
)
def test_decomposed_cjk_has_the_words_of_the_composed(text: str) -> None:
    decomposed = unicodedata.normalize("NFD", text)
    assert decomposed != text
    assert forms(decomposed) == forms(text)
    for word in read_words(decomposed):
        assert unicodedata.normalize("NFC", decomposed[word.start : word.end]) == word.form


def test_half_width_kana_have_the_words_of_the_usual_ones() -> None:
    assert forms("\uff76\uff9e\uff72\uff84\uff9e") == forms("\u30ac\u30a4\u30c9")


def test_kana_keep_their_sound_marks() -> None:
    assert set(forms("\u30ac\u30ac")).isdisjoint(forms("\u30ab\u30ab"))


@pytest.mark.parametrize(
    "text",
    [
        "\u0928\u092e\u0938\u094d\u0924\u0947",
        "\u0e40\u0e2d\u0e01\u0e2a\u0e32\u0e23",
        "\u0645\u064e\u0643\u062a\u064e\u0628",
    ],
)
def test_vowel_signs_end_no_word(text: str) -> None:
    assert len(forms(text)) == 1


# --- stems, stop words, limits


def test_forms_of_a_word_have_one_stem() -> None:
    stems = {stems_of(tokens_of(word)) for word in ("create", "creates", "created", "creating")}
    assert stems == {("creat",)}
    for words in ("create creation creations", "queue queues queued queuing", "free frees freed"):
        assert len({stems_of(tokens_of(word)) for word in words.split()}) == 1
    assert token_of("creating") == "creat|ing"
    assert token_of("pool") == "pool|"
    assert token_of("story") == "stori|~story"
    assert token_of("fr12") == "fr12|"


def test_the_index_has_forms_and_stems_but_no_stop_words() -> None:
    assert lexemes_of(tokens_of("Creating")) == ("creating", "~creat")
    assert (
        lexemes_of(tokens_of("the"))
        == lexemes_of(tokens_of("The,"))
        == lexemes_of(tokens_of("les"))
        == lexemes_of(tokens_of("\u00catre"))
        == ()
    )
    assert stems_of(tokens_of("The")) == ("the",)
    assert [word for word in STOP_WORDS if forms(word) != [word]] == []


def test_a_stop_word_in_a_compound_is_found_with_its_neighbour() -> None:
    assert "signin" in lexemes_of(tokens_of("sign-in"))
    assert "byid" in lexemes_of(tokens_of("by_id"))
    assert lexemes_of(tokens_of("U.S.")) == ("us", "u")
    assert lexemes_of(tokens_of("us")) == ()


def test_a_long_word_is_cut() -> None:
    assert forms("x" * 5_000) == ["x" * MAX_WORD]
    assert forms("\ufdfa" * 100)[0] == fold("\ufdfa" * 100)[:MAX_WORD]
    assert max(map(len, forms("Ab" * 5_000))) == MAX_WORD


def test_tokens_stand_in_order_between_blanks() -> None:
    assert tokenize("Creating a\tpool\n") == " creat|ing a| pool| "
    assert tokenize("") == tokenize(" \n") == "  "


@settings(deadline=None)
@given(texts)
def test_words_have_places_in_the_text(text: str) -> None:
    assert read_forms(text) == forms(text)
    assert stem_all(forms(text)) == [*map(stem, forms(text))]
    for word in read_words(text):
        assert 0 <= word.start < word.end <= len(text)
        assert word.form
        assert len(word.form) <= MAX_WORD
    # One by one they also have what they were made of.
    for unit in read_units(text):
        for word in unit.parts:
            assert forms(text[word.start : word.end])[:1] == [word.form] or unit.is_cjk


@settings(deadline=None)
@given(texts)
def test_units_stand_in_the_order_of_the_text(text: str) -> None:
    starts = [word.start for unit in read_units(text) for word in unit.parts]
    assert starts == sorted(starts)


@settings(deadline=None)
@given(texts)
def test_no_letter_or_digit_of_a_text_is_lost(text: str) -> None:
    text = text.replace("'", "").replace("\u2019", "")
    covered: set[int] = set()
    for word in read_words(text):
        covered.update(range(word.start, word.end))
    lost = [each for place, each in enumerate(text) if each.isalnum() and place not in covered]
    assert [each for each in lost if fold(each)] == []


@settings(deadline=None)
@given(texts)
def test_tokens_and_lexemes_need_no_quoting(text: str) -> None:
    for chunk in text.split():
        lexemes = [*lexemes_of(tokens_of(chunk)), *stems_of(tokens_of(chunk))]
        for lexeme in lexemes:
            assert not set(lexeme) & set("'\"\\|&!():* \t\n\0")
            assert lexeme.encode()  # no lone surrogate
        for token in tokens_of(chunk).split(" "):
            assert token == "" or token.count("|") == 1
    assert "\n" not in tokenize(text)
    assert "\t" not in tokenize(text)


@settings(deadline=None)
@given(st.text(alphabet=st.characters(categories=["L", "M", "Zs"]), max_size=60))
def test_case_never_matters(text: str) -> None:
    assert tokenize(text.upper().lower()) == tokenize(text.upper().lower().upper())


@settings(deadline=None)
@given(texts, texts)
def test_the_words_of_a_text_are_those_of_its_chunks(first: str, second: str) -> None:
    assert forms(f"{first} {second}") == forms(first) + forms(second)


def test_what_is_remembered_has_a_limit() -> None:
    remembered = tokens_of.__self__
    for number in range(MAX_REMEMBERED + 10):
        tokens_of(f"w{number}")
        assert len(remembered) <= MAX_REMEMBERED
    tokens_of("y" * 1_000)
    assert "y" * 1_000 not in remembered


@pytest.mark.parametrize(
    "piece",
    [
        "a",
        "aB",
        "a-",
        "a_1.",
        "l'",
        "'s",
        "-",
        "\u4e2d",
        "\u0301",
        "\uff76\uff9e",
        "\u1112\u1161",
        "\u00e9",
        "1",
    ],
)
def test_the_words_of_a_text_without_blanks_take_linear_work(piece: str) -> None:
    def count_calls(length: int) -> int:
        calls = 0

        def count(_frame: object, event: str, _argument: object) -> None:
            nonlocal calls
            calls += event in {"call", "c_call"}

        text = piece * (length // len(piece))
        sys.setprofile(count)
        try:
            forms(text)
        finally:
            sys.setprofile(None)
        return calls

    assert count_calls(16_000) < 2.5 * count_calls(8_000) + 100
