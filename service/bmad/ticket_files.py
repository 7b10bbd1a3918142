"""Which files are those of entries of tickets.toml and stories.yaml, and which plans are for them.

All of them are known by names, each in a folder. The board asks for those of a tree at once, and
the history for those that a commit may have joined or parted.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final, TypeVar

from service.bmad.identity import fold_id, fold_slug, read_name
from service.bmad.key_files import MAX_SHARED
from service.bmad.readings import TicketEntry
from service.bmad.work_items import is_toml, stem_of
from service.documents.story_signs import is_companion

# A folder, and a name in it in the form that is compared.
NameInFolder = tuple[str, str]
T = TypeVar("T")

BEGUN: Final = "-"  # ends what is only the beginning of a name
MAX_ID_WORDS: Final = 4
# What is written about a story may begin with its id, too.
ABOUT_STORY_FILE: Final = re.compile(
    r".*[-_. ](?:notes?|reviews?|context|research|validation|feedback|qa)(?:[-_. ]\d[\d-]*)?",
    re.IGNORECASE,
)


def name_entries(entries: Iterable[TicketEntry]) -> Iterator[tuple[str, TicketEntry]]:
    """Yield the entries of a tracker with different names: their ids, if they have those alone."""
    seen: defaultdict[str, int] = defaultdict(int)
    for entry in entries:
        id_ = entry["id"]
        seen[id_] += 1
        yield id_ if id_ and seen[id_] == 1 else f"{id_}\t{seen[id_]}", entry


def whole_id(epic: str | None, id_: str) -> str:
    """Return the id of an entry of tickets.toml with that of its epic, if that is known."""
    return f"{epic}.{id_}" if epic else id_


def epic_names(tracker: str) -> list[NameInFolder]:
    """Return what an initiative may call the epic in whose folder a tickets.toml is: its slug.

    The folder may have the word "epic" before the slug.
    """
    parent, _, name = tracker.rpartition("/")[0].rpartition("/")
    return [(parent, name), (parent, name.removeprefix("epic-"))]


def name_of_spec(folder: str) -> str:
    """Return what the folder of a stories.yaml calls its epic, which has no number."""
    return folder.rpartition("/")[2].removeprefix("spec-")


def file_names(entry: TicketEntry) -> list[str]:
    """Return the names without a suffix that the file of an entry of tickets.toml may have."""
    slugs = filter(None, (entry["slug"].lower(), fold_slug(entry["title"])))
    return [*dict.fromkeys(f"{entry['kind']}-{slug}" for slug in slugs)]


def names_of_entry(tracker: str, id_: str, names: Iterable[str]) -> list[NameInFolder]:
    """Return what the file of an entry may be called, the surest first.

    `names` are those of file_names. The file of a story of stories.yaml has its id in its name, or
    begins with it.
    """
    folder = tracker.rpartition("/")[0]
    by_id = [(folder, fold_id(id_))] if id_ else []
    if is_toml(tracker):
        return by_id + [(folder, name) for name in names]
    if not id_:
        return []
    stories, slug = f"{folder}/stories".lstrip("/"), fold_slug(id_)
    named = dict.fromkeys((fold_id(id_), slug, slug + BEGUN) if slug else (fold_id(id_),))
    return by_id + [(stories, name) for name in named]


def names_of_leaf(path: str, id_: str, ticket: str | None) -> list[NameInFolder]:
    """Return what an entry may call a story's file, given what that says of itself."""
    folder, stem = path.rpartition("/")[0], stem_of(path)
    ids = map(fold_id, (ticket or "", read_name(stem).written, id_))
    return [(folder, name) for name in sorted({*ids, stem.lower(), *_begun(path)} - {""})]


