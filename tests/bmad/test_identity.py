from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.bmad.identity import (
    NO_IDENTITY,
    Identity,
    epic_of_folders,
    epic_of_name,
    fold_id,
    fold_slug,
    read_epic_heading,
    read_heading,
    read_id,
    read_name,
    split_by_epics,
    with_epic,
)
from service.bmad.readings import MAX_ID


@pytest.mark.parametrize(
    ("heading", "identity", "title"),
    [
        ("Story 1.2: Sign in", ("1.2", "1", "2"), "Sign in"),
        ("Story 2.10 - Sign in", ("2.10", "2", "10"), "Sign in"),
        ("Story 1.2 — Sign in", ("1.2", "1", "2"), "Sign in"),
        ("Story 1.2 · Sign in", ("1.2", "1", "2"), "Sign in"),
        ("Story 1.2 Sign in", ("1.2", "1", "2"), "Sign in"),
        ("Story 1.2", ("1.2", "1", "2"), ""),
        ("Story 1-2: Sign in", ("1-2", "1", "2"), "Sign in"),
        ("Story 1.2: .NET", ("1.2", "1", "2"), ".NET"),
        ("✅ Story 1.2: Sign in", ("1.2", "1", "2"), "Sign in"),
        ("User Story 1.2: Sign in", ("1.2", "1", "2"), "Sign in"),
        ("Epic 1, Story 2: Sign in", ("1.2", "1", "2"), "Sign in"),
        ("Epic 1: Accounts - Story 1.2: Sign in", ("1.2", "1", "2"), "Sign in"),
        ("Story (1.2): Sign in", ("1.2", "1", "2"), "Sign in"),
        ("Story [AP-4.4] Sign in", ("AP-4.4", "AP-4", "4"), "Sign in"),
        ("Story 1.2.: Sign in", ("1.2", "1", "2"), "Sign in"),
        ("Story 1.2 (P0): Sign in", ("1.2", "1", "2"), "Sign in"),
        ("Story 1.2 [MVP]: Sign in", ("1.2", "1", "2"), "Sign in"),
        ("Story 1.2 (Sign in) - later", ("1.2", "1", "2"), "(Sign in) - later"),
        ("Story (3 points): Sign in", NO_IDENTITY, "(3 points): Sign in"),
        ("[1.2] Sign in", ("1.2", "1", "2"), "Sign in"),
        ("1.2 Sign in", ("1.2", "1", "2"), "Sign in"),
        ("1.2: Sign in", ("1.2", "1", "2"), "Sign in"),
        ("Story 1.3a: Sign in", ("1.3a", "1", "3a"), "Sign in"),
        ("Story 7.4-FX: Sign in", ("7.4-FX", "7", "4-FX"), "Sign in"),
        ("Story 9B: Sign in", ("9B", None, "9B"), "Sign in"),
        ("Story AP-4.4: Sign in", ("AP-4.4", "AP-4", "4"), "Sign in"),
        ("Story E8.9: Sign in", ("E8.9", "E8", "9"), "Sign in"),
        ("E12-S04: Sign in", ("E12-S04", "E12", "04"), "Sign in"),
        ("Story 3.5-1: Sign in", ("3.5-1", "3.5", "1"), "Sign in"),
        ("Story 10.1.5: Sign in", ("10.1.5", "10.1", "5"), "Sign in"),
        ("Story 0.1: Sign in", ("0.1", "0", "1"), "Sign in"),
        ("Story #12: Sign in", ("12", None, "12"), "Sign in"),
        ("STORY-001: Sign in", ("001", None, "001"), "Sign in"),
        ("US-001: Sign in", ("US-001", None, "001"), "Sign in"),
        ("Histoire 1.2 : Se connecter", ("1.2", "1", "2"), "Se connecter"),
        ("故事 1.2\uff1a登录", ("1.2", "1", "2"), "登录"),
        ("Historia 1.2: Entrar", ("1.2", "1", "2"), "Entrar"),
        ("스토리 1.2: 로그인", ("1.2", "1", "2"), "로그인"),
        ("Spike 4.1: Sign in", ("4.1", "4", "1"), "Sign in"),
        ("Story: Sign in", NO_IDENTITY, "Sign in"),
        ("Story: 3 ways to sign in", NO_IDENTITY, "3 ways to sign in"),
        ("Story 2FA sign in", NO_IDENTITY, "2FA sign in"),
        ("Sign in", NO_IDENTITY, "Sign in"),
        ("3 ways to sign in", NO_IDENTITY, "3 ways to sign in"),
        ("Story 3.5mm jack", NO_IDENTITY, "3.5mm jack"),
        ("3.5mm jack", NO_IDENTITY, "3.5mm jack"),
        ("2025-10-06 Sign in", NO_IDENTITY, "2025-10-06 Sign in"),
        ("Storyboard", NO_IDENTITY, "Storyboard"),
    ],
)
def test_a_heading_has_an_id_and_a_title(
    heading: str, identity: tuple[str, str, str], title: str
) -> None:
    found = read_heading(heading)
    assert found.identity == identity
    assert found.rest == title


