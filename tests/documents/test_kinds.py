from __future__ import annotations

import json
import tarfile
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service import ROOT
from service.documents.kind_names import KINDS
from service.documents.kinds import PLANNING_HEADINGS, PLANNING_WORDS, kind_of
from service.documents.metadata import read_metadata
from service.documents.story_signs import may_be_story
from service.documents.text import file_type_of, read_text
from tests.documents.test_metadata import documents

SAMPLES = ROOT.parent / "shared/samples"

V4_STORY = """
# Story 1.2: Pay by card

## Status
Draft

## Story
**As a** customer,
**I want** to pay by card,
**so that** I need no cash.

## Acceptance Criteria
1. A card is charged once.

## Tasks / Subtasks
- [ ] Charge the card (AC: 1)

## Dev Notes
Use the gateway.
"""
V6_STORY = """
# Story 1.2: Pay by card

Status: ready-for-dev

As a customer,
I want to pay by card.

## Acceptance Criteria

1. A card is charged once.
"""
SPEC = """---
title: 'Pay by card'
type: 'feature'
status: 'ready-for-dev'
---

## Intent

**Problem:** Customers need cash.

## Tasks & Acceptance

- [ ] `pay.py` -- charge the card
"""
FRENCH_STORY = """
# Histoire 1.2 : Payer par carte

**Statut :** Terminé

**En tant que** client, je veux payer par carte.

## Critères d'acceptation

1. La carte est débitée une fois.
"""
CHINESE_STORY = """
# 故事 1.2: 刷卡支付

## 状态
草稿

作为顾客
我希望刷卡支付。

## 验收标准

1. 只扣款一次。
"""
KOREAN_STORY = """
# 스토리 1.2: 카드 결제

상태: 완료

## 인수 조건

1. 한 번만.
"""
SPANISH_STORY = (
    "# Historia 1.2: Pagar\n\n**Estado:** hecho\n\n## Criterios de aceptación\n\n1. Una vez.\n"
)
PORTUGUESE_STORY = "# História 1.2: Pagar\n\n## Critérios de Aceite\n\n1. Uma vez.\n"
PLAIN_STORY = "# Pay by card\n\n- **Status:** done\n\n**Acceptance Criteria:**\n\n1. Once.\n"
TABLE_STORY = "# 1.2 Pay by card\n\n| Status | done |\n|---|---|\n\n### AC1: once\n\nGiven a card\n"
GATE = "schema: 1\nstory: '1.2'\ngate: PASS\nreviewer: Quinn\n"
LEAN_SPEC = (
    "---\ntitle: Pay by card\ntype: feature\nstatus: done\n---\n# Pay\n\n## Intent\n\nCash.\n"
)
EPIC = "# Epic 1: Payments\n\n## Story 1.1: Pay by card\n\nAs a customer, I want to pay by card.\n"
EPICS = "# Payments - Epic Breakdown\n\n## Epic 1: Cards\n\n### Story 1.1: Pay\n"
PRD = "# Payments Product Requirements Document (PRD)\n\n## Goals\n"
REPORT = "# Validation of story 1.2\n\n## Acceptance Criteria\n\nAll are met.\n"
TWO_SECTIONS = "# Pay by card\n\nStatus: done\n\n## Acceptance Criteria\n\n1. Once.\n"
THREE_SECTIONS = "## Acceptance Criteria\n\nA\n\n## Tasks\n\nB\n\n## Status\n\nDone\n"
STORY_BELOW_EPIC = f"# Epic 1: Cards\n{V4_STORY}"
NOTES = "# Some words\n\nNothing of importance.\n"


def read_kind(path: str, text: str) -> str:
    file_type = file_type_of(path) or "toml"
    return kind_of(path, file_type, read_metadata(text, file_type, path), text)


