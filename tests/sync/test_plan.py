from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from service.sync.plan import StoredFile, WantedFile, compare, list_changes

if TYPE_CHECKING:
    from collections.abc import Mapping

PATHS = [f"{letter}.md" for letter in "abcdef"]
BLOBS = [f"blob {number}" for number in range(5)]  # fewer, so that contents move and repeat

wanted_files = st.dictionaries(st.sampled_from(PATHS), st.sampled_from(BLOBS)).map(
    lambda blobs: [WantedFile(path, "md", blob) for path, blob in blobs.items()]
)
stored_files = st.dictionaries(
    st.sampled_from(PATHS), st.sampled_from(BLOBS).map(lambda blob: StoredFile(blob, 7))
)
refusals = st.dictionaries(st.sampled_from(BLOBS), st.just("contains NUL bytes"))


def blobs_of(stored: Mapping[str, StoredFile]) -> dict[str, str]:
    return {path: file.blob_id for path, file in stored.items()}


@given(wanted_files, stored_files, refusals, st.booleans())
def test_a_file_is_read_skipped_or_stored_as_it_is(
    wanted: list[WantedFile],
    stored: dict[str, StoredFile],
    refused: dict[str, str],
    read_all: bool,
) -> None:
    plan = compare(wanted, stored, refused, read_all=read_all)
    skipped = {file.path for file in plan.skipped}
    read = {file.path for file in plan.to_read}
    assert not skipped & read
    for path, _, blob in wanted:
        is_refused = blob in refused and not read_all
        assert (path in skipped) == is_refused
        is_stored = path in stored and stored[path].blob_id == blob
        assert (path in read) == (not is_refused and (read_all or not is_stored))
    assert all(file.reason == refused[file.blob_id or ""] for file in plan.skipped)


@given(wanted_files, stored_files, refusals, st.booleans())
def test_each_content_that_is_read_comes_from_one_place(
    wanted: list[WantedFile],
    stored: dict[str, StoredFile],
    refused: dict[str, str],
    read_all: bool,
) -> None:
    plan = compare(wanted, stored, refused, read_all=read_all)
    fetched, copied = set(plan.to_fetch), {file.blob_id for file in plan.to_copy.values()}
    assert fetched | copied == {file.blob_id for file in plan.to_read}
    assert not fetched & set(blobs_of(stored).values())
    assert plan.to_copy.items() <= stored.items()
    assert len(copied) == len(plan.to_copy)


@given(wanted_files, stored_files, refusals, st.booleans(), st.sets(st.sampled_from(BLOBS)))
def test_a_run_leaves_the_wanted_files_that_can_be_shown(
    wanted: list[WantedFile],
    stored: dict[str, StoredFile],
    refused: dict[str, str],
    read_all: bool,
    unreadable: set[str],
) -> None:
    plan = compare(wanted, stored, refused, read_all=read_all)
    read = [file for file in plan.to_read if file.blob_id not in unreadable]
    hidden = {file.path for file in plan.skipped}
    hidden |= {file.path for file in plan.to_read if file.blob_id in unreadable}
    counts, removed = list_changes(wanted, stored, hidden)

    after = stored | {file.path: StoredFile(file.blob_id, 7) for file in read}
    for path in removed:
        del after[path]
    assert blobs_of(after) == {
        file.path: file.blob_id for file in wanted if file.path not in hidden
    }
    assert counts.added == len(after.keys() - stored.keys())
    assert counts.removed == len(removed) == len(stored.keys() - after.keys())
    kept = after.keys() & stored.keys()
    changed = {path for path in kept if after[path].blob_id != stored[path].blob_id}
    assert (counts.changed, counts.unchanged) == (len(changed), len(kept) - len(changed))

    known = dict.fromkeys(unreadable, "is not valid UTF-16") | ({} if read_all else refused)
    again = compare(wanted, after, known, read_all=False)
    assert again.to_read == again.to_fetch == []
