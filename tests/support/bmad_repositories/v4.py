"""Version 4 of the method: a library that lends books, whose stories' files have their statuses.

It has a gate for each reviewed story, epics in a folder, and the method's own files, which are no
part of the work. Story 1.3 is cancelled, 2.2 gets another name, and a first 1.1 is archived. Two
files have the number 2.3.
"""

from __future__ import annotations

from tests.support.bmad_repositories.history import (
    Edit,
    History,
    Product,
    Rename,
    Write,
    make_product,
    status,
    tick,
)
from tests.support.bmad_repositories.v4_documents import (
    CANCEL,
    CANCEL_GATE,
    FINE_GATE,
    FIRST_LEND_GATE,
    LEND,
    LEND_GATE,
    MEMBERS,
    MEMBERS_TEXT,
    OLD_REGISTER,
    PICK_UP,
    PRD,
    PRD_TEXT,
    REGISTER,
    REGISTER_GATE,
    REMIND,
    RENEW,
    RENEW_TEXT,
    RENEW_TWICE,
    RESERVATIONS,
    RESERVATIONS_TEXT,
    RESERVE,
    RETURN,
    RETURN_GATE,
    STORIES,
    TOOLS,
    gate,
    story,
)


def lending_library() -> Product:
    """Return the repository, with 35 commits from 2 to 27 March 2026."""
    return make_product(
        (_plan, _lend, _reserve),
        "2026-03",
        {
            2: (0, 0),
            3: (1, 0),
            4: (2, 0),
            5: (3, 0),
            6: (3, 1),
            9: (4, 1),
            10: (4, 1),
            11: (3, 1),
            13: (3, 2),
            16: (5, 2),
            17: (6, 2),
            18: (7, 2),
            19: (7, 2),
            20: (7, 3),
            24: (7, 3),
            25: (7, 2),
            26: (7, 3),
            27: (8, 3),
        },
    )


def _plan(history: History) -> None:
    history.commit(
        "2026-03-02 09:00",
        "Install the method",
        *(Write(path, text) for path, text in TOOLS.items()),
    )
    history.commit("2026-03-02 11:00", "Write the requirements", Write(PRD, PRD_TEXT))
    history.commit(
        "2026-03-02 15:00",
        "Cut the work into epics",
        Write(MEMBERS, MEMBERS_TEXT),
        Write(RESERVATIONS, RESERVATIONS_TEXT),
    )
    history.commit(
        "2026-03-03 09:00",
        "Draft 1.1",
        Write(
            REGISTER,
            story(
                "1.1",
                "Register a member",
                "clerk; to register a member; the library knows the borrower",
                "1. A member has a name and a card.\n2. A card is of one member only.\n\n",
                "- [ ] Task 1: Store members (AC: 1)\n  - [ ] Create the table\n"
                "  - [ ] Check names\n- [ ] Task 2: Number the cards (AC: 2)\n\n",
            ),
        ),
    )
    history.commit("2026-03-03 10:00", "Approve 1.1", status(REGISTER, "Draft", "Approved"))
    history.commit(
        "2026-03-04 09:00",
        "Begin again with 1.1",
        Write(OLD_REGISTER, history.files[REGISTER].replace("Approved", "Obsolete")),
        Write(
            LEND,
            story(
                "1.2",
                "Lend a book",
                "clerk; to lend a book; the reader can take it home",
                "1. **A book is lent to a member:**\n   - [ ] The loan has a day of return\n"
                "   - [ ] The book is not lent twice\n2. **The clerk sees all loans:**\n"
                "   - [ ] The list is by day of return\n\n",
                "- [ ] Task 1: Store loans (AC: 1)\n  - [ ] Refuse a second loan\n\n",
            ),
        ),
    )
    history.commit("2026-03-04 14:00", "Start 1.1", status(REGISTER, "Approved", "InProgress"))


def _lend(history: History) -> None:
    history.commit(
        "2026-03-05 09:00",
        "Store members",
        tick(REGISTER, "Task 1"),
        tick(REGISTER, "Create the table"),
        tick(REGISTER, "Check names"),
    )
    history.commit(
        "2026-03-05 11:00",
        "Draft 1.3",
        Write(
            REMIND,
            story(
                "1.3",
                "Remind late members",
                "clerk; to send letters; books come back",
                "1. A letter is sent a week after the day of return.\n\n",
                "- [ ] Write the letter\n\n",
            ),
        ),
    )
    history.commit(
        "2026-03-05 16:00",
        "Number the cards",
        tick(REGISTER, "Task 2"),
        status(REGISTER, "InProgress", "Ready for Review"),
        status(LEND, "Draft", "Approved"),
    )
    history.commit(
        "2026-03-06 10:00",
        "Pass 1.1",
        Write(REGISTER_GATE, gate("1.1", "PASS", 100, "2026-03-06T10:00:00Z")),
        status(REGISTER, "Ready for Review", "Done"),
    )
    history.commit(
        "2026-03-09 09:00",
        "Draft 1.4",
        Write(
            RETURN,
            story(
                "1.4",
                "Return a book",
                "clerk; to take a book back; the next reader can have it",
                "### AC1: The loan ends\n\nGiven a loan, when the book comes, then it is free.\n\n"
                "### AC2: The day is kept\n\nThe day of return is in the member's history.\n\n",
                "- [ ] Task 1: End loans (AC: 1-2)\n  - [ ] Keep the day\n\n",
            ),
        ),
    )
    history.commit("2026-03-09 13:00", "Start 1.2", status(LEND, "Approved", "In Progress"))
    history.commit(
        "2026-03-10 09:00",
        "Store loans",
        tick(LEND, "Task 1"),
        tick(LEND, "Refuse"),
        tick(LEND, "The loan has"),
        tick(LEND, "The book is"),
    )
    history.commit(
        "2026-03-10 17:00",
        "Review 1.2",
        status(LEND, "In Progress", "Review"),
        Write(
            FIRST_LEND_GATE,
            gate(
                "1.2",
                "CONCERNS",
                70,
                "2026-03-10T17:00:00Z",
                'top_issues:\n  - id: "REL-001"\n    severity: medium\n    finding: "No list"',
            ),
        ),
    )
    history.commit(
        "2026-03-11 09:00",
        "Send no letters",
        status(REMIND, "Draft", "Cancelled (members get mails from the city)"),
    )
    history.commit(
        "2026-03-13 09:00",
        "List the loans",
        tick(LEND, "The list"),
        status(LEND, "Review", "Done"),
        Write(LEND_GATE, gate("1.2", "PASS", 90, "2026-03-13T09:00:00Z")),
    )
    history.commit("2026-03-13 15:00", "Approve 1.4", status(RETURN, "Draft", "Approved"))