@pytest.mark.parametrize(
    ("path", "text"),
    [
        # Layout 4
        ("docs/stories/1.2.story.md", NOTES),
        ("docs/stories/1.2.pay-by-card.md", V4_STORY),
        ("docs/stories/story-1.2.md", V4_STORY),
        ("docs/stories/STORY-001.md", V4_STORY),
        ("docs/stories/epic-1/1.2.pay-by-card.md", V4_STORY),
        ("docs/epics/epic-01/02-pay-by-card.md", V4_STORY),
        ("docs/epics/epic-1/stories/1.2-pay.md", V4_STORY),
        ("docs/epics/story-1.2.md", V4_STORY),
        ("docs/stories/pay.story.md", NOTES),
        ("docs/user-stories/US-001-pay.md", V4_STORY),
        ("stories/E12-S04-pay.md", V4_STORY),
        ("stories/AP-4.4.md", V4_STORY),
        ("stories/epic-1.story-10.md", V4_STORY),
        ("docs/story-pay-by-card.md", "As a customer, I want to pay by card.\n"),
        ("planning/pay-by-card.md", V4_STORY),
        ("docs/stories/1.2.pay-by-card.md", "\n"),
        # Layout 6
        ("_bmad-output/implementation-artifacts/1-2-pay-by-card.md", V6_STORY),
        ("docs/sprint-artifacts/1-2a-pay-by-card.md", V6_STORY),
        ("bmad-output/implementation-artifacts/3-5-1-pay.md", V6_STORY),
        ("_bmad-output/implementation-artifacts/1-2-review-and-audit-context.md", V6_STORY),
        ("_bmad-output/implementation-artifacts/1-2-document-template.md", V6_STORY),
        # Layout 6.11
        ("_bmad-output/implementation-artifacts/spec-1-2-pay-by-card.md", SPEC),
        ("specs/spec-payments/stories/1-pay-by-card.md", SPEC),
        ("specs/spec-payments/stories/3-2-pay-by-card.md", SPEC),
        ("specs/spec-payments/stories/1-pay-by-card.md", LEAN_SPEC),
        ("_bmad-output/specs/spec-payments/stories/9-extra.md", LEAN_SPEC),
        ("_bmad-output/implementation-artifacts/spec-3-1-pay-by-card.md", LEAN_SPEC),
        ("_bmad-output/implementation-artifacts/spec-fix-login.md", LEAN_SPEC),
        ("_bmad-output/implementation-artifacts/epic-3/spec-fix-login.md", LEAN_SPEC),
        ("docs/sprint-artifacts/spec-fix-login.md", SPEC),
        ("docs/stories/spec-fix-login.md", LEAN_SPEC.replace("type: feature", "type: chore")),
        # Layout 7
        ("tickets/payments/cards/story-pay-by-card.md", "---\ntracker_status: done\n---\nCards.\n"),
        ("tickets/payments/cards/spike-choose.md", "---\ntracker_status: done\n---\nCards.\n"),
        ("tickets/payments/backlog/bug-crash.md", "---\ntype: bug\n---\n# Crash\n"),
        # Languages and forms
        ("docs/stories/1.2.payer.md", FRENCH_STORY),
        ("docs/stories/1.2.支付.md", CHINESE_STORY),
        ("docs/stories/1.2.결제.md", KOREAN_STORY),
        ("docs/stories/1.2.pagar.md", SPANISH_STORY),
        ("docs/stories/hu-1.2.md", SPANISH_STORY),
        ("docs/historias/1.2-pagar.md", SPANISH_STORY),
        ("docs/épicas/épica-1/02-pagar.md", SPANISH_STORY),
        ("docs/stories/1.2-pagar.md", PORTUGUESE_STORY),
        ("docs/récits/1.2.payer.md", FRENCH_STORY),
        ("docs/stories/1.2.pay.md", PLAIN_STORY),
        ("docs/stories/1.2.pay.md", TABLE_STORY),
        ("archive/stories/1.2.pay.md", V4_STORY),
        ("docs/stories/1.2-pay-summary.md", V4_STORY),
        ("docs/stories/1.2-pay-UPDATED.md", V4_STORY),
        # Names of an epic and its story
        ("docs/stories/epic-1-story-2-pay.md", V4_STORY),
        ("docs/stories/epic-1-story-2-pay.md", TWO_SECTIONS),
        ("docs/stories/epic-1.story-2.pay.md", TWO_SECTIONS),
        ("docs/stories/Epic1_Story2.md", TWO_SECTIONS),
        ("docs/stories/epic-AP-1-story-2.md", TWO_SECTIONS),
        ("docs/stories/epica-1-historia-2.md", SPANISH_STORY),
        ("docs/stories/epic-120-s01.md", TWO_SECTIONS),
        ("docs/epics/epic-1-story-2-pay.md", TWO_SECTIONS),
        ("docs/epic-1-story-2-pay.md", TWO_SECTIONS),
        # The first heading names the epic, and another one the only story
        ("docs/stories/1.2.story.md", STORY_BELOW_EPIC),
        ("docs/stories/1.2.story.md", "# Epic 1: Cards\n\n## Story\n\nAs a customer, I want x.\n"),
        ("docs/stories/1.2-pay.md", STORY_BELOW_EPIC),
        ("docs/stories/1.2-pay.md", STORY_BELOW_EPIC.replace("# Story", "## Story")),
        ("docs/stories/epic-1-story-2.md", STORY_BELOW_EPIC),
        # The heading has the number and the words of the name
        ("docs/stories/1.2.pay-by-card.md", "# Story 1.2: Pay by card\n\nText.\n"),
        ("docs/stories/story-1.2.md", "# Story 1.2 - Pay by card\n\nText.\n"),
        ("docs/stories/E12-S04.md", "# E12-S04: Pay by card\n\nText.\n"),
        ("docs/sprint-artifacts/1-2-pay-by-card.md", "# 1.2 Pay by Card!\n\nText.\n"),
        ("docs/stories/1.2.3-pay.md", "# Story 1.2.3: Pay\n\nText.\n"),
        ("docs/stories/1.2-change-log.md", "# Story 1.2: Change log\n\nText.\n"),
        # Titles that may be of documents about stories, with the sentence of a story
        ("docs/stories/story-map.md", V4_STORY.replace("Story 1.2: Pay by card", "Map")),
        ("docs/stories/1.2-code-review.md", V4_STORY.replace("Pay by card", "Code review")),
        ("docs/stories/1.2-pay.md", V4_STORY.replace("Story 1.2: Pay by card", "Story Overview")),
        ("docs/stories/1.2-validation.md", V4_STORY.replace("Pay by card", "Validation")),
        # Or with all sections of one
        *(
            (path, f"# {heading}\n\n{THREE_SECTIONS}\n## Dev Notes\n\nC\n")
            for path, heading in (
                ("docs/stories/2-4-x.md", "Story 2.4: Test Cases"),
                ("docs/stories/2-4-x.md", "Story 2.4: Implementation Plan"),
                ("docs/stories/2-4-x.md", "Story 2.4: Validation Report"),
                ("docs/stories/2-4-x.md", "Story 2.4: Retrospective"),
                ("docs/stories/1-1-login.md", "Story 1.1 Tasks"),
            )
        ),
        ("docs/stories/story-pay.md", TWO_SECTIONS),
        ("docs/stories/story-map-view.md", TWO_SECTIONS),
        ("docs/stories/1.2.story.md", f"# Story 1.2 Context\n{NOTES}"),
    ],
)
def test_stories_of_each_layout_are_recognized(path: str, text: str) -> None:
    assert read_kind(path, text) == "story"
    assert read_kind(path, text.replace("\n", "\r\n")) == "story"


