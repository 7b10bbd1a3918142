"""What there is of stories at a commit: their files, their entries in trackers, their plans."""

from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

from service.bmad.identity import fold_id
from service.bmad.past_facts import Fact
from service.bmad.past_links import Entry, Links, entry_of, folder_of, is_archived, stem_of
from service.bmad.past_record import FactRow
from service.bmad.readings import Status


class GoneFile(NamedTuple):
    """A story's file that a commit removed, the id of its last content, and what that said."""

    path: str
    blob_id: str | None
    fact: Fact


class Touched(NamedTuple):
    """What a commit changed, or may have changed, and the files that are gone."""

    files: set[str]
    entries: set[Entry]
    gone: list[GoneFile]


class Evidence:
    """The files, entries and plans after each commit, and which of them are about one story."""

    def __init__(self) -> None:
        self.links = Links()
        self.files: dict[str, tuple[Fact, str | None]] = {}  # with the content's id
        # By tracker, with the position at which it said that.
        self.entries: defaultdict[Entry, dict[str, tuple[int, Fact]]] = defaultdict(dict)
        self._entry_in: dict[tuple[str, str], Entry] = {}  # by tracker and item
        self._files_named: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
        self._plans: dict[str, Fact] = {}
        self._plans_for: defaultdict[tuple[str, str], set[str]] = defaultdict(set)

    def apply(self, rows: Sequence[FactRow]) -> Touched:
        """Apply what a commit changed."""
        touched = Touched(set(), set(), [])
        for row in rows:
            if row.item:
                touched.entries.add(self._set_entry(row))
            else:
                self._set_plan(row, touched)
                self._set_file(row, touched)
        files, entries = self.links.update()
        touched.files.update(files)
        touched.entries.update(entries)
        return touched

    def _set_entry(self, row: FactRow) -> Entry:
        if row.fact is None:
            entry = self._entry_in.pop((row.path, row.item))
            del self.entries[entry][row.path]
        else:
            entry = self._entry_in[row.path, row.item] = entry_of(row.path, row.item, row.fact)
            self.entries[entry][row.path] = row.position, row.fact
        said = self.entries[entry].values()
        self.links.set_entry(entry, max(said, key=lambda each: each[0])[1] if said else None)
        return entry

    def _set_plan(self, row: FactRow, touched: Touched) -> None:
        for plan in (self._plans.pop(row.path, None), row.fact):
            if plan is None or plan.kind != "plan":
                continue
            target = (folder_of(row.path), fold_id(plan.ticket or ""))
            touched.files.update(self._files_named[target])
            touched.entries.update(self.links.tickets(*target))
            if plan is row.fact:
                self._plans[row.path] = plan
                self._plans_for[target].add(row.path)
            else:
                self._plans_for[target].discard(row.path)

    def _set_file(self, row: FactRow, touched: Touched) -> None:
        fact = row.fact if row.fact and row.fact.kind == "story" else None
        before = self.files.pop(row.path, None)
        if fact is None and before is None:
            return
        touched.files.add(row.path)
        self.links.set_file(row.path, fact)
        named = self._files_named[folder_of(row.path), fold_id(stem_of(row.path))]
        if fact is not None:
            self.files[row.path] = fact, row.blob_id
            named.add(row.path)
        elif before is not None:
            named.discard(row.path)
            touched.gone.append(GoneFile(row.path, before[1], before[0]))

    def status(self, path: str | None, entries: Sequence[Entry]) -> Status | None:
        """Return the status of a story with this file and these entries; None without any.

        Its plan decides, else its file, else its tracker.
        """
        if path is None and not entries:
            return None
        tickets = [entry for entry in entries if entry.kind == "entry"]
        targets = [(entry.scope, fold_id(entry.item)) for entry in tickets]
        if path is not None:
            targets.append((folder_of(path), fold_id(stem_of(path))))
        for target in targets:
            for plan in sorted(self._plans_for[target]):
                if status := self._plans[plan].status:
                    return status
        facts = [] if path is None else [self.files[path][0]]
        facts += [self.said(entry)[1] for entry in entries]
        for fact in facts:
            if fact.status:
                return fact.status
        return "draft" if tickets else "unknown"  # a ticket without a plan is planned

    def said(self, entry: Entry) -> tuple[str, Fact]:
        """Return the tracker that changed an entry last, if it is not archived, and its fact."""
        said = self.entries[entry]
        path = max(said, key=lambda each: (not is_archived(folder_of(each)), said[each][0], each))
        return path, said[path][1]

    def is_active(self, path: str | None, entries: Sequence[Entry]) -> bool:
        """Return whether a file or a tracker of the entries is not archived."""
        paths = [path] if path is not None else []
        paths += [tracker for entry in entries for tracker in self.entries[entry]]
        return not all(is_archived(folder_of(each)) for each in paths)
