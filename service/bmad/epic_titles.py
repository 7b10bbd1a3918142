"""Which documents of a tree are about one epic, though they call it otherwise.

Titles are compared by their words. A document about an epic, such as "epic-1-test-design.md", and
one that lists the same stories, mean the epic of that number that there is. Numbers of another
product may be the same, so that unlike titles alone are two epics.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from itertools import islice
from typing import Final

from service.bmad.epic_shapes import FOLDER_FILES
from service.bmad.identity import epic_of_name, fold_id, fold_slug, read_name
from service.bmad.key_files import TreeDocument
from service.bmad.readings import EpicReading, ListedStory
from service.bmad.tree_content import folders_above_parts
from service.bmad.work_items import is_archived
from service.documents.kinds import ABOUT_EPIC, home_of

# A Chinese title has no spaces: each of its characters is compared.
WORD: Final = re.compile(r"[\u4e00-\u9fff]|[^\W\u4e00-\u9fff]+")
AND: Final = re.compile(r"(?:^|-)(?:and|et|und)(?=-|$)")
# "Payments" and "Payment System" may be one.
PLURAL: Final = re.compile(r"(?<=[^\W\ds]{3})s\Z")
# Of the words of two titles, the share in common from which on they mean the same epic.
RESEMBLING: Final = 0.5
MAX_COMPARED: Final = 50  # epics of a number, or of two documents, that are compared

MAX_LISTED: Final = 200  # stories of an epic that are compared
MAX_UNLIKE: Final = 5  # of those with other titles, the epics and documents that are compared

# What the end of a name says that a document has of its epic: "epic-1-test-design".
ABOUT_TAIL: Final = re.compile(
    r"(?:^|-)(?P<tail>(?:user-)?stories|story-(?:map|index|list)|overview|breakdown|architecture"
    r"|(?:ux|ui|technical|tech|test)(?:-(?:design|spec(?:ification)?))?|design|wireframes|mockups"
    r"|tests?|testing|test-(?:strategy|cases|results)|(?:implementation|test|migration|sprint)-plan"
    r"|(?:\w+-)?guide|lessons(?:-learned)?|learnings|migration|deployment|roll-?out|release-notes"
    r"|api(?:-contracts?)?|contracts|data-model|diagrams?|decisions|traceability(?:-matrix)?|matrix"
    r"|(?:qa-)?gate|closure|refinement|tech(?:nical)?-debt|deliverables|demo(?:-script)?|nfrs?"
    r"|dependencies|estimat(?:es?|ion)|risks?|prep(?:aration)?|metrics|timeline|schedule"
    r"|walk-?through|post-?mortem|hand-?over|glossary|faq|(?:dev-)?notes|plan|brief)(?:-v?\d[\d-]*)?$"
)
# Of these, what an epic itself may be about: "Epic 4: Migration".
TOPIC: Final = re.compile(
    r"migration|deployment|roll-?out|api|ui|tests?|testing|(?:user-)?guide|metrics|data-model|contracts"
    r"|dependencies|glossary|faq|schedule|tech(?:nical)?-debt|closure|hand-?over|nfrs?"
)
ABOUT_TITLE: Final = re.compile(
    r"(?:guide|checklist|contracts|faq|schedule|dependencies|glossary|closure|hand-?over|nfrs?|debt"
    r"|tests|plan|notes|report)\Z"
)
# "test-design-epic-1".
NUMBER_AT_END: Final = re.compile(r"(.+?)-epic-?(\w+)")
PRD: Final = re.compile(r"(?:^|[/_-])prds?(?![a-z])", re.IGNORECASE)
# Words of a list's path that say only that it is one, and which version.
LIST_WORDS: Final = re.compile(
    r"(?:^|-)(?:prds?|epics?|list|details?|breakdown|backlog|roadmap|plan(?:ning)?|product|project"
    r"|requirements?|document|artifacts|(?:user-)?stor(?:y|ies)|overview|index|readme|summary|and|all|full"
    r"|final|draft|master|mvp|v?\d+)(?=-|$)"
)
ABOUT_HOMES: Final = frozenset(("architecture", "ux", "brief"))


class EpicTitles:
    """How the documents of a tree call its epics."""

    def __init__(self, documents: Iterable[TreeDocument]) -> None:
        """Take all documents of a tree, but for archived ones."""
        self._epics: dict[str, dict[str, EpicReading]] = {}  # by path, by number
        self._about: set[str] = set()
        # Of a document of one epic: the title that the only list beside it has for that number.
        self._also: dict[str, str] = {}
        self._compared: dict[tuple[str, str], tuple[bool, bool]] = {}
        singles: dict[str, EpicReading] = {}
        names: dict[str, str] = {}
        titles: defaultdict[str, list[tuple[str, EpicReading]]] = defaultdict(list)  # by number
        lists: defaultdict[tuple[str, str], list[EpicReading]] = defaultdict(list)
        for document in documents:
            path, epics = document.path, document.reading.get("epics")
            if not epics or is_archived(path):
                continue
            self._epics[path] = {fold_id(each["number"]): each for each in epics}
            name = _name_of_document(path, epics[0]) if len(epics) == 1 else None
            if name is not None:
                singles[path], names[path] = epics[0], name
            for epic in epics:
                number = fold_id(epic["number"])
                if len(epics) > 1:
                    lists[folder_of_product(path), number].append(epic)
                if len(titles[number]) < MAX_COMPARED:
                    titles[number].append((path, epic))
        for path, epic in singles.items():
            others = [each for each in titles[fold_id(epic["number"])] if each[0] != path]
            if _is_about(path, names[path], epic, others):
                self._about.add(path)
        strong = self._epics.keys() - self._about
        self._strong_folders = {folder_of_product(path) for path in strong}
        self._find_renamed(singles, lists)

    def is_about(self, path: str) -> bool:
        """Return whether a document has something about an epic that others name otherwise."""
        return path in self._about

    def other_title(self, path: str) -> str | None:
        """Return how the list beside a document of one epic calls that epic, if otherwise."""
        return self._also.get(path)

    def is_of_other_product(self, path: str, paths: Iterable[str]) -> bool:
        """Return whether a document about an epic lies in a folder that has epics of its own.

        `paths` are those of the documents of the epic that it may be about.
        """
        folder = folder_of_product(path)
        return folder in self._strong_folders and folder not in map(folder_of_product, paths)

    def do_agree(self, path: str, other: str) -> bool:
        """Return whether most epics that two documents of a product share are called the same.

        Documents in other folders, or of other names, such as "epics-mobile.md", may be of others.
        """
        return self._compare(path, other)[0]

    def do_differ(self, path: str, other: str) -> bool:
        """Return whether two documents list stories of one id that are called otherwise."""
        return self._compare(path, other)[1]

    def _compare(self, path: str, other: str) -> tuple[bool, bool]:
        pair = (path, other) if path < other else (other, path)
        found = self._compared.get(pair)
        if found is None:
            epics, others = self._epics.get(path, {}), self._epics.get(other, {})
            pairs = [(epic, others[number]) for number, epic in epics.items() if number in others]
            del pairs[MAX_COMPARED:]
            titled = [(a["title"], b["title"]) for a, b in pairs if a["title"] and b["title"]]
            same = sum(do_resemble(title, other_title) for title, other_title in titled)
            # A PRD and a list of epics beside it are of one product more surely than two lists.
            is_pair = bool(PRD.search(path)) != bool(PRD.search(other))
            do_agree = 2 * same >= len(titled) if is_pair and same else 2 * same > len(titled)
            do_agree = do_agree and _product_of(path) == _product_of(other)
            is_other = any(do_differ(a["stories"], b["stories"]) for a, b in pairs)
            found = self._compared[pair] = do_agree, is_other
        return found

    def _find_renamed(
        self,
        singles: Mapping[str, EpicReading],
        lists: Mapping[tuple[str, str], Sequence[EpicReading]],
    ) -> None:
        """Find the documents of one epic that the list beside them calls otherwise.

        Of several in a folder each one may be of another product.
        """
        renamed: defaultdict[str, list[tuple[str, str]]] = defaultdict(list)
        for path, epic in singles.items():
            folder = folder_of_product(path)
            of_number = lists.get((folder, fold_id(epic["number"])), ())
            if path in self._about or len(of_number) != 1 or not of_number[0]["title"]:
                continue
            [listed] = of_number
            if not do_resemble(epic["title"], listed["title"]):
                is_other = do_differ(epic["stories"], listed["stories"])
                renamed[folder].append((path, "" if is_other else listed["title"]))
        for found in renamed.values():
            if len(found) == 1 and found[0][1]:
                self._also.update(found)


def folder_of_product(path: str) -> str:
    """Return the folder above those that hold parts of a product's documents."""
    return "/".join(folders_above_parts(path.rpartition("/")[0]))


