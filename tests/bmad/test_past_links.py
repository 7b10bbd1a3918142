"""Which files, entries and plans are about one story."""

from service.bmad.past_facts import Fact
from service.bmad.past_links import MAX_SHARED, Entry, Links, is_archived, tree_of


def test_the_tree_is_the_project_of_a_repository() -> None:
    assert [
        tree_of(folder)
        for folder in (
            "",
            "docs/stories",
            "apps/one/docs/stories",
            "apps/one/_bmad-output/implementation-artifacts",
            "apps/one",
        )
    ] == ["", "", "apps/one", "apps/one", "apps/one"]


def test_archived_folders_are_known_by_a_word() -> None:
    assert all(
        map(is_archived, ("docs/archive", "docs/old-stories/x", "a/2024-backup", "completed"))
    )
    assert not any(map(is_archived, ("docs/stories", "golden", "folder", "")))


def link(keys: list[str], paths: list[str]) -> dict[str, str]:
    """Return the linked files of keys."""
    links = Links()
    for key in keys:
        links.set_entry(Entry("key", "", key), Fact("key", "draft"))
    for path in paths:
        links.set_file(path, Fact("story", None))
    links.update()
    return {entry.item: path for entry, path in links.file_of.items()}


def test_a_key_has_a_file_by_name_then_slug_then_number() -> None:
    keys = ["1-1-sign-in", "1-2-sign-out", "3-reset", "epic-1-s04"]
    paths = ["docs/1-1-sign-in.md", "docs/story-sign-out.md", "docs/spec-3-reset.md"]
    assert link(keys, [*paths, "docs/1.4.story.md", "docs/1.1.story.md"]) == {
        "1-1-sign-in": "docs/1-1-sign-in.md",
        "1-2-sign-out": "docs/story-sign-out.md",
        "3-reset": "docs/spec-3-reset.md",
        "epic-1-s04": "docs/1.4.story.md",
    }


def test_a_slug_that_two_stories_have_links_none() -> None:
    assert link(["1-1-setup", "2-1-setup"], ["docs/setup.md"]) == {}
    assert link(["1-1-setup"], ["docs/setup.md"]) == {"1-1-setup": "docs/setup.md"}


def test_a_key_with_a_cut_slug_has_its_file() -> None:
    slug = "a-very-long-name-of-a-story-that-goes-on-and-on-beyond-sixty-characters-of-it"
    assert link([f"1-2-{slug[:60]}"], [f"docs/1-2-{slug}.md"]) == {
        f"1-2-{slug[:60]}": f"docs/1-2-{slug}.md"
    }


def test_what_too_many_files_have_links_none() -> None:
    paths = [f"docs/{number}/1.1.md" for number in range(MAX_SHARED + 1)]
    assert link(["1-1-a"], paths) == {}
    assert link(["1-1-a"], paths[1:]) == {"1-1-a": min(paths[1:])}
