from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.bmad.identity import NO_IDENTITY
from service.bmad.keys import read_key


@pytest.mark.parametrize(
    ("key", "kind", "identity", "slug"),
    [
        ("1-2-sign-in", "story", ("1.2", "1", "2"), "sign-in"),
        ("epic-120-s01", "story", ("120.01", "120", "01"), ""),
        ("pm-04", "story", ("pm-04", "pm", "04"), ""),
        ("sign-in", "story", NO_IDENTITY, "sign-in"),
        ("1-2-2fa-setup", "story", ("1.2", "1", "2"), "2fa-setup"),
        ("2-3-retro-theme", "story", ("2.3", "2", "3"), "retro-theme"),
        ("2-4-retrospective-board-view", "story", ("2.4", "2", "4"), "retrospective-board-view"),
        ("2-5-team-retrospective", "story", ("2.5", "2", "5"), "team-retrospective"),
        ("retro-theme", "story", NO_IDENTITY, "retro-theme"),
        ("epic-1", "epic", ("1", "1", None), ""),
        ("epic-1b", "epic", ("1b", "1b", None), ""),
        ("epic-0.0", "epic", ("0.0", "0.0", None), ""),
        ("epic-ap-4", "epic", ("ap-4", "ap-4", None), ""),
        ("epic-3-5", "epic", ("3.5", "3.5", None), ""),
        ("epic-2-accounts", "epic", ("2", "2", None), "accounts"),
        ("epic-2-3rd-party", "epic", ("2", "2", None), "3rd-party"),
        ("epic-accounts", "epic", NO_IDENTITY, "accounts"),
        ("epic-1-retrospective", "retrospective", ("1", "1", None), ""),
        ("epic-3-5-retro-2025-10-06", "retrospective", ("3.5", "3.5", None), ""),
        ("epic-2-retrospective-2", "retrospective", ("2", "2", None), ""),
        ("1-9-epic-1-retrospective", "retrospective", ("1", "1", None), ""),
        ("1-9-retrospective", "retrospective", ("1", "1", None), ""),
        ("1-retrospective", "retrospective", NO_IDENTITY, "1"),
        ("sprint-1-retro", "retrospective", NO_IDENTITY, "sprint-1"),
        ("retrospective-epic-1", "retrospective", ("1", "1", None), ""),
        ("epic-accounts-retrospective", "retrospective", NO_IDENTITY, "accounts"),
    ],
)
def test_a_key_is_for_a_story_an_epic_or_a_retrospective(
    key: str, kind: str, identity: tuple[str, str | None, str | None], slug: str
) -> None:
    assert read_key(key) == (kind, identity, slug)


@given(st.text() | st.text(st.sampled_from("epicretrospctiv-_. 019aS")))
def test_any_text_may_be_a_key(text: str) -> None:
    read = read_key(text)
    assert (read.kind == "story") or read.identity.story is None
