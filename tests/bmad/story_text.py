"""Texts of stories, for the tests of this room."""

from service.bmad.readings import StoryReading
from service.bmad.story import read_story
from tests.support.bmad_documents import bmad_document

V4_STORY = """# Story 2.10: Pay by card

## Status

Done

## Story

**As a** customer,
**I want** to pay by card,
**so that** I need no cash.

## Acceptance Criteria

1. **A card is charged once**:
   - [x] The gateway gets one request
   - [x] A second click does nothing

2. **Failures are shown**:
   - [x] The reason is on the page
   - [ ] The customer can try again

## Tasks / Subtasks

- [x] **Task 1: Charge the card** (AC: 1)
  - [x] Call `POST /charges`
  - [x] Send a key
    - [ ] Store the key
- [ ] **Task 2: Show failures** (AC: 2)
  - [ ] Translate reasons

## Dev Notes

### Acceptance Criteria Mapping

- [ ] AC3 is not here

## QA Results

**Status:** PASS

### Gate Status

Gate: PASS

### Recommended Status

Ready for Done
"""


def story_of(text: str, path: str = "docs/stories/a.story.md") -> StoryReading:
    """Return what a story's file with this text says."""
    found = read_story(bmad_document(text, path))
    assert found
    return found
