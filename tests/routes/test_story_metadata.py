"""The schema of `doc_metadata.story`, and documents that have one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import jsonschema
import pytest

from service.app import ROUTES
from service.bmad.readings import GateReading, Issue, ReviewFinding, StatusWord, StoryReading
from service.routes.shared import RESOURCES
from service.schemas.story_metadata import (
    GateIssueSchema,
    GateReadingSchema,
    ReviewFindingSchema,
    StatusWordSchema,
    StoryMetadataSchema,
)
from service.web.openapi import build_document
from tests.support.hub import Synced, running_hub

if TYPE_CHECKING:
    from pathlib import Path

STORY = b"""---
status: done
---
# Story 1.1: Sign in

## Status

Review

## Story

**As a** user,
**I want** to sign in,
**so that** I am known.

## Acceptance Criteria

1. It works.

## Tasks

- [x] One
- [ ] [Review][Patch] Name the field [app.py:3]

## QA Results

### Gate Status

Gate: CONCERNS

**Quality Score:** 80/100
"""
BARE = b"# Story 1.2: Sign out\n\n## Status\n\nDraft\n\n## Acceptance Criteria\n\n- [x] It works.\n"


@pytest.mark.parametrize(
    ("schema", "reading"),
    [
        (StoryMetadataSchema, StoryReading),
        (StatusWordSchema, StatusWord),
        (ReviewFindingSchema, ReviewFinding),
        (GateReadingSchema, GateReading),
        (GateIssueSchema, Issue),
    ],
)
def test_the_schema_has_the_fields_of_the_reading(schema: Any, reading: Any) -> None:
    fields = schema().fields
    required = {name for name in fields if fields[name].required}
    assert required == reading.__required_keys__
    assert {*fields} - required == reading.__optional_keys__


def test_stories_of_documents_fit_the_schema(database: str, tmp_path: Path) -> None:
    files = {"docs/stories/1.1.a.md": STORY, "docs/stories/1.2.b.md": BARE}
    with running_hub(database, tmp_path) as hub:
        project = Synced(hub, files).project
        stories = [hub.document(project, path)["doc_metadata"]["story"] for path in files]
    document = build_document(ROUTES, RESOURCES)
    for schema in document["components"]["schemas"].values():
        if "properties" in schema:
            schema["additionalProperties"] = False
    named = {"$ref": "#/components/schemas/StoryMetadata", "components": document["components"]}
    for story in stories:
        jsonschema.validate(story, named)
    assert [len(story["statuses"]) for story in stories] == [2, 1]
    assert ["gate" in story for story in stories] == [True, False]
    assert [len(story["review_findings"]) for story in stories] == [1, 0]
