"""The guide to syncing names the limits of what a repository may multiply."""

from __future__ import annotations

from service import ROOT
from service.documents import completions
from service.documents.front_matter import MAX_DEPTH, MAX_FRONT_MATTER
from service.documents.markdown import MAX_CELLS, MAX_MARKDOWN, MAX_MARKS
from service.documents.outline import MAX_HEADINGS, MAX_HTML_ANCHORS, MAX_OUTLINE_BYTES
from service.documents.text import MAX_JSON_BYTES
from service.git.contents import MAX_FILE_BYTES
from service.git.repository import LISTING_BYTES
from service.sync.messages import ENTRIES_MAX
from service.sync.plan import (
    FILES_ALLOWED_FOR,
    FOLDERS_PER_FILE,
    PATH_BYTES_PER_FILE,
    PATH_SHOWN,
)
from service.sync.rows import MAX_VOCABULARY
from service.sync.search_rows import MAX_WORDS, MAX_WORDS_OF_DOCUMENT
from service.sync.skipped import SKIPPED_BYTES_KEPT, SKIPPED_FILES_KEPT
from tests.docs.markdown import read_rows
from tests.support.service import make_settings

SYNCING = ROOT / "docs/syncing.md"
SECTION = "What a repository may multiply"


def test_the_limits_are_those_of_the_code() -> None:
    limits = {of: limit for of, limit, _, _ in read_rows(SYNCING, SECTION)}
    max_files = make_settings("postgresql://x").sync_max_files
    for_each = "for each document that SYNC_MAX_FILES allows"
    assert limits == {
        "files and folders in the source's folder, documents or not": f"{ENTRIES_MAX:,}",
        "git's list of them": f"{LISTING_BYTES / 1e6:g} MB",
        "documents of a source": "SYNC_MAX_FILES",
        "paths of a source's documents and of their folders, as JSON": (
            f"{PATH_BYTES_PER_FILE} bytes {for_each}: "
            f"{PATH_BYTES_PER_FILE * max_files / 1e6:g} MB by default"
        ),
        "folders with documents": (
            f"{FOLDERS_PER_FILE} {for_each}: {FOLDERS_PER_FILE * max_files:,} by default"
        ),
        "the list of skipped files in a run": (
            f"{SKIPPED_FILES_KEPT:,} files and {SKIPPED_BYTES_KEPT / 1e3:g} kB"
        ),
        "a document": f"{MAX_FILE_BYTES / 1e6:g} MB, and {MAX_JSON_BYTES / 1e6:g} MB as JSON",
        "Markdown that is parsed": (
            f"{MAX_MARKDOWN:,} characters, {MAX_MARKS:,} marks of its syntax, "
            f"and {MAX_CELLS:,} cells of tables"
        ),
        "headings and anchors of a document": (
            f"{MAX_HEADINGS:,} of each, and {MAX_OUTLINE_BYTES / 1e3:g} kB as JSON"
        ),
        "front matter": f"{MAX_FRONT_MATTER // 1024} KiB and {MAX_DEPTH} levels",
        "headings of a document that a search box completes": f"{completions.MAX_HEADINGS}",
        (
            "different words that a run adds to those that misspelt ones are corrected to"
        ): f"{MAX_WORDS:,}",
        "those of one document": f"{MAX_WORDS_OF_DOCUMENT:,}",
        "these words of all documents together": f"about {MAX_VOCABULARY:,}",
    }
    assert MAX_HEADINGS == MAX_HTML_ANCHORS
    text = SYNCING.read_text()
    assert f"A SYNC_MAX_FILES below {FILES_ALLOWED_FOR:,} leaves" in text
    assert f"cut there after {PATH_SHOWN} characters" in text