def _reserve(history: History) -> None:
    pick_up = f"{STORIES}/2.2.story.md"
    history.commit(
        "2026-03-16 09:00",
        "Draft 2.1 and 2.2",
        Write(
            RESERVE,
            story(
                "2.1",
                "Reserve a book",
                "member; to reserve a book; I get it next",
                "1. A member reserves a lent book.\n2. Reservations are in order.\n\n",
                "- [ ] Task 1: Store reservations (AC: all)\n"
                "- [ ] [Review][Patch] Name the member [reservations.py:12]\n\n",
            ),
        ),
        Write(
            pick_up,
            story(
                "2.2",
                "Pick up a book",
                "member; a mail when my book is there; I come in time",
                "1. A mail is sent.\n\n",
                "- [ ] Send the mail\n\n",
            ),
        ),
    )
    history.commit("2026-03-16 10:00", "Start 1.4", status(RETURN, "Approved", "In Progress"))
    history.commit(
        "2026-03-17 09:00",
        "Draft 2.10",
        Write(
            CANCEL,
            story(
                "2.10",
                "Cancel a reservation",
                "member; to cancel a reservation; others need not wait",
                "- [ ] The reservation is gone\n- [ ] The next member gets a mail\n\n",
                "- [ ] Delete reservations\n- [ ] Write to the next member\n\n",
            ),
        ),
    )
    history.commit(
        "2026-03-17 15:00",
        "Approve 2.1 and 2.2",
        status(RESERVE, "Draft", "Approved"),
        status(pick_up, "Draft", "Approved"),
    )
    history.commit(
        "2026-03-18 09:00",
        "Draft 2.3",
        Write(RENEW, RENEW_TEXT),
    )
    history.commit("2026-03-18 10:00", "Start 2.1", status(RESERVE, "Approved", "In Progress"))
    history.commit("2026-03-19 09:00", "Name 2.2 by its title", Rename(pick_up, PICK_UP))
    history.commit(
        "2026-03-19 12:00",
        "Cancel reservations",
        status(CANCEL, "Draft", "Review"),
        tick(CANCEL, "The reservation"),
        tick(CANCEL, "The next"),
        tick(CANCEL, "Delete"),
        tick(CANCEL, "Write"),
    )
    # YAML takes the story's number for 2.1.
    waiver = (
        'waiver:\n  active: true\n  reason: "Mails come with 2.2"\n  approved_by: "Ada"\n'
        "top_issues: []"
    )
    history.commit(
        "2026-03-20 09:00",
        "Waive 2.10",
        status(CANCEL, "Review", "Done"),
        Write(
            CANCEL_GATE,
            gate("2.10", "WAIVED", 60, "2026-03-20T09:00:00Z", waiver).replace(
                "2099-01-01", "2026-06-01"
            ),
        ),
    )
    history.commit(
        "2026-03-24 09:00",
        "Review 1.4",
        status(RETURN, "In Progress", "Review"),
        tick(RETURN, "Task 1"),
        Write(RETURN_GATE, gate("1.4", "FAIL", 20, "2026-03-24T09:00:00Z")),
    )
    history.commit(
        "2026-03-24 10:00",
        "Say that reservations are done",
        Edit(RESERVATIONS, "**Status:** Draft", "**Status:** Done"),
    )
    history.commit("2026-03-25 09:00", "Reopen 1.2", status(LEND, "Done", "In Progress"))
    history.commit(
        "2026-03-26 09:00", "Mend the list of loans", status(LEND, "In Progress", "Done")
    )
    history.commit(
        "2026-03-26 11:00",
        "Split the requirements",
        Edit(PRD, "- FR3: Members reserve books.", "- FR3: Members reserve books.\n- FR4: Renew."),
    )
    history.commit(
        "2026-03-27 09:00",
        "Link to what is gone",
        Edit(
            MEMBERS,
            "Clerks lend books to members.",
            "Clerks lend books to [members](../prd.md#members), by [rules](../rules.md), as in"
            " [town](../../../town/readme.md).",
        ),
    )
    history.commit("2026-03-27 10:00", "Write a note", Write("README.md", "# Lending library\n"))
    history.commit(
        "2026-03-27 16:00",
        "Begin another 2.3, and pass a story that is nowhere",
        Write(
            RENEW_TWICE,
            history.files[RENEW].replace("a loan", "a loan twice").replace("2.2", "1.2"),
        ),
        Write(FINE_GATE, gate("2.11", "PASS", 80, "2026-03-27T16:00:00Z")),
    )