def names_of_candidate(path: str, ticket: str | None, *, has_status: bool) -> list[NameInFolder]:
    """Return what an entry may call a document that is a story only because a tracker says so.

    A leaf of version 7 has the name of its entry, or says its id; in the folder of a 6.11
    specification, its name begins with the id; an id without a number needs a status, too.
    """
    folder, stem = path.rpartition("/")[0], stem_of(path)
    names = {stem.lower(), fold_id(ticket or "")}
    if folder.rpartition("/")[2] == "stories":
        names.add(fold_id(read_name(stem).written or stem))
        names.update(_begun(path) if has_status else ())
    return [(folder, name) for name in sorted(names - {""})]


def _begun(path: str) -> Iterator[str]:
    """Yield the ids that the name of a story of stories.yaml may begin with, each with BEGUN.

    Of "login-by-mail" they are "login" and "login-by", and of "1-2-pay" that is "1-2": a number is
    no part of another one. That of a companion, such as "login-notes", begins with none.
    """
    stem = stem_of(path)
    if path.rpartition("/")[0].rpartition("/")[2] != "stories":
        return
    if is_companion(stem) or ABOUT_STORY_FILE.fullmatch(stem):
        return
    words = fold_slug(stem).split("-")[: MAX_ID_WORDS + 1]
    for end in range(1, len(words)):
        if not (words[end - 1][-1:].isdigit() and words[end][:1].isdigit()):
            yield "-".join(words[:end]) + BEGUN


def match_entries(
    leaves: Mapping[str, Iterable[NameInFolder]],
    candidates: Mapping[str, Iterable[NameInFolder]],
    entries: Mapping[tuple[str, str], Sequence[NameInFolder]],
) -> dict[tuple[str, str], str]:
    """Return the file of each entry that has one; each file belongs to one entry at most.

    `leaves` has names of stories' files by path, `candidates` those of documents that may become
    stories, and `entries` those of entries by tracker and name. Those that only begin with an id
    come after all others, the longest ids first.
    """
    indexes = [_index_paths(leaves), _index_paths(candidates)]
    matched: dict[tuple[str, str], str] = {}
    taken: set[str] = set()
    whole = [(entry, _names_of(names, is_begun=False)) for entry, names in entries.items()]
    begun = [(entry, _names_of(names, is_begun=True)) for entry, names in entries.items()]
    begun.sort(key=lambda each: (-sum(len(name) for _, name in each[1]), each[0]))
    for entry, names in [*sorted(whole), *begun]:
        if entry in matched:
            continue
        found = (paths.get(name, ()) for paths in indexes for name in names)
        free = (path for same in found if len(same) <= MAX_SHARED for path in same)
        path = next((each for each in free if each not in taken), None)
        if path is not None:
            matched[entry] = path
            taken.add(path)
    return matched


def _names_of(names: Iterable[NameInFolder], *, is_begun: bool) -> list[NameInFolder]:
    return [each for each in names if each[1].endswith(BEGUN) == is_begun]


def _index_paths(files: Mapping[str, Iterable[NameInFolder]]) -> Mapping[NameInFolder, list[str]]:
    paths: defaultdict[NameInFolder, list[str]] = defaultdict(list)
    for path, names in sorted(files.items()):
        for name in names:
            paths[name].append(path)
    return paths


def names_for_plan(
    path: str | None, tracker: str | None = None, ids: Iterable[str] = ()
) -> list[NameInFolder]:
    """Return what a plan may call a story: its file, or an id of its entry in a tracker."""
    names = [] if path is None else [name_for_plan(path, stem_of(path))]
    return names + [name_for_plan(tracker, id_) for id_ in ids if tracker is not None]


def name_for_plan(path: str, ticket: str) -> NameInFolder:
    """Return what a plan, or what is beside it, calls a story."""
    return path.rpartition("/")[0], fold_id(ticket)


def match_plans(
    plans: Mapping[str, NameInFolder], stories: Sequence[tuple[T, Iterable[NameInFolder]]]
) -> dict[str, T]:
    """Return the story of each plan that is for one: the first that has the name."""
    named: dict[NameInFolder, T] = {}
    for story, names in stories:
        for name in names:
            named.setdefault(name, story)
    return {path: named[name] for path, name in sorted(plans.items()) if name in named}
