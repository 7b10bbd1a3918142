"""Version 6.11 of the method: a clinic, whose stories are specifications with front matter.

The stories of the folder spec-booking are in the build order of stories.yaml, which never has a
status; those of the waiting room have keys in sprint-status.yaml. A file gets another name, 1.3 is
dropped, and the first try at booking is archived.
"""

from __future__ import annotations

from tests.support.bmad_repositories.history import (
    Edit,
    History,
    Product,
    Rename,
    Write,
    change_value,
    make_product,
    tick,
)
from tests.support.bmad_repositories.specs_documents import (
    ARCHITECTURE,
    ARCHITECTURE_TEXT,
    BOOK,
    BRIEF,
    BRIEF_TEXT,
    CALL,
    FINDINGS_TEXT,
    MORE_STORIES,
    MOVE,
    MOVE_OR_CANCEL,
    OLD_BOOK,
    PRD,
    PRD_TEXT,
    REMIND,
    ROOMS,
    SPEC_FILE,
    SPEC_TEXT,
    STORIES,
    STORIES_TEXT,
    TRACKER,
    TRACKER_TEXT,
    WAITING,
    WAITING_KEY,
    spec,
)


def clinic() -> Product:
    """Return the repository, with 33 commits from 1 to 29 May 2026."""
    return make_product(
        (_plan, _book, _wait),
        "2026-05",
        {
            1: (0, 0),
            4: (0, 0),
            5: (3, 0),
            6: (6, 0),
            7: (6, 0),
            8: (6, 0),
            11: (6, 1),
            12: (6, 1),
            13: (6, 1),
            15: (6, 1),
            18: (6, 2),
            19: (7, 2),
            20: (7, 2),
            21: (7, 2),
            22: (7, 3),
            25: (6, 3),
            26: (6, 3),
            27: (6, 3),
            28: (6, 2),
            29: (6, 3),
        },
    )


def _status(path: str, old: str, new: str) -> Edit:
    return Edit(path, f"\nstatus: '{old}'", f"\nstatus: '{new}'")


def _key(key: str, old: str, new: str) -> Edit:
    return change_value(TRACKER, f"  {key}", old, new)


def _plan(history: History) -> None:
    history.commit("2026-05-01 09:00", "Write the brief", Write(BRIEF, BRIEF_TEXT))
    history.commit("2026-05-04 09:00", "Write the requirements", Write(PRD, PRD_TEXT))
    history.commit(
        "2026-05-05 09:00", "Draw the architecture", Write(ARCHITECTURE, ARCHITECTURE_TEXT)
    )
    history.commit("2026-05-05 10:00", "Specify booking", Write(SPEC_FILE, SPEC_TEXT))
    history.commit("2026-05-05 11:00", "Break booking down", Write(STORIES, STORIES_TEXT))
    history.commit("2026-05-06 08:00", "Plan the waiting room", Write(TRACKER, TRACKER_TEXT))
    book = spec(
        "Book an appointment",
        "feature",
        "list free hours",
        "Given a free hour, when I take it, then it is mine.",
    )
    history.commit("2026-05-06 09:00", "Specify story 1 of booking", Write(BOOK, book))
    history.commit("2026-05-06 10:00", "Approve it", _status(BOOK, "draft", "ready-for-dev"))


def _book(history: History) -> None:
    history.commit(
        "2026-05-07 09:00",
        "Begin again",
        Write(OLD_BOOK, history.files[BOOK]),
        _status(BOOK, "ready-for-dev", "in-progress"),
    )
    history.commit("2026-05-07 17:00", "List free hours", tick(BOOK, "`clinic/app.py`"))
    history.commit(
        "2026-05-08 09:00",
        "Test booking",
        tick(BOOK, "`tests/test_app.py`"),
        _status(BOOK, "in-progress", "in-review"),
    )
    history.commit("2026-05-11 09:00", "Finish booking", _status(BOOK, "in-review", "done"))
    move = spec(
        "Move an appointment",
        "feature",
        "move hours",
        "Given an appointment, when I take another hour, then the old one is free.",
    )
    history.commit("2026-05-11 10:00", "Specify story 2 of booking", Write(MOVE, move))
    history.commit("2026-05-12 09:00", "Approve it", _status(MOVE, "draft", "ready-for-dev"))
    history.commit("2026-05-13 09:00", "Start it", _status(MOVE, "ready-for-dev", "in-progress"))
    history.commit(
        "2026-05-15 09:00",
        "Name it by what it does",
        Rename(MOVE, MOVE_OR_CANCEL),
    )
    history.commit(
        "2026-05-18 09:00",
        "Finish moving",
        tick(MOVE_OR_CANCEL, "`clinic/app.py`"),
        tick(MOVE_OR_CANCEL, "`tests/test_app.py`"),
        _status(MOVE_OR_CANCEL, "in-progress", "done"),
    )
    history.commit(
        "2026-05-19 09:00", "Show the week later", Write(STORIES, STORIES_TEXT + MORE_STORIES)
    )