@pytest.mark.parametrize(
    ("path", "text"),
    [
        # The method's tools and templates
        (".bmad-core/tasks/1.2.story.md", V4_STORY),
        ("_bmad/bmm/stories/1.2.pay.md", V4_STORY),
        ("bmad/stories/1.2.pay.md", V4_STORY),
        ("src/bmad-create-story/stories/1.2.pay.md", V4_STORY),
        ("node_modules/x/stories/1.2.pay.md", V4_STORY),
        ("expansion-packs/stories/1.2.pay.md", V4_STORY),
        ("web-bundles/README.md", NOTES),
        ("docs/stories/story-template.md", V4_STORY),
        ("docs/stories/story.template.md", V4_STORY),
        ("docs/templates/story-1.md", V4_STORY),
        ("docs/stories/story-1.md", V6_STORY.replace("1.2", "{{epic_num}}.{{story_num}}")),
        ("docs/prd-template.md", PRD),
        ("docs/prd.md", "# {{project_name}} - PRD\n"),
        # What is written about stories
        ("docs/reviews/1.2-pay.md", V4_STORY),
        ("docs/qa/assessments/1.2-risk-20260101.md", REPORT),
        ("docs/stories/reviews/1.2-pay.md", V4_STORY),
        ("docs/stories/1.2-validation-report.md", REPORT),
        ("docs/stories/1.2-validation-report-2026-01-01.md", SPEC),
        ("docs/stories/1-2-pay.context.md", SPEC),
        ("docs/stories/1-2-pay.md", "Status: done\n"),
        ("docs/stories/atdd-checklist-1.2.md", REPORT),
        ("docs/stories/tech-spec-epic-1.md", REPORT),
        ("docs/stories/1.2-pay-IMPLEMENTATION-SUMMARY.md", REPORT),
        ("_bmad-output/implementation-artifacts/1-2-inventory.md", "# Story 1.2: cards in use\n"),
        ("_bmad-output/implementation-artifacts/1-2-pay-verification.md", "# Story 1.2 verified\n"),
        ("_bmad-output/implementation-artifacts/1-2a-verification.md", "# Story 1.2a Verification"),
        ("docs/stories/1.2-test-results.md", "# Story 1.2: Test results\n\nAll pass.\n"),
        ("docs/stories/1.2-demo-script.md", "# Story 1.2 Demo Script\n\nText.\n"),
        ("docs/stories/1.2.md", "# Story 1.2 demo\n"),
        ("docs/stories/1.3-diagram.md", "# Story 1.3 diagram\n"),
        ("docs/stories/1.3-rollback.md", "# 1.3 Rollback\n\nText.\n"),
        ("_bmad-output/implementation-artifacts/1-1-qa-script.md", "# 1-1 QA Script\n"),
        ("docs/stories/1-1-set-up-walkthrough.md", "# 1.1 Set-up walkthrough\n\nText.\n"),
        ("docs/stories/2025-01-01-standup.md", "# 2025-01-01 standup\n"),
        (
            "_bmad-output/implementation-artifacts/2026-02-01-deploy-log.md",
            "# 2026-02-01 Deploy log",
        ),
        ("docs/specs/1-2-3.md", "# 1.2.3\n\nRelease notes.\n"),
        ("_bmad-output/implementation-artifacts/spec-1-2-findings.md", SPEC),
        (
            "_bmad-output/implementation-artifacts/spec-1-2-findings.md",
            SPEC.replace("Pay by card", "Story 1.2: findings"),
        ),
        ("docs/stories/1.2-pay-REVIEW-RESULTS.md", REPORT.replace("##", "Status: done\n\n##")),
        (
            "_bmad-output/implementation-artifacts/deferred-work.md",
            "# Deferred Work\n\n## Story 1\n",
        ),
        ("_bmad-output/implementation-artifacts/epic-1-context.md", "# Epic 1 Context: Cards\n"),
        ("_bmad-output/implementation-artifacts/epic-1-retro-2026-01-01.md", "# Epic 1: Retro\n"),
        ("_bmad-output/implementation-artifacts/sprint-status.yaml", "development_status:\n"),
        (
            "tickets/payments/cards/story-pay-plan.md",
            "---\nticket: 2\nstatus: done\n---\n## Tasks\n",
        ),
        ("docs/bug-list.md", "# Bugs\n"),
        ("docs/spike-of-load.md", "---\ntype: report\n---\n# Load\n"),
        ("docs/stories/1.2-notes.md", NOTES),
        ("docs/stories/1.2-guide.md", "# Story 1.2: how to test\n\nText.\n"),
        ("docs/stories/1.2-pay.md", "# Pay\n\nText.\n"),
        ("docs/guides/1.2-pay.md", "# Story 1.2: Pay\n\nText.\n"),
        ("docs/stories/epic-1-story-2-summary.md", REPORT),
        ("docs/stories/epic-1-story-2-pay.md", NOTES),
        ("docs/epics/epic-1-story-2-pay.md", NOTES),
        ("docs/epic-1-story-2.yaml", "status: done\n"),
        ("docs/stories/index.md", "# Stories\n\n- [1.2](1.2.pay.md)\n"),
        ("docs/story-map.md", "# The map\n"),
        ("docs/story-map.md", f"# Story Map\n\n{THREE_SECTIONS}"),
        ("docs/stories/story-index.md", f"# Stories\n\n{THREE_SECTIONS}"),
        ("docs/story-points.md", THREE_SECTIONS),
        ("docs/process.md", f"# Story Lifecycle\n\n{THREE_SECTIONS}"),
        ("docs/stories/overview.md", f"# Story Overview\n\nAs a user, I pay.\n\n{THREE_SECTIONS}"),
        ("docs/story-1-1-to-1-5.md", f"# Stories 1.1 to 1.5\n\n{THREE_SECTIONS}"),
        ("docs/story-telling.md", "# Stories\n\nAs a rule, stories help.\n"),
        ("docs/stories/1-1-context.md", f"# Story 1.1 Context\n\n{THREE_SECTIONS}"),
        (
            "docs/stories/story-1.1-completion-report.md",
            f"# Story 1.1: Completion Report\n\n{THREE_SECTIONS}",
        ),
        ("docs/stories/1-1-pay-review.md", f"# Review: Story 1.1\n\n{THREE_SECTIONS}"),
        ("docs/guide.md", "# Guide\n\n## Status\n\n## Tasks\n\n## Acceptance Criteria\n"),
        ("docs/handoffs/epic-4-to-epic-5-handoff.md", "# Epic 4 to Epic 5\n"),
        ("docs/checklists/epic-5-pre-development-checklist.md", "# Epic 5: checklist\n"),
        ("docs/validation/epic-2-validation-report.md", "# Epic 2: report\n"),
        ("docs/retrospectives/epic-1-retrospective.md", "# Epic 1: what we learnt\n"),
        ("docs/prd-validation-report.md", "# PRD Validation Report\n"),
        ("docs/architecture-review.md", NOTES),
        ("_bmad-output/planning-artifacts/implementation-readiness-report-2026-01-01.md", NOTES),
        ("_bmad-output/planning-artifacts/prds/prd-pay-2026-01-01/review-rubric.md", NOTES),
        ("_bmad-output/planning-artifacts/architecture/architecture-pay/reviews/a.md", NOTES),
        ("docs/qa/early-test-architecture.md", NOTES),
        ("docs/qa/gates/index.md", NOTES),
        ("package.json", "{}"),
        ("docs/data.csv", "story,status\n"),
        # The front matter of a 6.11 story, elsewhere or under another name; and parts of it
        ("docs/spec-fix-login.md", LEAN_SPEC),
        ("docs/specs/spec-fix-login.md", LEAN_SPEC),
        ("docs/specs/1-pay-by-card.md", LEAN_SPEC),
        ("docs/stories/1-overview.md", LEAN_SPEC),
        ("specs/spec-payments/stories/overview.md", LEAN_SPEC),
        ("specs/spec-payments/decisions.md", LEAN_SPEC),
        ("_bmad-output/implementation-artifacts/fix-login.md", LEAN_SPEC),
        ("_bmad-output/implementation-artifacts/reviews/spec-fix-login.md", LEAN_SPEC),
        ("_bmad-output/implementation-artifacts/spec-fix-login-review-notes.md", LEAN_SPEC),
        ("_bmad-output/implementation-artifacts/tech-spec-fix-login.md", LEAN_SPEC),
        *(
            (path, LEAN_SPEC.replace("type: feature", f"type: {type_}"))
            for path, type_ in (
                ("_bmad-output/implementation-artifacts/spec-api-contract.md", "reference"),
                ("docs/stories/spec-arch.md", "architecture"),
                ("_bmad-output/implementation-artifacts/spec-tech-debt.md", "tech-spec"),
                ("specs/spec-shop/stories/1-research.md", "research"),
                ("docs/specs/api/stories/2024-plan.md", "plan"),
                ("docs/sprint-artifacts/spec-x.md", "adr"),
            )
        ),
        *(
            (
                "_bmad-output/implementation-artifacts/spec-fix-login.md",
                LEAN_SPEC.replace(f"{key}:", "x:"),
            )
            for key in ("title", "type", "status")
        ),
        ("docs/notes.txt", "Story 1.2: Pay\nStatus: done\n"),
    ],
)
def test_tools_templates_and_documents_about_others_are_other(path: str, text: str) -> None:
    assert read_kind(path, text) == "other"


