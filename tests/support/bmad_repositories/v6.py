"""Version 6 of the method: invoices, with a tracker, sprint-status.yaml, beside the stories' files.

The tracker lags behind a file once, and is rewritten, with all statuses lost, and deleted and
restored. Story 1.2 gets another name, 2.3 is cancelled, and 3.1 has a file and no key.
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
from tests.support.bmad_repositories.v6_documents import (
    ACTION_ITEMS,
    CORRECT,
    CREATE,
    DEFERRED,
    DEFERRED_TEXT,
    EPICS,
    EPICS_TEXT,
    EXPORT,
    EXPORT_TEXT,
    OLD_RECORD,
    PRD,
    PRD_TEXT,
    RECORD,
    REMIND,
    RETROSPECTIVE,
    RETROSPECTIVE_TEXT,
    REVIEW_TEXT,
    REWRITTEN_TRACKER,
    SEND,
    SEND_BY_MAIL,
    TOOLS,
    TRACKER,
    TRACKER_TEXT,
    story,
)


def invoices() -> Product:
    """Return the repository, with 35 commits from 1 to 30 April 2026."""
    return make_product(
        (_create, _send, _pay),
        "2026-04",
        {
            1: (6, 0),
            2: (6, 0),
            3: (6, 0),
            7: (6, 0),
            8: (6, 0),
            9: (6, 1),
            10: (6, 1),
            13: (6, 2),
            14: (6, 2),
            16: (6, 2),
            17: (6, 3),
            20: (6, 3),
            # The new tracker has a story more, and takes all for new: the files decide.
            22: (7, 3),
            23: (7, 3),
            24: (7, 3),
            # The tracker is gone, and with it the stories that have no file.
            27: (5, 3),
            # It is there again, and one of its stories is cancelled.
            28: (6, 3),
            29: (7, 4),
            30: (7, 3),
        },
    )


def _status(path: str, old: str, new: str) -> Edit:
    return change_value(path, "Status", old, new)


def _key(key: str, old: str, new: str) -> Edit:
    return change_value(TRACKER, f"  {key}", old, new)


def _create(history: History) -> None:
    history.commit(
        "2026-04-01 08:00",
        "Install the method",
        *(Write(path, text) for path, text in TOOLS.items()),
    )
    history.commit(
        "2026-04-01 09:00", "Write the plans", Write(PRD, PRD_TEXT), Write(EPICS, EPICS_TEXT)
    )
    history.commit("2026-04-01 10:00", "Plan the sprint", Write(TRACKER, TRACKER_TEXT))
    create = story(
        "1.1",
        "Create an Invoice",
        "seller; to create an invoice; I am paid",
        "1. Given a buyer, when I add a line, then the sum grows.\n"
        "2. Given no buyer, when I save, then I am told.\n\n",
        "- [ ] Task 1: Store invoices (AC: #1)\n  - [ ] Sum the lines\n"
        "- [ ] Task 2: Check the buyer (AC: #2)\n\n",
    )
    history.commit(
        "2026-04-02 09:00",
        "Create story 1.1",
        Write(CREATE, create),
        _key("1-1-create-an-invoice", "backlog", "ready-for-dev"),
        _key("epic-1", "backlog", "in-progress"),
    )
    history.commit(
        "2026-04-02 10:00",
        "Start 1.1",
        _status(CREATE, "ready-for-dev", "in-progress"),
        _key("1-1-create-an-invoice", "ready-for-dev", "in-progress"),
    )
    history.commit(
        "2026-04-03 09:00",
        "Store invoices",
        tick(CREATE, "Task 1"),
        tick(CREATE, "Sum the lines"),
    )
    history.commit("2026-04-07 09:00", "Check the buyer", tick(CREATE, "Task 2"))
    history.commit(
        "2026-04-07 10:00",
        "Review 1.1",
        _status(CREATE, "in-progress", "review"),
        _key("1-1-create-an-invoice", "in-progress", "review"),
    )
    send = story(
        "1.2",
        "Send an Invoice",
        "seller; to send an invoice; the buyer has it",
        "**AC1:** The mail has the invoice.\n\n**AC2:** The seller has a copy.\n\n",
        "- [ ] Task 1: Send mails (AC: 1)\n- [ ] Task 2: Keep copies (AC: 2)\n\n",
    )
    history.commit(
        "2026-04-08 09:00",
        "Create story 1.2",
        Write(SEND, send),
        _key("1-2-send-an-invoice", "backlog", "ready-for-dev"),
    )
    # The tracker lags until the 10th.
    history.commit(
        "2026-04-09 09:00",
        "Finish 1.1",
        _status(CREATE, "review", "done"),
        Edit(CREATE, "\n### File List\n", f"\n### File List\n{REVIEW_TEXT}"),
        Write(DEFERRED, DEFERRED_TEXT),
    )


def _send(history: History) -> None:
    history.commit(
        "2026-04-10 09:00",
        "Bring the tracker up to date",
        _key("1-1-create-an-invoice", "review", "done"),
    )
    history.commit(
        "2026-04-10 10:00",
        "Start 1.2",
        _status(SEND, "ready-for-dev", "in-progress"),
        _key("1-2-send-an-invoice", "ready-for-dev", "in-progress"),
    )
    history.commit("2026-04-10 17:00", "Send mails", tick(SEND, "Task 1"))
    history.commit(
        "2026-04-13 09:00",
        "Finish 1.2",
        tick(SEND, "Task 2"),
        _status(SEND, "in-progress", "done"),
        _key("1-2-send-an-invoice", "in-progress", "done"),
    )
    history.commit(
        "2026-04-14 09:00",
        "Name 1.2 as the mail has it",
        Rename(SEND, SEND_BY_MAIL),
        Edit(TRACKER, "1-2-send-an-invoice:", "1-2-send-an-invoice-by-mail:"),
    )
    correct = story(
        "1.3",
        "Correct an Invoice",
        "seller; to correct an invoice; its sum is right",
        "- [ ] The old invoice is kept\n- [ ] The new one names the old one\n\n",
        "- [ ] Task 1: Keep versions (AC: all)\n  - [ ] Show them\n    - [ ] By day\n\n",
    )
    history.commit(
        "2026-04-14 10:00",
        "Create story 1.3",
        Write(CORRECT, correct),
        _key("1-3-correct-an-invoice", "backlog", "ready-for-dev"),
    )
    history.commit(
        "2026-04-16 09:00",
        "Keep versions",
        _status(CORRECT, "ready-for-dev", "in-progress"),
        _key("1-3-correct-an-invoice", "ready-for-dev", "in-progress"),
        tick(CORRECT, "The old invoice"),
        tick(CORRECT, "Show them"),
        tick(CORRECT, "By day"),
    )
    history.commit(
        "2026-04-17 09:00",
        "Finish 1.3",
        _status(CORRECT, "in-progress", "done"),
        _key("1-3-correct-an-invoice", "in-progress", "done"),
        tick(CORRECT, "The new one"),
        tick(CORRECT, "Task 1"),
    )
    history.commit("2026-04-20 09:00", "Look back", Write(RETROSPECTIVE, RETROSPECTIVE_TEXT))
    history.commit(
        "2026-04-20 10:00",
        "Close epic 1",
        _key("epic-1", "in-progress", "done"),
        _key("epic-1-retrospective", "optional", "done"),
    )


def _pay(history: History) -> None:
    before = history.files[TRACKER]
    history.commit("2026-04-22 09:00", "Plan the sprint again", Write(TRACKER, REWRITTEN_TRACKER))
    history.commit(
        "2026-04-23 09:00",
        "Restore the statuses",
        _key("1-1-create-an-invoice", "backlog", "done"),
        _key("1-2-send-an-invoice-by-mail", "backlog", "done"),
        _key("1-3-correct-an-invoice", "backlog", "done"),
    )
    assert "2-4-pay-in-parts" not in before
    record = story(
        "2.1",
        "Record a Payment",
        "seller; to record a payment; I know who has paid",
        "1. A payment has a day.\n2. It pays one invoice.\n\n",
        "- [ ] Task 1: Store payments (AC: 1, 2)\n"
        "- [ ] [Review][Patch] Refuse payments of tomorrow [payments.py:40]\n"
        "- [x] [Review][Defer] Payments in other currencies\n\n",
    )
    history.commit(
        "2026-04-23 10:00",
        "Create story 2.1",
        Write(OLD_RECORD, record.replace("ready-for-dev", "done")),
        Write(RECORD, record),
        _key("2-1-record-a-payment", "backlog", "ready-for-dev"),
        _key("epic-2", "backlog", "in-progress"),
    )
    history.commit(
        "2026-04-24 09:00",
        "Store payments",
        _status(RECORD, "ready-for-dev", "in-progress"),
        _key("2-1-record-a-payment", "ready-for-dev", "in-progress"),
        tick(RECORD, "Task 1"),
    )
    remind = story(
        "2.2",
        "Remind a Debtor",
        "seller; to remind a debtor; debts are paid",
        "1. A letter has the sum.\n\n",
        "- [ ] Task 1: Write the letter\n\n",
    )
    history.commit(
        "2026-04-24 10:00",
        "Create story 2.2",
        Write(REMIND, remind),
        _key("2-2-remind-a-debtor", "backlog", "ready-for-dev"),
    )
    tracker = history.files[TRACKER]
    history.commit("2026-04-27 09:00", "Delete the tracker by mistake", Delete(TRACKER))
    history.commit("2026-04-28 09:00", "Restore the tracker", Write(TRACKER, tracker))
    history.commit(
        "2026-04-28 10:00", "Take no cards", _key("2-3-take-cards", "backlog", "dropped")
    )
    history.commit(
        "2026-04-28 11:00",
        "Note what is to be done",
        Write(TRACKER, history.files[TRACKER] + ACTION_ITEMS),
    )
    history.commit("2026-04-29 09:00", "Create story 3.1", Write(EXPORT, EXPORT_TEXT))
    history.commit(
        "2026-04-29 10:00",
        "Finish 2.1",
        _status(RECORD, "in-progress", "done"),
        _key("2-1-record-a-payment", "in-progress", "done"),
    )
    history.commit(
        "2026-04-29 11:00", "Block 2.2", _status(REMIND, "ready-for-dev", "blocked by the printer")
    )
    # The tracker says done until today.
    history.commit("2026-04-30 09:00", "Reopen 2.1", _status(RECORD, "done", "built"))
    history.commit(
        "2026-04-30 10:00",
        "Promise parts",
        _key("2-4-pay-in-parts", "backlog", "ready-for-dev"),
    )
    history.commit(
        "2026-04-30 11:00",
        "Say when the tracker was updated",
        Edit(TRACKER, "last_updated: 04-22-2026 09:00", "last_updated: 04-30-2026 11:00"),
    )
