"""What the API should say of the clinic of version 6.11, after its last commit."""

from __future__ import annotations

from tests.support.bmad_repositories.expected import Expected, epic, evidence, problem, story
from tests.support.bmad_repositories.specs_documents import (
    ARCHITECTURE,
    BOOK,
    CALL,
    MOVE_OR_CANCEL,
    OLD_BOOK,
    PRD,
    REMIND,
    ROOMS,
    SPEC_FILE,
    TRACKER,
    WAITING,
)
from tests.support.bmad_repositories.specs_documents import STORIES as STORIES_YAML

STORIES = [
    story(
        ("1.1", "1", "1"),
        "Show who waits",
        "done",
        [
            # The key was cut, and belongs to the file with the whole name.
            evidence("front_matter", "done", "done", WAITING, 5, decides=True),
            evidence("sprint_status", "review", "review", TRACKER, 8),
        ],
        since="2026-05-22 09:00",
        changed="2026-05-22 09:00",
        path=WAITING,
        anchor="show-who-waits",
        sentence="doctor; to see who waits; I call the right one",
        criteria=(2, None),
        tasks=(2, 2),
        review_findings_open=1,
    ),
    story(
        ("1.2", "1", "2"),
        "Find a free room",
        "approved",
        [
            evidence("front_matter", "approved", "ready-for-dev", ROOMS, 5, decides=True),
            evidence("sprint_status", "approved", "ready-for-dev", TRACKER, 9),
        ],
        since="2026-05-26 09:00",
        changed="2026-05-26 09:00",
        path=ROOMS,
        anchor="find-a-free-room",
        criteria=(2, None),
        tasks=(2, 0),
        after=["1.1"],
        is_ready=True,
    ),
    story(
        ("1.3", "1", "3"),
        "Call the next patient",
        "cancelled",
        [
            evidence("front_matter", "cancelled", "dropped", CALL, 5, decides=True),
            evidence("sprint_status", "cancelled", "dropped", TRACKER, 10),
        ],
        since="2026-05-25 10:00",
        changed="2026-05-25 10:00",
        path=CALL,
        anchor="call-the-next-patient",
        kind="bug",
        criteria=(2, None),
        tasks=(2, 0),
    ),
    story(
        ("1", "booking", "1"),
        "Book an appointment",
        "done",
        [evidence("front_matter", "done", "done", BOOK, 5, decides=True)],
        since="2026-05-11 09:00",
        changed="2026-05-11 09:00",
        path=BOOK,
        anchor="book-an-appointment",
        criteria=(2, None),
        tasks=(2, 2),
    ),
    story(
        ("3", "booking", "3"),
        "Remind patients",
        "blocked",
        [evidence("front_matter", "blocked", "blocked", REMIND, 5, decides=True)],
        since="2026-05-27 11:00",
        changed="2026-05-27 11:00",
        path=REMIND,
        anchor="remind-patients",
        criteria=(2, None),
        tasks=(2, 0),
    ),
    story(
        ("2", "booking", "2"),
        "Move an appointment",
        "done",
        [evidence("front_matter", "done", "done", MOVE_OR_CANCEL, 5, decides=True)],
        since="2026-05-29 09:00",
        changed="2026-05-29 09:00",
        path=MOVE_OR_CANCEL,
        anchor="move-an-appointment",
        criteria=(2, None),
        tasks=(2, 2),
    ),
    story(
        ("4", "booking", "4"),
        "Show the week",
        "draft",
        [evidence("tickets", "draft", "", STORIES_YAML, 12, decides=True)],
        since="2026-05-19 09:00",
        changed="2026-05-19 09:00",
    ),
    story(
        ("1", None, "1"),
        "Book an appointment",
        "approved",
        [evidence("front_matter", "approved", "ready-for-dev", OLD_BOOK, 5, decides=True)],
        since="2026-05-07 09:00",
        changed="2026-05-07 09:00",
        path=OLD_BOOK,
        anchor="book-an-appointment",
        criteria=(2, None),
        tasks=(2, 0),
        archived=True,
    ),
]
EPICS = [
    epic(
        "1",
        "The Waiting Room",
        "in_progress",
        {"approved": 1, "done": 1, "cancelled": 1},
        0.5,
        said=[evidence("sprint_status", "in_progress", "in-progress", TRACKER, 7, decides=True)],
    ),
    epic(
        "booking",
        "Booking",
        None,
        {"draft": 1, "done": 2, "blocked": 1},
        0.5,
        (SPEC_FILE, 6, "spec-booking"),
        (STORIES_YAML, 1, None),
    ),
]
PROBLEMS = [
    problem(
        "broken_link",
        "warning",
        ARCHITECTURE,
        3,
        "The link to ../../prds/gone.md leads to no file or folder of the repository.",
        "../../prds/gone.md",
        "no_file",
    ),
    problem(
        "review_finding_open",
        "warning",
        WAITING,
        46,
        "Open review finding of the story 1.1 (Show who waits): Say how long it takes "
        "[clinic/app.py:30]",
    ),
    problem(
        "status_conflict",
        "warning",
        TRACKER,
        8,
        "Of the story 1.1 (Show who waits), the front matter says “done” and "
        "sprint-status says “review”.",
    ),
    problem(
        "unreadable_document",
        "warning",
        PRD,
        4,
        "The front matter cannot be read whole: line 4: did not find expected ',' or ']'.",
    ),
]
NEXT = {
    "ready": [ROOMS],
    "in_progress": [],
    "blocked": [REMIND],
    "to_prepare": ["4"],
}
EXPECTED = Expected(STORIES, EPICS, PROBLEMS, NEXT)