@pytest.mark.parametrize(
    ("path", "text", "kind"),
    [
        # Gates
        ("docs/qa/gates/1.2-pay-by-card.yml", GATE, "gate"),
        ("docs/qa/gates/1.2-pay-by-card.yml", "gate: [PASS\n  : broken", "gate"),
        ("docs/qa/gates/epic-1.yml", "decision: CONCERNS\n", "gate"),
        ("docs/qa/gates/1.2-pay.md", "# Gate\n\n**Decision:** PASS\n", "gate"),
        ("docs/quality/1.2-gate.yaml", GATE, "gate"),
        ("docs/gate-decision-1.2.md", "# Quality gate\n\n**Gate Decision: WAIVED**\n", "gate"),
        ("docs/quality/gate.yaml", GATE, "gate"),
        ("docs/qa/login-gate.yaml", "gate: PASS\n", "gate"),
        ("1.2-pay.yaml", "gate: PASS\n", "gate"),
        ("docs/values.yaml", "gate: closed\n", "other"),
        # The gate of something else.
        ("config/gate.yaml", "gate: pass\ntimeout: 3\n", "other"),
        ("docs/gate.md", "# API gate\n\nStatus: pass through\n", "other"),
        ("docs/gate.md", "# Gate\n\nStatus: pass with concerns\n", "gate"),
        ("docs/1.1-gate.md", "# Quality Gate 1.1\n\n**Status:** PASSED on first review\n", "gate"),
        ("docs/1.1-gate.md", "# Quality Gate 1.1\n\nGate: PASS on 2025-01-01\n", "gate"),
        ("docs/gate-1.1.yml", "id: 1.1\ngate: PASS\n", "gate"),
        ("docs/gate-login.yml", "gate: pass\n", "gate"),
        ("docs/login-gate.yml", "gate: PASS\nnotes: x\n", "gate"),
        ("docs/x.yml", "Story: 1.1\ngate: PASS\n", "gate"),
        ("docs/x.yml", '"story": 1.1\ngate: pass\n', "gate"),
        ("docs/x.yml", "gate: PASS\n", "gate"),
        ("docs/qa/gates/README.md", NOTES, "readme"),
        # Epics
        ("docs/epics.md", EPICS, "epic"),
        ("docs/epics.v2.md", NOTES, "epic"),
        ("docs/epicsv2.md", NOTES, "epic"),
        ("docs/epic.3.test-design.md", NOTES, "other"),
        ("docs/epicv2.md", NOTES, "other"),
        ("docs/epics.yaml", "epics: []\n", "epic"),
        ("docs/epics/epic-1.md", NOTES, "epic"),
        ("docs/epics/index.md", NOTES, "epic"),
        ("docs/epics/payments.md", NOTES, "epic"),
        ("docs/epica-2-pagos.md", NOTES, "epic"),
        ("docs/épicos.md", NOTES, "epic"),
        ("docs/pagos.md", "# Épica 2: Pagos\n", "epic"),
        ("docs/épicas/pagos.md", NOTES, "epic"),
        ("docs/epics/epic-3-review-workflow.md", NOTES, "epic"),
        ("docs/prd/epic-1-cards.md", EPIC, "epic"),
        ("docs/stories/epic-1.md", EPIC, "epic"),
        ("docs/stories/story-0.2.1.md", EPIC, "epic"),
        ("docs/stories/1.1.story.md", f"{EPIC}\n## Story 1.2: Pay in cash\n", "epic"),
        ("docs/stories/1.1-cards.md", f"{EPIC}\n## Story 1.2: Pay in cash\n", "epic"),
        ("docs/stories/story-0.2.1.md", EPIC.replace("1.1", "0.2.1.1"), "epic"),
        ("docs/epics/epic-1-s3-storage.md", EPIC, "epic"),
        ("docs/epics/epic-1-stories.md", NOTES, "epic"),
        ("_bmad-output/planning-artifacts/epics.md", EPICS, "epic"),
        ("planning/cards.md", EPIC, "epic"),
        ("planning/breakdown.md", EPICS, "epic"),
        ("docs/stories/1.2-pay.md", V4_STORY.replace("Story 1.2", "Epic 1 - Story 2"), "story"),
        ("tickets/payments/tickets.toml", '[[epic]]\nid = "1"\n', "epic"),
        # Planning documents
        ("docs/prd.md", NOTES, "prd"),
        ("docs/PRD.md", NOTES, "prd"),
        ("docs/prd/index.md", NOTES, "prd"),
        ("docs/prd/goals-and-background-context.md", NOTES, "prd"),
        ("docs/prd/checklist-results-report.md", NOTES, "prd"),
        ("docs/product-requirements.md", NOTES, "prd"),
        ("docs/payments_prd.md", NOTES, "prd"),
        ("docs/what.md", PRD, "prd"),
        ("docs/what.md", "---\nworkflowType: prd\n---\n# Payments\n", "prd"),
        ("_bmad-output/planning-artifacts/prds/prd-pay-2026-01-01/prd.md", NOTES, "prd"),
        ("specs/spec-payments/SPEC.md", "# Payments\n\n## Why\n\n## Capabilities\n", "prd"),
        ("docs/architecture.md", NOTES, "architecture"),
        ("docs/architecture/tech-stack.md", NOTES, "architecture"),
        ("docs/fullstack-architecture.md", NOTES, "architecture"),
        (
            "_bmad-output/planning-artifacts/architecture/architecture-pay/ARCHITECTURE-SPINE.md",
            NOTES,
            "architecture",
        ),
        ("docs/adr/0001-use-postgresql.md", NOTES, "architecture"),
        ("docs/how.md", "# Payments Architecture Document\n", "architecture"),
        ("docs/brief.md", NOTES, "brief"),
        ("docs/project-brief.md", NOTES, "brief"),
        ("_bmad-output/planning-artifacts/briefs/brief-pay-2026-01-01/brief.md", NOTES, "brief"),
        ("_bmad-output/planning-artifacts/product-brief-pay-2026-01-01.md", NOTES, "brief"),
        ("docs/idea.md", "# Project Brief: Payments\n", "brief"),
        ("docs/front-end-spec.md", NOTES, "ux"),
        ("docs/ux-specification.md", NOTES, "ux"),
        ("_bmad-output/planning-artifacts/ux-design-specification.md", NOTES, "ux"),
        ("_bmad-output/planning-artifacts/ux-designs/ux-pay-2026-01-01/DESIGN.md", NOTES, "ux"),
        ("docs/screens.md", "# Payments UI/UX Specification\n", "ux"),
        # The rest
        ("README.md", NOTES, "readme"),
        ("docs/readme.markdown", NOTES, "readme"),
        ("README_CN.md", NOTES, "readme"),
        ("docs/qa/README.fr.md", NOTES, "readme"),
        ("README.txt", NOTES, "readme"),
        (".bmad-core/README.md", NOTES, "other"),
        ("docs/stories/README.md", V4_STORY, "readme"),
        ("", "", "other"),
    ],
)
def test_other_kinds_are_recognized_by_path_or_content(path: str, text: str, kind: str) -> None:
    assert read_kind(path, text) == kind


