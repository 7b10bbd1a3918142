"""The JSON of a burn-up."""

from __future__ import annotations

from typing import Any, Final

from marshmallow import fields

from service.schemas.work import EXAMPLE_SOURCE_NAMED, SourceSchema, count_field
from service.web.bodies import ExactSchema


class BurnUpDaySchema(ExactSchema):
    """The end of a day in UTC."""

    date = fields.Date(required=True)
    scope = count_field(
        "Stories with a file or a tracker's entry that are neither cancelled nor archived."
    )
    done = count_field("Those of them that are done.")


class HistorySchema(ExactSchema):
    """How much of a source's history has been read."""

    source = fields.Nested(SourceSchema, required=True)
    is_cut = fields.Boolean(
        required=True, metadata={"description": "Whether there are older commits than those read."}
    )
    note = fields.String(
        required=True,
        allow_none=True,
        metadata={"description": "Why less was read than SYNC_HISTORY_COMMITS allows."},
    )


class BurnUpSchema(ExactSchema):
    """The burn-up of a project, from the history of its sources."""

    days: fields.List[Any] = fields.List(
        fields.Nested(BurnUpDaySchema),
        required=True,
        metadata={
            "description": "The days on which something changed, in order, and today. On a day "
            "between two of them, the numbers are those of the earlier one. "
            "Empty where no story has a history, as with SYNC_HISTORY_COMMITS=0."
        },
    )
    sources: fields.List[Any] = fields.List(
        fields.Nested(HistorySchema),
        required=True,
        metadata={"description": "Those whose history has been read, oldest first."},
    )


EXAMPLE_BURN_UP: Final = {
    "days": [
        {"date": "2026-11-02", "scope": 3, "done": 0},
        {"date": "2026-11-09", "scope": 4, "done": 1},
        {"date": "2026-11-16", "scope": 4, "done": 2},
    ],
    "sources": [{"source": EXAMPLE_SOURCE_NAMED, "is_cut": False, "note": None}],
}
