"""The keys of the advisory locks on sources and projects, as SQL expressions.

While a run writes documents, its transaction has the lock on its source, and shares the one on its
project: no other transaction writes documents of the source, and a deletion sees that it has to
come later, without waiting for the write's rows. Two ids with the same hash only wait for each
other.
"""

from __future__ import annotations

from typing import Final, Literal, LiteralString


def source_lock(source_id: LiteralString) -> LiteralString:
    """Return the key of the lock on a source's documents; `source_id` is an SQL expression."""
    return f"hashtextextended({source_id}::text, 1)"


def project_lock(project_id: LiteralString) -> LiteralString:
    """Return the key of the lock on all documents of a project."""
    return f"hashtextextended({project_id}::text, 2)"


def quota_lock(
    rows: Literal["projects", "sources", "documents"], project_id: LiteralString = "''"
) -> LiteralString:
    """Return the key of the lock on how many such rows there may be, in a project or in all.

    A transaction has it from the count of the rows on until it has added one.
    """
    return f"hashtextextended('{rows}' || {project_id}::text, 4)"


def pushes_lock(source_id: LiteralString) -> LiteralString:
    """Return the key of the lock on a source's pushes, which is held for short transactions."""
    return f"hashtextextended({source_id}::text, 3)"


# The key of the lock on the vocabulary. A transaction that adds words shares it to its end, so that
# no word is removed whose new documents cannot be seen yet.
VOCABULARY_LOCK: Final[LiteralString] = "hashtextextended('vocabulary', 5)"