segments = st.sampled_from(
    ["docs", "stories", "epics", "epic-1", "prd", "qa", "gates", "_bmad", ".x", "README", "a_b"]
) | st.text(max_size=5)
names = st.sampled_from(
    ["1.2-pay.md", "story-1.md", "epics.md", "prd.md", "1.yml", "tickets.toml", "gate.json", ".md"]
) | st.text(max_size=9)


@settings(deadline=None)
@given(st.lists(segments, max_size=4), names, documents | st.sampled_from([V4_STORY, SPEC, EPIC]))
def test_any_path_and_text_has_a_kind(folders: list[str], name: str, text: str) -> None:
    path = "/".join([*folders, name])
    assert read_kind(path, text) in KINDS


@pytest.mark.parametrize("path", ["docs/stories/1.2.md", "docs/qa/gates/a.md", "a.md", "b.yaml"])
@pytest.mark.parametrize(
    "part",
    [
        *(
            "Status",
            "Status: ",
            "**",
            "_",
            " ",
            "\n",
            "a ",
            "- ",
            "As ",
            "gate ",
            "# a\n",
            "\u3000",
        ),
        *("# Tasks / Tasks / ", "|", "x" * 40 + "\n", "epic ", "# Story ", "gate:", "a로서 ", "1."),
    ],
)
def test_a_megabyte_of_repeated_words_has_a_kind_in_bounded_time(path: str, part: str) -> None:
    text = (part * 1_000_000)[:1_000_000]
    file_type = file_type_of(path)
    assert file_type
    metadata = read_metadata(text, file_type, path)
    begun = time.process_time()
    assert kind_of(path, file_type, metadata, text) in KINDS
    long_path = "/".join((part * 4_000)[:4_000].split())
    assert kind_of(f"{long_path}/{path}", file_type, metadata, text) in KINDS
    assert kind_of(f"{(part * 4_000)[:4_000]}.md", "md", metadata, text) in KINDS
    assert time.process_time() - begun < 1  # 0.1 s at most, where nothing else runs


