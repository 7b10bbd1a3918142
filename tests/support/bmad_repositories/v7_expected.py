"""What the API should say of the field notes of version 7, after its last commit."""

from __future__ import annotations

from tests.support.bmad_repositories.expected import Expected, epic, evidence, problem, story
from tests.support.bmad_repositories.v7_documents import (
    CAPTURE,
    DRAW,
    FILM,
    FRIENDS_PLAN,
    LOST_PLAN,
    MAP_PLAN,
    PHOTO,
    PHOTO_PLAN,
    PLACE_PLAN,
    PRD,
    ROOT,
    SEND,
    SEND_PLAN,
    SHARE,
    TURN,
    TURN_PLAN,
    VOICE,
    VOICE_PLAN,
)
from tests.support.bmad_repositories.v7_documents import EPICS as EPICS_FILE

STORIES = [
    story(
        ("1.1", "1", "1"),
        "Take a photo",
        "done",
        [
            evidence("plan", "done", "done", PHOTO_PLAN, 3, decides=True),
            evidence("tracker_status", "approved", "ready-for-dev", PHOTO, 5),
        ],
        # Its plan decides, which changed after it.
        since="2026-06-05 10:00",
        changed="2026-06-05 10:00",
        path=PHOTO,
        anchor="take-a-photo",
        sentence="walker; to take a photo; I know the tree again",
        criteria=(2, None),
        tasks=(1, 1),
    ),
    story(
        ("1.3", "1", "3"),
        "Find the place",
        "done",
        [evidence("plan", "done", "done", PLACE_PLAN, 3, decides=True)],
        since="2026-06-15 09:00",
        changed="2026-06-15 09:00",
        tasks=(1, 0),
        kind="spike",
    ),
    story(
        ("1.2", "1", "2"),
        "Record a voice",
        "done",
        [
            evidence("plan", "done", "done", VOICE_PLAN, 3, decides=True),
            evidence("tracker_status", "approved", "ready-for-dev", VOICE, 5),
        ],
        since="2026-06-25 09:00",
        changed="2026-06-25 09:00",
        path=VOICE,
        anchor="record-a-voice",
        criteria=(1, None),
        tasks=(1, 0),
        after=["1", "3"],
    ),
    story(
        ("1.4", "1", "4"),
        "Draw a sketch",
        "approved",
        [evidence("tracker_status", "approved", "ready-for-dev", DRAW, 5, decides=True)],
        since="2026-06-23 11:00",
        changed="2026-06-23 11:00",
        path=DRAW,
        anchor="draw-a-sketch",
        # It is not ready: something must be found out first.
        criteria=(1, None),
        after=["1", "2.2"],
        waits_for=[
            {"id": "2.2", "title": "Show notes on a map", "status": "unknown", "path": None}
        ],
    ),
    story(
        ("2.1", "2", "1"),
        "Send a note",
        "blocked",
        [
            evidence("plan", "blocked", "blocked", SEND_PLAN, 3, decides=True),
            evidence("tracker_status", "approved", "ready-for-dev", SEND, 5),
        ],
        since="2026-06-23 09:00",
        changed="2026-06-23 09:00",
        path=SEND,
        anchor="send-a-note",
        criteria=(1, None),
        tasks=(1, 0),
        subtasks=(1, 0),
        review_findings_open=1,
        after=["1.1"],
    ),
    story(
        ("2.2", "2", "2"),
        "Show notes on a map",
        "unknown",
        [evidence("plan", "unknown", "pondering", MAP_PLAN, 3, decides=True)],
        since="2026-06-26 10:00",
        changed="2026-06-26 10:00",
        tasks=(1, 0),
        after=["epic-capture"],
        waits_for=[{"id": "1", "title": "Capture notes", "status": None, "path": None}],
    ),
    story(
        ("2.3", "2", "3"),
        "Read notes of friends",
        "cancelled",
        [
            evidence(
                "plan",
                "cancelled",
                "dropped",
                FRIENDS_PLAN,
                3,
                decides=True,
            )
        ],
        since="2026-06-22 09:00",
        changed="2026-06-22 09:00",
        tasks=(1, 0),
        after=["1", "9"],
        waits_for=[
            {"id": "2.1", "title": "Send a note", "status": "blocked", "path": SEND},
            {"id": "9", "title": "", "status": None, "path": None},
        ],
    ),
    story(
        ("5", None, "5"),
        "Take a film",
        "approved",
        [evidence("tracker_status", "approved", "ready-for-dev", FILM, 5, decides=True)],
        since="2026-06-09 09:00",
        changed="2026-06-09 09:00",
        path=FILM,
        anchor="take-a-film",
        criteria=(1, None),
        archived=True,
    ),
    story(
        ("", None, None),
        "Crash when the phone turns",
        "done",
        [
            evidence("plan", "done", "done", TURN_PLAN, 3, decides=True),
            evidence("tracker_status", "approved", "ready-for-dev", TURN, 4),
        ],
        # It got another name when it was done.
        since="2026-06-11 09:00",
        changed="2026-06-18 09:00",
        path=TURN,
        anchor="crash-when-the-phone-turns",
        kind="bug",
        criteria=(2, None),
        tasks=(1, 0),
    ),
]
EPICS = [
    epic(
        "1",
        "Capture notes",
        None,
        {"approved": 1, "done": 3},
        0.75,
        (EPICS_FILE, 1, None),
        requirements=["FR1"],
    ),
    epic(
        "2",
        "Share notes",
        None,
        {"blocked": 1, "cancelled": 1, "unknown": 1},
        0,
        (EPICS_FILE, 8, None),
        requirements=["FR2"],
    ),
]
PROBLEMS = [
    problem(
        "dependency_conflict",
        "warning",
        DRAW,
        9,
        "In its file, the story 1.4 (Draw a sketch) waits for “2”, and in its entry for “1” and "
        "“2.2”.",
    ),
    problem(
        "dependency_conflict",
        "warning",
        VOICE,
        9,
        "In its file, the story 1.2 (Record a voice) waits for “1”, and in its entry for “1” and "
        "“3”.",
    ),
    problem(
        "dependency_cycle",
        "warning",
        CAPTURE,
        35,
        "The story 1.4 (Draw a sketch) waits for the story 2.2 (Show notes on a map), which waits "
        "for the epic 1, which waits for the story 1.4 (Draw a sketch).",
    ),
    problem(
        "plan_without_ticket",
        "warning",
        LOST_PLAN,
        2,
        "The plan's ticket “print-a-note” names no entry and no file beside it.",
    ),
    problem(
        "requirement_without_story",
        "warning",
        PRD,
        11,
        "No story is known for the requirement FR3: Users print notes.",
    ),
    problem(
        "review_finding_open",
        "warning",
        SEND_PLAN,
        12,
        "Open review finding of the story 2.1 (Send a note): Name the friend [send.py:7]",
    ),
    problem(
        "undeclared_dependency",
        "warning",
        CAPTURE,
        35,
        "The story 1.4 (Draw a sketch) waits for the epic 2, which its own epic does not declare.",
    ),
    problem(
        "undeclared_dependency",
        "warning",
        SHARE,
        1,
        "The story 2.1 (Send a note) waits for the epic 1, which its own epic does not declare.",
    ),
    problem(
        "undeclared_dependency",
        "warning",
        SHARE,
        12,
        "The story 2.2 (Show notes on a map) waits for the epic 1, which its own epic "
        "does not declare.",
    ),
    problem(
        "unknown_dependency",
        "warning",
        SHARE,
        24,
        "The story 2.3 (Read notes of friends) waits for “9”, which is nothing that there is.",
    ),
    problem(
        "unknown_status",
        "warning",
        MAP_PLAN,
        3,
        "The status “pondering” of the story 2.2 (Show notes on a map) is not known.",
    ),
    problem(
        "status_conflict",
        "info",
        TURN,
        4,
        "Of the story “Crash when the phone turns”, the plan says “done” and "
        "tracker_status says “ready-for-dev”.",
    ),
    problem(
        "status_conflict",
        "info",
        VOICE,
        5,
        "Of the story 1.2 (Record a voice), the plan says “done” and tracker_status says "
        "“ready-for-dev”.",
    ),
    problem(
        "status_conflict",
        "info",
        PHOTO,
        5,
        "Of the story 1.1 (Take a photo), the plan says “done” and tracker_status says "
        "“ready-for-dev”.",
    ),
    problem(
        "status_conflict",
        "info",
        SEND,
        5,
        "Of the story 2.1 (Send a note), the plan says “blocked” and tracker_status says "
        "“ready-for-dev”.",
    ),
]
NEXT = {
    "ready": [],
    "in_progress": [],
    "blocked": [DRAW, SEND],
    "to_prepare": [],
}
# The tickets.toml of the epics makes a tree of its folder.
EXPECTED = Expected(
    [each | {"tree": ROOT} for each in STORIES],
    [each | {"tree": ROOT} for each in EPICS],
    [each | {"tree": ROOT} for each in PROBLEMS],
    NEXT,
)
