"""The JSON of projects."""

from __future__ import annotations

from typing import Final

from marshmallow import fields

from service.schemas.example_ids import EXAMPLE_PROJECT_ID
from service.web.bodies import ExactSchema, InputSchema, Text


class ProjectInputSchema(InputSchema):
    """A project, as a client sends it."""

    name = Text(shortest=1, longest=255, is_name=True, required=True)
    description = Text(longest=2000, allow_none=True, load_default=None)


class ProjectSchema(ExactSchema):
    """A project."""

    id = fields.UUID(required=True)
    name = fields.String(required=True)
    description = fields.String(required=True, allow_none=True)
    created_at = fields.DateTime(required=True)
    updated_at = fields.DateTime(required=True)


EXAMPLE_PROJECT_INPUT: Final = {"name": "Payments", "description": "Everything about paying."}
EXAMPLE_PROJECT: Final = {
    "id": EXAMPLE_PROJECT_ID,
    **EXAMPLE_PROJECT_INPUT,
    "created_at": "2026-11-25T03:00:00.123456+00:00",
    "updated_at": "2026-11-25T03:00:00.123456+00:00",
}
