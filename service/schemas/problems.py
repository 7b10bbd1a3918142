"""The JSON of the problems of a project's work."""

from __future__ import annotations

from typing import Any, Final

from marshmallow import fields, validate

from service.bmad.problem_kinds import PROBLEM_KINDS, SEVERITIES
from service.schemas.example_ids import EXAMPLE_DOCUMENT_ID
from service.schemas.work import (
    EXAMPLE_SOURCE_NAMED,
    count_field,
    document_id_field,
    path_field,
    source_field,
    tree_field,
)
from service.web.bodies import ExactSchema


class SeverityCountsSchema(ExactSchema):
    """How many problems have each severity."""

    error = count_field()
    warning = count_field()
    info = count_field()


class WorkProblemSchema(ExactSchema):
    """A problem of the work."""

    kind = fields.String(required=True, validate=validate.OneOf(PROBLEM_KINDS))
    severity = fields.String(required=True, validate=validate.OneOf(SEVERITIES))
    detail = fields.String(required=True, metadata={"description": "One sentence."})
    path = path_field()
    line = fields.Integer(
        required=True, strict=True, allow_none=True, metadata={"description": "From 1."}
    )
    document_id = document_id_field()
    source = source_field()
    tree = tree_field()
    target = fields.String(
        required=True,
        allow_none=True,
        metadata={"description": "Of a broken link, as it is written; otherwise null."},
    )
    reason = fields.String(
        required=True,
        allow_none=True,
        metadata={
            "description": "Of a broken link: no_file, no_anchor, or outside, which leads out of "
            "the repository; otherwise null."
        },
    )


EXAMPLE_WORK_PROBLEM: Final[dict[str, Any]] = {
    "kind": "broken_link",
    "severity": "warning",
    "detail": "The link to architecture.md leads to no file or folder of the repository.",
    "path": "docs/prd.md",
    "line": 12,
    "document_id": EXAMPLE_DOCUMENT_ID,
    "source": EXAMPLE_SOURCE_NAMED,
    "tree": "",
    "target": "architecture.md",
    "reason": "no_file",
}
