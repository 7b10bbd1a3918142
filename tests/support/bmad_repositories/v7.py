"""Version 7 of the method: field notes, as a tree of tickets in build order.

A ticket is an entry of tickets.toml, and may have a file and a plan, whose status decides. A bug is
in the backlog folder, where the plan names its file, and both get other names. Entry 1.3 is found
to be a spike that ends blocked, 2.3 is dropped.
"""

from __future__ import annotations

from tests.support.bmad_repositories.history import (
    Delete,
    Edit,
    History,
    Product,
    Rename,
    Write,
    change_value,
    make_product,
    tick,
)
from tests.support.bmad_repositories.v7_documents import (
    CAPTURE,
    CAPTURE_TEXT,
    CRASH,
    CRASH_PLAN,
    DRAW,
    EPICS,
    EPICS_TEXT,
    FILM,
    FRIENDS_PLAN,
    LOST_PLAN,
    MAP_PLAN,
    PHOTO,
    PHOTO_PLAN,
    PLACE_PLAN,
    PRD,
    PRD_TEXT,
    SEND,
    SEND_PLAN,
    SHARE,
    SHARE_TEXT,
    SKETCH_ENTRY,
    TURN,
    TURN_PLAN,
    VOICE,
    VOICE_PLAN,
    leaf,
    plan,
)


def field_notes() -> Product:
    """Return the repository, with 33 commits from 1 to 26 June 2026."""
    return make_product(
        (_capture, _record, _share),
        "2026-06",
        {
            1: (0, 0),
            2: (3, 0),
            3: (3, 0),
            4: (3, 0),
            5: (3, 1),
            8: (4, 1),
            9: (5, 1),
            10: (5, 1),
            11: (5, 2),
            12: (8, 2),
            15: (8, 3),
            16: (8, 3),
            17: (8, 4),
            18: (8, 4),
            19: (8, 4),
            22: (7, 4),
            23: (7, 4),
            24: (7, 3),
            25: (7, 4),
            26: (7, 4),
        },
    )


def _status(path: str, old: str, new: str) -> Edit:
    return change_value(path, "status", old, new)


def _capture(history: History) -> None:
    history.commit("2026-06-01 09:00", "Write the requirements", Write(PRD, PRD_TEXT))
    history.commit("2026-06-01 10:00", "Cut the work into epics", Write(EPICS, EPICS_TEXT))
    history.commit("2026-06-02 09:00", "Cut the epic into tickets", Write(CAPTURE, CAPTURE_TEXT))
    photo = leaf(
        "story",
        "Take a photo",
        "1",
        "1. **The photo is in the list.**\n   Verify: take one\n"
        "2. **It has a day.**\n   Verify: look\n",
    ).replace(
        "## Context\n\n",
        "## Context\n\nAs a walker, I want to take a photo, so that I know the tree again.\n\n",
    )
    history.commit("2026-06-03 09:00", "Say more of 1.1", Write(PHOTO, photo))
    history.commit("2026-06-03 10:00", "Plan 1.1", Write(PHOTO_PLAN, plan("1", "ready-for-dev")))
    history.commit(
        "2026-06-04 09:00", "Start 1.1", _status(PHOTO_PLAN, "ready-for-dev", "in-progress")
    )
    history.commit("2026-06-04 16:00", "Write it", tick(PHOTO_PLAN, "Write it"))
    history.commit("2026-06-05 09:00", "Build 1.1", _status(PHOTO_PLAN, "in-progress", "built"))
    history.commit("2026-06-05 10:00", "Call 1.1 done", _status(PHOTO_PLAN, "built", "done"))
    history.commit("2026-06-08 09:00", "Want sketches", Write(CAPTURE, CAPTURE_TEXT + SKETCH_ENTRY))


