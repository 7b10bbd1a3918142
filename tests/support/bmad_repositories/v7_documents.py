"""The documents of the field notes of version 7, as they are first written."""

from __future__ import annotations

ROOT = "_bmad-output/field-notes"
EPICS = f"{ROOT}/tickets.toml"
CAPTURE = f"{ROOT}/capture/tickets.toml"
SHARE = f"{ROOT}/share/tickets.toml"
PRD = f"{ROOT}/prd.md"
PHOTO = f"{ROOT}/capture/story-take-a-photo.md"
PHOTO_PLAN = f"{ROOT}/capture/story-take-a-photo-plan.md"
VOICE = f"{ROOT}/capture/story-record-a-voice.md"
VOICE_PLAN = f"{ROOT}/capture/story-record-a-voice-plan.md"
PLACE_PLAN = f"{ROOT}/capture/spike-find-the-place-plan.md"
DRAW = f"{ROOT}/capture/story-draw-a-sketch.md"
SEND = f"{ROOT}/share/story-send-a-note.md"
SEND_PLAN = f"{ROOT}/share/story-send-a-note-plan.md"
MAP_PLAN = f"{ROOT}/share/story-show-notes-on-a-map-plan.md"
LOST_PLAN = f"{ROOT}/share/story-print-a-note-plan.md"
FRIENDS_PLAN = f"{ROOT}/share/story-read-notes-of-friends-plan.md"
CRASH = f"{ROOT}/backlog/bug-crash-when-the-phone-turns.md"
TURN = f"{ROOT}/backlog/bug-crash-when-turned.md"
CRASH_PLAN = f"{ROOT}/backlog/bug-crash-when-the-phone-turns-plan.md"
FILM = f"{ROOT}/archive/story-take-a-film.md"
TURN_PLAN = f"{ROOT}/backlog/bug-crash-when-turned-plan.md"

PRD_TEXT = """\
---
status: final
---

# PRD: Field Notes

## Requirements

- FR1: Users take notes outside.
- FR2: Users share notes.
- FR3: Users print notes.
"""
EPICS_TEXT = """\
[[epic]]
id = "1"
slug = "capture"
title = "Capture notes"
covers = ["FR1"]
after = []

[[epic]]
id = "2"
slug = "share"
title = "Share notes"
covers = ["FR2"]
after = ["1"]
"""
CAPTURE_TEXT = """\
[[entry]]
id = "1"
type = "story"
title = "Take a photo"
description = "A photo becomes a note."
verify = "Take one on a phone."
covers = ["FR1"]
after = []
risk = 2
estimate = "2d"
hitl = false

[[entry]]
id = "3"
type = "spike"
title = "Find the place"
description = "Which of the phone's ways finds the place in a forest."
covers = []
after = []
risk = 3
estimate = "1d"
hitl = true

[[entry]]
id = "2"
type = "story"
title = "Record a voice"
description = "A voice becomes a note."
covers = ["FR1"]
after = [1, 3]
risk = 2
estimate = "3d"
hitl = false
"""
SKETCH_ENTRY = """
[[entry]]
id = "4"
type = "story"
title = "Draw a sketch"
description = "A sketch becomes a note."
covers = []
after = ["1"]
risk = 1
estimate = "1d"
hitl = false
unknown = "Whether a finger is thin enough"
"""
SHARE_TEXT = """\
[[entry]]
id = "1"
type = "story"
title = "Send a note"
description = "A note goes to a friend."
covers = ["FR2"]
after = ["1.1"]
risk = 2
estimate = "2d"
hitl = false

[[entry]]
id = "2"
type = "story"
title = "Show notes on a map"
description = "A map has all notes."
covers = ["FR2"]
after = ["epic-capture"]
risk = 2
estimate = "2d"
hitl = false

[[entry]]
id = "3"
type = "story"
title = "Read notes of friends"
description = "Notes of friends are in the list."
covers = []
after = [1]
risk = 2
estimate = "2d"
hitl = false
"""


def leaf(kind: str, title: str, number: str, criteria: str, after: str = "[]") -> str:
    """Return the file of a ticket, which says in more words what its entry says."""
    return f"""\
---
id: "{number}"
type: {kind}
title: "{title}"
tracker_status: ready-for-dev
after: {after}
---

# {title}

## Context

Who walks has one hand free.

## Acceptance Criteria

{criteria}
"""


def plan(ticket: str, word: str, tasks: str = "- [ ] Write it\n") -> str:
    """Return the plan of a ticket."""
    return f"""\
---
ticket: "{ticket}"
status: {word}
---

# Plan

## Tasks

{tasks}"""