@pytest.mark.skipif(not SAMPLES.exists(), reason="the samples are not part of the repository")
def test_stories_epics_and_gates_of_a_real_repository_are_recognized() -> None:
    labels = json.loads((SAMPLES / "bmadflow.labels.json").read_text())
    found: dict[str, set[str]] = {kind: set() for kind in KINDS}
    with tarfile.open(SAMPLES / "bmadflow.tar.gz") as archive:
        for member in archive:
            path = member.name.partition("/")[2]
            file_type = file_type_of(path)
            if file_type and (file := archive.extractfile(member)):
                text = read_text(file.read()).text
                metadata = read_metadata(text, file_type, path)
                found[kind_of(path, file_type, metadata, text)].add(path)
    assert found["story"] == {story["path"] for story in labels["stories"]}
    assert found["gate"] == {
        story["gate_file"] for story in labels["stories"] if story["gate_file"]
    }
    epics = {path for epic in labels["epics"] for path in epic["paths"]}
    assert found["epic"] == epics - {"docs/prd.md"}
    assert found["prd"] == {"docs/prd.md"}


@given(st.sampled_from(PLANNING_HEADINGS).flatmap(lambda each: st.from_regex(each[1])))
def test_each_heading_of_a_planning_document_has_one_of_the_words_that_are_looked_for_first(
    heading: str,
) -> None:
    assert any(word in heading.casefold() for word in PLANNING_WORDS)


def test_first_heading_of_level_1_tells_what_may_be_a_story() -> None:
    for text in ("# Story 1.1: A", "text\n# Story: A\n", "---\na: b\n---\n\n# 1.2 A\n", "# 故事 1"):
        assert may_be_story(text)
    for text in ("", "# A story", "## Story 1.1: A", "#Story 1.1", "# A\n\n# Story 1.1", "\n#"):
        assert not may_be_story(text)
