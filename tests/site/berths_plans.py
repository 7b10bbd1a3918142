"""The plans of the berths: epics, stories, and the documents that others wrote before the work."""

from __future__ import annotations

from typing import Final, NamedTuple

from tests.site.berths_texts import ARCHITECTURE, BRIEF, DATA_MODEL, PRD, RUNBOOK, UX


class Plan(NamedTuple):
    """A story as it is planned; the work on it begins on `first_day`, and ends with `last`."""

    number: str
    title: str
    who: str
    want: str
    so_that: str
    first_day: int | None = None
    last: str = "done"
    waits_for: str = ""
    is_blocked: bool = False
    criteria: tuple[str, ...] = (
        "It works with the keyboard alone.",
        "An error says what to do next.",
        "It takes less than a second with 2,000 berths.",
    )
    tasks: tuple[str, ...] = (
        "Add the columns and their migration",
        "Write the route and its checks",
        "Show it on the page",
    )

    @property
    def slug(self) -> str:
        return self.title.lower().replace(" ", "-")


class Epic(NamedTuple):
    """An epic and its stories."""

    number: int
    title: str
    goal: str
    requirements: tuple[str, ...]
    stories: tuple[Plan, ...]

    @property
    def slug(self) -> str:
        return self.title.lower().replace(" ", "-")


EPICS: Final = (
    Epic(
        1,
        "Berth Register",
        "The harbour master knows each berth: its length, its depth, and whose it is.",
        ("FR1", "FR2"),
        (
            Plan(
                "1.1",
                "List all berths",
                "harbour master",
                "a list of all berths",
                "I find one by its number",
                0,
            ),
            Plan(
                "1.2",
                "Import the old register",
                "harbour master",
                "the register of 2019",
                "nobody types 2,000 berths again",
                2,
            ),
            Plan(
                "1.3",
                "Sort by length and depth",
                "harbour master",
                "berths by length and depth",
                "I find one for a large boat",
                4,
            ),
            Plan(
                "1.4",
                "Close a berth for repairs",
                "harbour master",
                "to close a berth",
                "nobody reserves it while it is repaired",
                6,
            ),
            Plan(
                "1.5",
                "Log who changed what",
                "harbour master",
                "a log of all changes",
                "I know whom to ask",
                9,
            ),
        ),
    ),
    Epic(
        2,
        "Reservations",
        "Skippers reserve a berth before they arrive, and have it when they do.",
        ("FR3", "FR4", "FR5"),
        (
            Plan(
                "2.1",
                "Show a calendar of free berths",
                "skipper",
                "to see which berths are free",
                "I plan my journey",
                11,
            ),
            Plan(
                "2.2",
                "Reserve a berth",
                "skipper",
                "to reserve a berth",
                "I have one when I arrive",
                14,
            ),
            Plan(
                "2.3",
                "Confirm by mail",
                "skipper",
                "a mail with my reservation",
                "I can show it",
                17,
            ),
            Plan(
                "2.4",
                "Cancel a reservation",
                "skipper",
                "to cancel a reservation",
                "another has the berth",
                22,
                "review",
                "2.2",
            ),
            Plan(
                "2.5",
                "Wait for a free berth",
                "skipper",
                "to be told of a berth that gets free",
                "I need not ask each day",
                25,
                "in-progress",
            ),
            Plan(
                "2.6",
                "Reserve for a regatta",
                "race officer",
                "to reserve 40 berths at once",
                "a regatta lies together",
                27,
                "ready-for-dev",
                "2.5",
            ),
        ),
    ),
    Epic(
        3,
        "Payments",
        "A stay is paid before the boat leaves, in the currency of its skipper.",
        ("FR6", "FR7"),
        (
            Plan(
                "3.1",
                "Price a stay by length",
                "harbour master",
                "prices by length and season",
                "large boats pay for their room",
                23,
                "in-progress",
            ),
            Plan(
                "3.2",
                "Pay by card",
                "skipper",
                "to pay by card",
                "I need no cash",
                26,
                "in-progress",
                "3.1",
                is_blocked=True,
            ),
            Plan(
                "3.3",
                "Refund a cancelled stay",
                "skipper",
                "my money back",
                "I dare to reserve early",
                None,
                waits_for="3.2",
            ),
            Plan(
                "3.4",
                "Print a receipt",
                "skipper",
                "a receipt",
                "my company pays me back",
                28,
                "ready-for-dev",
            ),
            Plan(
                "3.5",
                "Remind of open bills",
                "harbour master",
                "to remind of open bills",
                "they are paid",
                None,
            ),
        ),
    ),
    Epic(
        4,
        "Harbour Map",
        "A map shows where a berth is, and how to get there at low water.",
        ("FR8",),
        (
            Plan(
                "4.1",
                "Draw the piers",
                "skipper",
                "a map of the piers",
                "I find my berth",
                28,
                "ready-for-dev",
            ),
            Plan(
                "4.2",
                "Show depths at low water",
                "skipper",
                "depths at low water",
                "I do not run aground",
                None,
            ),
            Plan(
                "4.3",
                "Show who lies beside me",
                "skipper",
                "the names of my neighbours",
                "I can greet them",
                None,
            ),
        ),
    ),
)

_DECISION: Final = """\
# {number}. {title}

- Status: accepted
- Date: 2026-09-1{number}

## Context

{context}

## Decision

{decision}

## Consequences

Migrations must be written by hand, and are reviewed as code is.
"""

PLANS: Final = {
    "README.md": "# Berths\n\nThe harbour's reservations. See [the plan](docs/prd.md).\n",
    "src/berths/reserve.py": "RESERVED_AT_ONCE = 40\n",
    "docs/brief.md": BRIEF,
    "docs/prd.md": PRD,
    "docs/architecture.md": ARCHITECTURE,
    "docs/architecture/data-model.md": DATA_MODEL,
    "docs/architecture/runbook.md": RUNBOOK,
    "docs/ux/front-end-spec.md": UX,
    "docs/decisions/0001-one-database.md": _DECISION.format(
        number=1,
        title="One database",
        context="A second store would have to be kept in step with the first.",
        decision="PostgreSQL holds everything, the mails to send included.",
    ),
    "docs/decisions/0002-no-framework-in-the-browser.md": _DECISION.format(
        number=2,
        title="No framework in the browser",
        context="Skippers use old telephones, and harbours have slow networks.",
        decision="Pages are made on the server.",
    ),
    "docs/decisions/0003-prices-in-cents.md": _DECISION.format(
        number=3,
        title="Prices in cents",
        context="Floating-point numbers cannot hold ten cents.",
        decision="All amounts are integers, in the smallest unit of their currency.",
    ),
    "docs/prices.csv": "length,season,price\n8,summer,2400\n8,winter,1200\n12,summer,3900\n",
    "docs/settings.yaml": "harbour: Westhaven\nberths: 214\ncurrencies: [EUR, DKK, SEK]\n",
}