def _product_of(path: str) -> tuple[str, str]:
    """Return the folder of a list's product, and what the path below it says of the product."""
    folder = folder_of_product(path)
    name = fold_slug(path.removeprefix(folder).rpartition(".")[0].replace("/", "-"))
    return folder, LIST_WORDS.sub("", name).strip("-")


def do_resemble(title: str, other: str) -> bool:
    """Return whether two titles may be of one epic: an empty title may."""
    if not title or not other or title == other:
        return True
    letters, words = _words_of(title)
    other_letters, others = _words_of(other)
    if letters == other_letters:
        return True  # "Set-up & mail" and "Setup and mail"
    common = len(words & others)
    return (
        not words
        or not others
        or common == min(len(words), len(others))
        or common >= RESEMBLING * len(words | others)
    )


# A title is compared with those of up to MAX_COMPARED others.
@lru_cache(maxsize=1024)
def _words_of(title: str) -> tuple[str, frozenset[str]]:
    """Return a title without the signs between its words, and the words in the singular."""
    letters = AND.sub("", fold_slug(title)).replace("-", "")
    return letters, frozenset(PLURAL.sub("", word) for word in WORD.findall(title.lower()))


def do_list_same(stories: Iterable[ListedStory], others: Iterable[ListedStory]) -> bool:
    """Return whether two epics list the same stories: at least half of each, and none otherwise."""
    titles, other_titles = _titles_of(stories), _titles_of(others)
    common = titles.keys() & other_titles.keys()
    same = sum(titles[id_] == other_titles[id_] for id_ in common)
    return same > 0 and same == len(common) and 2 * same >= max(len(titles), len(other_titles))