def _record(history: History) -> None:
    crash = leaf(
        "bug",
        "Crash when the phone turns",
        "",
        "1. **A test shows the crash.**\n2. **The list turns.**\n",
    ).replace('id: ""\n', "")
    film = leaf("story", "Take a film", "5", "1. **It has sound.**\n")
    history.commit(
        "2026-06-09 09:00",
        "Report a crash, and put films off",
        Write(CRASH, crash),
        Write(FILM, film),
    )
    history.commit(
        "2026-06-10 09:00",
        "Plan the mending",
        Write(CRASH_PLAN, plan("bug-crash-when-the-phone-turns", "in-progress")),
    )
    history.commit("2026-06-11 09:00", "Mend the crash", _status(CRASH_PLAN, "in-progress", "done"))
    history.commit(
        "2026-06-11 10:00", "Look for the place", Write(PLACE_PLAN, plan("3", "in-progress"))
    )
    history.commit("2026-06-12 08:00", "Cut sharing into tickets", Write(SHARE, SHARE_TEXT))
    history.commit(
        "2026-06-12 09:00", "Find the place", _status(PLACE_PLAN, "in-progress", "in-review")
    )
    history.commit("2026-06-15 09:00", "Call 1.3 done", _status(PLACE_PLAN, "in-review", "done"))
    voice = leaf("story", "Record a voice", "2", "1. **It is heard again.**\n", "[1]")
    history.commit("2026-06-16 09:00", "Say more of 1.2", Write(VOICE, voice))
    history.commit("2026-06-16 10:00", "Plan 1.2", Write(VOICE_PLAN, plan("2", "in-progress")))
    history.commit("2026-06-17 09:00", "Finish 1.2", _status(VOICE_PLAN, "in-progress", "done"))


def _share(history: History) -> None:
    history.commit(
        "2026-06-18 09:00",
        "Name the bug more shortly",
        Rename(CRASH, TURN),
        Delete(CRASH_PLAN),
        Write(TURN_PLAN, plan("bug-crash-when-turned", "done")),
    )
    send = leaf("story", "Send a note", "1", "1. **A friend has it.**\n", '["1.1"]')
    history.commit("2026-06-18 10:00", "Say more of 2.1", Write(SEND, send))
    tasks = (
        "- [ ] Write it\n  - [ ] Encrypt it\n- [ ] [Review][Patch] Name the friend [send.py:7]\n"
    )
    history.commit(
        "2026-06-19 09:00", "Plan 2.1", Write(SEND_PLAN, plan("1", "in-progress", tasks))
    )
    history.commit(
        "2026-06-19 10:00",
        "Plan what no ticket asks for",
        Write(LOST_PLAN, plan("print-a-note", "draft")),
    )
    history.commit(
        "2026-06-22 09:00",
        "Read no notes of friends",
        Write(
            FRIENDS_PLAN,
            plan("3", "dropped"),
        ),
    )
    history.commit(
        "2026-06-23 09:00", "Wait for the server", _status(SEND_PLAN, "in-progress", "blocked")
    )
    history.commit(
        "2026-06-23 10:00",
        "Wait for what is not declared",
        Edit(EPICS, 'after = ["1"]', "after = []"),
        Edit(
            SHARE,
            'title = "Show notes on a map"',
            'title = "Show notes on a map"\nslug = "show-notes-on-a-map"',
        ),
    )
    sketch = leaf("story", "Draw a sketch", "4", "1. **It is a line.**\n", '["2"]')
    history.commit("2026-06-23 11:00", "Say more of 1.4", Write(DRAW, sketch))
    history.commit("2026-06-24 09:00", "Reopen 1.2", _status(VOICE_PLAN, "done", "in-review"))
    history.commit(
        "2026-06-24 10:00",
        "Wait for a ticket that is gone, and for one that waits for this epic",
        Edit(SHARE, "after = [1]", "after = [1, 9]"),
        Edit(CAPTURE, 'after = ["1"]', 'after = ["1", "2.2"]'),
    )
    history.commit("2026-06-25 09:00", "Call 1.2 done", _status(VOICE_PLAN, "in-review", "done"))
    history.commit("2026-06-26 09:00", "Plan 2.2", Write(MAP_PLAN, plan("2", "draft")))
    history.commit("2026-06-26 10:00", "Think about 2.2", _status(MAP_PLAN, "draft", "pondering"))