@pytest.mark.parametrize(
    ("name", "identity", "slug"),
    [
        ("1.2.story", ("1.2", "1", "2"), ""),
        ("1.2.sign-in", ("1.2", "1", "2"), "sign-in"),
        ("1-2-sign-in", ("1.2", "1", "2"), "sign-in"),
        ("2-10-sign-in", ("2.10", "2", "10"), "sign-in"),
        ("story-1.2", ("1.2", "1", "2"), ""),
        ("story_1_2_sign_in", ("1.2", "1", "2"), "sign_in"),
        ("STORY-001", ("001", None, "001"), ""),
        ("US-001-sign-in", ("US-001", None, "001"), "sign-in"),
        ("spec-1-2-sign-in", ("1.2", "1", "2"), "sign-in"),
        ("spec-sign-in", NO_IDENTITY, "sign-in"),
        ("bug-sign-in", NO_IDENTITY, "sign-in"),
        ("sign-in", NO_IDENTITY, "sign-in"),
        ("E12-S04-sign-in", ("E12-S04", "E12", "04"), "sign-in"),
        ("epic-1.story-10", ("1.10", "1", "10"), ""),
        ("epic-120-s01-sign-in", ("120.01", "120", "01"), "sign-in"),
        ("pm-04", ("pm-04", "pm", "04"), ""),
        ("AP-4.4-sign-in", ("AP-4.4", "AP-4", "4"), "sign-in"),
        ("ap-4-4-sign-in", ("ap-4.4", "ap-4", "4"), "sign-in"),
        ("9b-1-sign-in", ("9b.1", "9b", "1"), "sign-in"),
        ("1-3a-sign-in", ("1.3a", "1", "3a"), "sign-in"),
        ("1-1a-审计", ("1.1a", "1", "1a"), "审计"),
        ("02-sign-in", ("02", None, "02"), "sign-in"),
        ("3-5-1-sign-in", ("3.5.1", "3.5", "1"), "sign-in"),
        ("3.5-1-sign-in", ("3.5.1", "3.5", "1"), "sign-in"),
        ("1-2-404-page", ("1.2", "1", "2"), "404-page"),
        ("1-2-3d-view", ("1.2", "1", "2"), "3d-view"),
        ("1-3-3rd-party-login", ("1.3", "1", "3"), "3rd-party-login"),
        ("1-2-2fa-setup", ("1.2", "1", "2"), "2fa-setup"),
        ("1.2.2fa", ("1.2", "1", "2"), "2fa"),
        ("AP-4-4-2fa-setup", ("AP-4.4", "AP-4", "4"), "2fa-setup"),
        ("story-5-2fa-setup", ("5", None, "5"), "2fa-setup"),
        ("3-5-1-2nd-try", ("3.5.1", "3.5", "1"), "2nd-try"),
        ("2fa-setup", NO_IDENTITY, "2fa-setup"),
        ("1-1-s3-upload", ("1.1", "1", "1"), "s3-upload"),
        ("1-1-S3", ("1.1", "1", "1"), "S3"),
        ("E3.5-S1-sign-in", ("E3.5-S1", "E3.5", "1"), "sign-in"),
        ("2025-10-06-sign-in", NO_IDENTITY, "2025-10-06-sign-in"),
    ],
)
def test_a_name_has_an_id_and_a_slug(name: str, identity: tuple[str, str, str], slug: str) -> None:
    found = read_name(name)
    assert found.identity == identity
    assert found.rest == slug


def test_known_epics_say_how_an_id_of_three_levels_is_split() -> None:
    assert read_heading("Story 3.5.1: x", ["3", "4"]).identity == ("3.5.1", "3", "5.1")
    assert read_heading("Story 3.5.1: x", ["3", "3-5"]).identity == ("3.5.1", "3.5", "1")
    assert read_name("3-5-1-x", ["03"]).identity == ("3.5.1", "3", "5.1")
    assert read_id("3.5.1", ["5"]) == ("3.5.1", "3.5", "1")
    assert read_id("3.5.1", frozenset(("3",))) == ("3.5.1", "3", "5.1")