def do_differ(stories: Iterable[ListedStory], others: Iterable[ListedStory]) -> bool:
    """Return whether two epics list stories of one id whose titles do not resemble each other."""
    titles, other_titles = _titles_of(stories), _titles_of(others)
    common = titles.keys() & other_titles.keys()
    return not all(do_resemble(titles[id_], other_titles[id_]) for id_ in common)


def _titles_of(stories: Iterable[ListedStory]) -> dict[str, str]:
    some = islice(stories, MAX_LISTED)
    return {fold_id(each["id"]): slug for each in some if (slug := fold_slug(each["title"]))}


def _name_of_document(path: str, epic: EpicReading) -> str | None:
    """Return the name of a document of one epic without that epic's number at its end.

    None if neither the name nor the folder has the number. The file of an epic's folder that is
    about all of it has no name.
    """
    *folders, name = path.split("/")
    number, stem = fold_id(epic["number"]), name.rpartition(".")[0]
    slug = fold_slug(stem)
    at_end = NUMBER_AT_END.fullmatch(slug)
    if at_end and fold_id(at_end[2]) == number:
        return at_end[1]
    in_name = epic_of_name(stem) or read_name(stem).identity.id
    if in_name:
        return slug if fold_id(in_name) == number else None
    in_folder = epic_of_name(folders[-1]) if folders else None
    if in_folder is None or fold_id(in_folder) != number:
        return None
    return "" if slug in FOLDER_FILES else slug


def _is_about(
    path: str, name: str, epic: EpicReading, named: Sequence[tuple[str, EpicReading]]
) -> bool:
    """Return whether a document that is named after its epic has something about it alone.

    Its title is none of the others, and the end of its name is in none of them either, as it is in
    "Deployment to the cloud" of "epic-4-deployment.md". It lists no other stories. Where the end of
    its name may be what the epic does, it has no status, or no title that says more than that.
    """
    others = [each for _, each in named]
    is_of_prd = all(PRD.search(each) for each, _ in named)
    found = ABOUT_TAIL.search(name) if name else None
    is_named = found is not None or bool(ABOUT_EPIC.fullmatch(name))
    if home_of(path.split("/")[:-1]) not in ABOUT_HOMES and (
        not is_named
        or (found is not None and _is_own_topic(found["tail"], epic, is_of_prd=is_of_prd))
    ):
        return False
    tail = found["tail"] if found else name.rpartition("-")[2] if is_named else ""
    own, titles = fold_slug(epic["title"]), [fold_slug(each["title"]) for each in others]
    if not any(titles) or any(each == own or (tail and tail in each) for each in titles):
        return False
    return not any(do_differ(epic["stories"], each["stories"]) for each in others[:MAX_UNLIKE])


def _is_own_topic(tail: str, epic: EpicReading, *, is_of_prd: bool) -> bool:
    """Return whether a document whose name ends with a topic is that of an epic about it.

    It has a status. Where more than PRDs name the epic otherwise, its title says more than a topic,
    or it lists stories.
    """
    if not epic["statuses"] or not TOPIC.fullmatch(tail):
        return False
    title = fold_slug(epic["title"])
    is_long = not ABOUT_TITLE.search(title) and bool(ABOUT_TAIL.sub("", title))
    return is_of_prd or is_long or bool(epic["stories"])