def _wait(history: History) -> None:
    waiting = spec(
        "Show who waits",
        "feature",
        "list patients",
        "Given three patients, when one has waited longest, then that one is first.",
    ).replace(
        "**Problem:**",
        "As a doctor, I want to see who waits, so that I call the right one.\n\n**Problem:**",
    )
    history.commit(
        "2026-05-19 10:00",
        "Specify 1.1",
        Write(WAITING, waiting),
    )
    history.commit(
        "2026-05-20 09:00",
        "Start 1.1",
        _status(WAITING, "draft", "in-progress"),
        _key(WAITING_KEY, "backlog", "in-progress"),
    )
    history.commit("2026-05-20 16:00", "List patients", tick(WAITING, "`clinic/app.py`"))
    history.commit(
        "2026-05-21 09:00",
        "Review 1.1",
        tick(WAITING, "`tests/test_app.py`"),
        Edit(WAITING, "\n## Spec Change Log", f"{FINDINGS_TEXT}\n## Spec Change Log"),
        _status(WAITING, "in-progress", "in-review"),
        _key(WAITING_KEY, "in-progress", "review"),
    )
    history.commit(
        "2026-05-22 09:00",
        "Finish 1.1, and forget the tracker",
        _status(WAITING, "in-review", "done"),
    )
    rooms = spec(
        "Find a free room",
        "feature",
        "list rooms",
        "Given a free room, when a patient comes, then the room is shown.",
    ).replace("## Code Map", "**Depends on:** Story 1.1\n\n## Code Map")
    history.commit("2026-05-25 09:00", "Specify 1.2", Write(ROOMS, rooms))
    call = spec(
        "Call the next patient",
        "bugfix",
        "ring a bell",
        "Given a bell, when it rings, then a patient comes.",
    )
    history.commit(
        "2026-05-25 10:00",
        "Specify 1.3, and drop it",
        Write(CALL, call.replace("status: 'draft'", "status: 'dropped'")),
        _key("1-3-call-the-next-patient", "backlog", "dropped"),
    )
    history.commit(
        "2026-05-26 09:00",
        "Approve 1.2",
        _status(ROOMS, "draft", "ready-for-dev"),
        _key("1-2-find-a-free-room", "backlog", "ready-for-dev"),
    )
    history.commit(
        "2026-05-26 10:00",
        "Finish the PRD, and break its front matter",
        Edit(PRD, "status: draft", "status: final"),
        Edit(PRD, "[brief.md]", "[brief.md"),
    )
    remind = spec(
        "Remind patients",
        "feature",
        "write mails",
        "Given an appointment tomorrow, when it is noon, then a mail is sent.",
    )
    history.commit("2026-05-27 09:00", "Specify story 3 of booking", Write(REMIND, remind))
    history.commit("2026-05-27 10:00", "Approve it", _status(REMIND, "draft", "ready-for-dev"))
    history.commit(
        "2026-05-27 11:00", "It waits for mails", _status(REMIND, "ready-for-dev", "blocked")
    )
    history.commit(
        "2026-05-28 09:00",
        "Reopen moving",
        _status(MOVE_OR_CANCEL, "done", "in-review"),
    )
    history.commit(
        "2026-05-28 10:00",
        "Write the tracker anew",
        Write(TRACKER, history.files[TRACKER].replace("05-06-2026 08:00", "05-28-2026 10:00")),
    )
    history.commit(
        "2026-05-29 09:00",
        "Finish moving again",
        _status(MOVE_OR_CANCEL, "in-review", "done"),
    )