def test_an_id_is_split_again_if_its_epic_is_none_that_there_is() -> None:
    story = Identity("10.1.5", "10.1", "5")
    assert split_by_epics(story, frozenset(("10",))) == ("10.1.5", "10", "1.5")
    assert split_by_epics(story, frozenset(("10", "10.1"))) == story
    assert split_by_epics(story, frozenset(("1", "5"))) == story
    assert split_by_epics(Identity("1.2", "1", "2"), frozenset()) == ("1.2", "1", "2")
    assert split_by_epics(NO_IDENTITY, frozenset(("1",))) == NO_IDENTITY


@pytest.mark.parametrize(
    ("value", "identity"),
    [
        (7, ("7", None, "7")),
        ("2.10", ("2.10", "2", "10")),
        ("Story 1.2", ("1.2", "1", "2")),
        ("story-1-2", ("1-2", "1", "2")),
        ("AP-4.4", ("AP-4.4", "AP-4", "4")),
        ("1-2-slug", NO_IDENTITY),
        ("2025-10-06", NO_IDENTITY),
        ("", NO_IDENTITY),
        (True, NO_IDENTITY),
        (None, NO_IDENTITY),
        (["1.2"], NO_IDENTITY),
    ],
)
def test_a_value_of_front_matter_may_be_an_id(value: Any, identity: Identity) -> None:
    assert read_id(value) == identity


def test_equal_ids_are_folded_to_one_and_prefixes_keep_them_apart() -> None:
    for equal in (
        ["1", "01", "Epic 1", "epic-1", "Épica 1", "Épico 1"],
        ["1.2", "1-2", "01.02", "Story 1.2", "1_2"],
        ["E12-S04", "e12.4", "E12S4"],
        ["9B", "9b"],
        ["AP-4.4", "ap-4-4", "AP-4.04"],
        ["3.5.1", "3.5-1", "3-5-1"],
    ):
        assert len({*map(fold_id, equal)}) == 1, equal
    assert (
        len({*map(fold_id, ["1", "Epic A1", "E1", "AP-1", "1b", "10", "1.0", "2.1", "2.10"])}) == 9
    )


def test_slugs_are_equal_whatever_is_between_their_words() -> None:
    assert fold_slug("Sign_In  v2.0") == fold_slug("sign-in-v2-0-") == "sign-in-v2-0"


def test_a_folder_may_name_the_epic() -> None:
    assert epic_of_name("epic-01-accounts") == "01"
    assert epic_of_name("Epic 3.5") == "3.5"
    assert epic_of_name("epic-3-5") == epic_of_name("epic-3-5-accounts") == "3.5"
    assert epic_of_name("epic-AP-4") == "AP-4"
    assert epic_of_name("epic-1-2fa-setup") == epic_of_name("epic-1-2025-10-06") == "1"
    assert epic_of_name("epic-accounts") is None
    assert epic_of_folders(["docs", "epic-1", "stories"]) == "1"
    assert epic_of_folders(["docs"]) is None
    assert with_epic(Identity("02", None, "02"), "01") == ("01.02", "01", "02")
    assert with_epic(Identity("3.2", "3", "2"), "01") == ("3.2", "3", "2")
    assert with_epic(NO_IDENTITY, "01") == NO_IDENTITY


@pytest.mark.parametrize(
    ("heading", "number", "title"),
    [
        ("Epic 2: Accounts", "2", "Accounts"),
        ("Epic AP-1 — Accounts", "AP-1", "Accounts"),
        ("EPIC-003: Accounts", "003", "Accounts"),
        ("Epic E1", "E1", ""),
        ("Epic 0.2.1: Accounts", "0.2.1", "Accounts"),
        ("Epic 9B: Accounts", "9B", "Accounts"),
        ("史诗 2\uff1a账户", "2", "账户"),
        ("에픽 2: 계정", "2", "계정"),
    ],
)
def test_an_epics_heading_has_a_number_and_a_title(heading: str, number: str, title: str) -> None:
    found = read_epic_heading(heading)
    assert found
    assert found.identity == (number, number, None)
    assert found.rest == title
    assert not read_epic_heading("Epics")


PIECES = [*"1aBsS-._ :[é", "23", "0", "story", "Epic ", "Story "]
texts = st.text() | st.lists(st.sampled_from(PIECES), max_size=200).map("".join)


@given(texts)
def test_any_text_may_be_read(text: str) -> None:
    for found in (read_heading(text), read_name(text), read_epic_heading(text)):
        if found:
            assert len(found.identity.id) <= MAX_ID
            assert bool(found.identity.id) == (found.identity != NO_IDENTITY)
    read_id(text)
    epic_of_name(text)
    assert fold_id(fold_id(text)) == fold_id(text)
    assert fold_slug(fold_slug(text)) == fold_slug(text)
