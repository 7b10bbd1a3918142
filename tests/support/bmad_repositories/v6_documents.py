"""The documents of the invoices of version 6, as they are first written."""

from __future__ import annotations

PLANS = "_bmad-output/planning-artifacts"
WORK = "_bmad-output/implementation-artifacts"
PRD = f"{PLANS}/prd.md"
EPICS = f"{PLANS}/epics.md"
TRACKER = f"{WORK}/sprint-status.yaml"
CREATE = f"{WORK}/1-1-create-an-invoice.md"
SEND = f"{WORK}/1-2-send-an-invoice.md"
SEND_BY_MAIL = f"{WORK}/1-2-send-an-invoice-by-mail.md"
CORRECT = f"{WORK}/1-3-correct-an-invoice.md"
RECORD = f"{WORK}/2-1-record-a-payment.md"
REMIND = f"{WORK}/2-2-remind-a-debtor.md"
EXPORT = f"{WORK}/3-1-export-the-ledger.md"
OLD_RECORD = f"{WORK}/archive/2-1-record-a-payment.md"
DEFERRED = f"{WORK}/deferred-work.md"
RETROSPECTIVE = f"{WORK}/epic-1-retro-2026-04-20.md"

TOOLS = {
    "_bmad/bmm/config.yaml": "project_name: Invoices\noutput_folder: _bmad-output\n",
    "_bmad/bmm/workflows/create-story/1-1-example.md": "# Story 1.1: Example\n\nStatus: done\n",
}
PRD_TEXT = """\
---
stepsCompleted: [1, 2, 3]
inputDocuments: []
workflowType: prd
status: final
---

# Product Requirements Document - Invoices

## Functional Requirements

- FR1: Users create invoices.
- FR2: Users send invoices.
- FR3: Users record payments.
- FR4: Users export the ledger.
"""
EPICS_TEXT = """\
---
stepsCompleted: [1, 2, 3, 4]
workflowType: epics
---

# Invoices - Epic Breakdown

## Requirements Inventory

### Functional Requirements

FR1: Users create invoices.
FR2: Users send invoices.
FR3: Users record payments.
FR4: Users export the ledger.

### FR Coverage Map

FR1: Epic 1 - Create and correct invoices
FR2: Epic 1 - Send invoices
FR3: Epic 2 - Record payments

## Epic List

### Epic 1: Invoices

Users write invoices and send them.
**FRs covered:** FR1, FR2

### Epic 2: Payments

Users know who has paid.
**FRs covered:** FR3

## Epic 1: Invoices

Users write invoices and send them.

### Story 1.1: Create an Invoice

As a seller,
I want to create an invoice,
So that I am paid.

### Story 1.2: Send an Invoice

As a seller,
I want to send an invoice,
So that the buyer has it.

### Story 1.3: Correct an Invoice

As a seller,
I want to correct an invoice,
So that its sum is right.

## Epic 2: Payments

Users know who has paid.

### Story 2.1: Record a Payment

As a seller,
I want to record a payment,
So that I know who has paid.

### Story 2.2: Remind a Debtor

As a seller,
I want to remind a debtor,
So that debts are paid.

### Story 2.3: Take Cards

As a buyer,
I want to pay by card,
So that it is fast.
"""
TRACKER_TEXT = """\
# generated: 2026-04-01
# project: Invoices
# story_location: /home/someone/invoices/_bmad-output/implementation-artifacts

generated: 2026-04-01
last_updated: 04-01-2026 09:00
project: Invoices
tracking_system: file-system
story_location: "/home/someone/invoices/_bmad-output/implementation-artifacts"

development_status:
  # Epic 1: Invoices
  epic-1: backlog
  1-1-create-an-invoice: backlog
  1-2-send-an-invoice: backlog
  1-3-correct-an-invoice: backlog
  epic-1-retrospective: optional

  # Epic 2: Payments
  epic-2: backlog
  2-1-record-a-payment: backlog
  2-2-remind-a-debtor: backlog
  2-3-take-cards: backlog
  epic-2-retrospective: optional
"""
# As a later run of the method writes it: without comments, and it took all stories for new.
REWRITTEN_TRACKER = """\
generated: 2026-04-22
last_updated: 04-22-2026 09:00
project: Invoices
tracking_system: file-system
story_location: _bmad-output/implementation-artifacts

development_status:
  epic-1: done
  1-1-create-an-invoice: backlog
  1-2-send-an-invoice-by-mail: backlog
  1-3-correct-an-invoice: backlog
  epic-1-retrospective: done
  epic-2: backlog
  2-1-record-a-payment: backlog
  2-2-remind-a-debtor: backlog
  2-3-take-cards: backlog
  2-4-pay-in-parts: backlog
  epic-2-retrospective: optional
"""
ACTION_ITEMS = """
action_items:
  - epic: 1
    action: "Read the mail's text aloud before it is sent"
    owner: "Grace"
    status: open
  - epic: 1
    action: "Measure how long an invoice takes"
    owner: "Ada"
    status: done
"""
RETROSPECTIVE_TEXT = """\
---
epic: 1
verdict: rejected
date: 2026-04-20
---

# Retrospective of Epic 1

Invoices with two taxes are wrong.
"""
DEFERRED_TEXT = """\
# Deferred Work

## Deferred from: code review of 1-1-create-an-invoice (2026-04-09)

- Round sums as the tax office does
- ~~Name the currency~~
"""
# Its status is none of the method's.
EXPORT_TEXT = """\
# Story 3.1: Export the Ledger

Status: on hold with the lawyers

## Story

As a seller, I want the ledger as a file, so that the tax office has it.

## Acceptance Criteria

1. It is a file.

## Tasks

- [ ] Write it

## Dependencies

- Story 2.2: Remind a Debtor
"""
# What a reviewer adds to a story.
REVIEW_TEXT = """
## QA Results

Quality Score: 95/100

Gate: PASS
"""


def story(number: str, title: str, sentence: str, criteria: str, tasks: str) -> str:
    """Return a story in the form of the method's template, ready for its developer."""
    as_a, i_want, so_that = sentence.split("; ")
    return f"""\
# Story {number}: {title}

Status: ready-for-dev

## Story

As a {as_a},
I want {i_want},
so that {so_that}.

## Acceptance Criteria

{criteria}
## Tasks / Subtasks

{tasks}
## Dev Notes

- Amounts are in cents [Source: _bmad-output/planning-artifacts/prd.md]

## Dev Agent Record

### File List
"""
