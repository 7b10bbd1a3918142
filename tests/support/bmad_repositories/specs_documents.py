"""The documents of the clinic of version 6.11, as they are first written."""

from __future__ import annotations

OUTPUT = "_bmad-output"
WORK = f"{OUTPUT}/implementation-artifacts"
BRIEF = f"{OUTPUT}/briefs/brief-clinic-2026-05-01/brief.md"
PRD = f"{OUTPUT}/prds/prd-clinic-2026-05-04/prd.md"
ARCHITECTURE = f"{OUTPUT}/architecture/architecture-clinic-2026-05-05/architecture.md"
SPEC = f"{OUTPUT}/specs/spec-booking"
SPEC_FILE = f"{SPEC}/SPEC.md"
STORIES = f"{SPEC}/stories.yaml"
BOOK = f"{SPEC}/stories/1-book-an-appointment.md"
MOVE = f"{SPEC}/stories/2-move-an-appointment.md"
MOVE_OR_CANCEL = f"{SPEC}/stories/2-move-or-cancel-an-appointment.md"
REMIND = f"{SPEC}/stories/3-remind-patients.md"
OLD_BOOK = f"{SPEC}/old/1-book-an-appointment.md"
TRACKER = f"{WORK}/sprint-status.yaml"
LONG_SLUG = "show-the-doctor-which-patients-have-come-and-which-of-them-wait-longest"
# The method cuts the slugs of keys to 60 characters.
WAITING_KEY = f"1-1-{LONG_SLUG[:60]}"
WAITING = f"{WORK}/spec-1-1-{LONG_SLUG}.md"
ROOMS = f"{WORK}/spec-1-2-find-a-free-room.md"
CALL = f"{WORK}/spec-1-3-call-the-next-patient.md"

BRIEF_TEXT = "---\nstatus: final\n---\n\n# Product Brief: Clinic\n\nPatients book on the web.\n"
PRD_TEXT = """\
---
status: draft
inputDocuments: [brief.md]
---

# PRD: Clinic

## Requirements

- FR-1: Patients book appointments.
- FR-2: Patients move appointments.
"""
ARCHITECTURE_TEXT = "# Architecture Document: Clinic\n\nSee [the PRD](../../prds/gone.md).\n"
SPEC_TEXT = """\
---
title: Booking
status: final
---

# SPEC: Booking

## Why

Patients wait on the telephone.

## Capabilities

- **CAP-1** Patients book an appointment.
- **CAP-2** Patients move an appointment.
"""
STORIES_TEXT = """\
- id: "1"
  title: Book an appointment
  description: >-
    A patient takes a free hour. See CAP-1.
  spec_checkpoint: true
- id: "3"
  title: Remind patients
  description: A mail on the day before.
- id: "2"
  title: Move an appointment
  description: A patient takes another free hour. See CAP-2.
"""
# Each later story in it; none of them has a file.
MORE_STORIES = """\
- id: "4"
  title: Show the week
  description: Doctors see their week.
"""
TRACKER_TEXT = f"""\
generated: 2026-05-06
last_updated: 05-06-2026 08:00
project: Clinic
story_location: "{WORK}"

development_status:
  epic-1: in-progress # Epic 1: The Waiting Room
  {WAITING_KEY}: backlog
  1-2-find-a-free-room: backlog
  1-3-call-the-next-patient: backlog
  epic-1-retrospective: optional
"""
# What a review adds to a story.
FINDINGS_TEXT = """\

### Review Findings

- [x] [Review][Patch] Sort by arrival [clinic/app.py:12]
- [ ] [Review][Defer] Say how long it takes [clinic/app.py:30]
"""


def spec(title: str, kind: str, task: str, criterion: str) -> str:
    """Return a draft in the form of the method's template for what it builds from."""
    return f"""\
---
title: '{title}'
type: '{kind}' # feature | bugfix | refactor | chore
created: '2026-05-06'
status: 'draft' # draft | ready-for-dev | in-progress | in-review | done
context: []
---

# {title}

<frozen-after-approval reason="human-owned intent">

## Intent

**Problem:** The telephone is always busy.

**Approach:** A page shows what is free.

## Boundaries & Constraints

**Always:** Names stay inside the clinic.

**Never:** Payments.

</frozen-after-approval>

## Code Map

- `clinic/app.py` -- the routes

## Tasks & Acceptance

**Execution:**
- [ ] `clinic/app.py` -- {task} -- so that it works
- [ ] `tests/test_app.py` -- test it -- so that it stays

**Acceptance Criteria:**
- {criterion}
- Given a busy day, when nothing is free, then the page says so.

## Spec Change Log

## Verification

- `pytest` -- expected: it passes
"""
