"""The longer documents of the berths: they have all that the pages must be able to show."""

from __future__ import annotations

from typing import Final

BRIEF: Final = """\
# Project Brief: Berths

Westhaven lets 214 berths by telephone and on paper. In July two boats a day find theirs taken.

## Who needs it

- **Skippers**, who plan a journey of weeks.
- **The harbour master**, who answers the telephone forty times a day.
- **Race officers**, who need forty berths side by side.

## What success is

> Nobody who has reserved a berth finds another boat in it.
"""

PRD: Final = """\
---
stepsCompleted: [1, 2, 3, 4]
workflowType: prd
status: approved
author: Mary (Analyst)
---

# Berths Product Requirements Document (PRD)

## Goals and Background

The harbour of Westhaven lets its berths online. The [brief](brief.md) says why; the
[architecture](architecture.md) says how.

> [!NOTE]
> The season begins on 1 May. What is not ready then waits for a year.

> [!WARNING]
> Prices are set by the town council[^council], and change in the middle of a season.

[^council]: By the order of 2019, as amended. It has been changed four times since.

## Requirements

### Functional Requirements

- FR1: The harbour master keeps a register of all berths.
- FR2: The register knows the length, the width and the depth of each berth.
- FR3: Skippers see which berths are free between two days.
- FR4: Skippers reserve a berth, and cancel their reservation.
- FR5: Race officers reserve many berths at once.
- FR6: A stay is priced by the length of the boat and the season.
- FR7: Skippers pay by card, and get their money back when they cancel in time.
- FR8: A map shows where a berth is.

### Non Functional Requirements

- NFR1: Pages load within a second on a slow network.
- NFR2: Everything works with the keyboard alone.

## Scope of the first season

| Requirement | Epic | Must | Should | Who asked for it | Remarks |
|---|:-:|:-:|:-:|---|---|
| FR1 | 1 | ✓ | | Harbour master | Import the register of 2019, whose lengths are in feet |
| FR3 | 2 | ✓ | | Skippers | Time zones do not matter: a day is a day of the harbour |
| FR6 | 3 | | ✓ | Town council | See <https://westhaven.example/prices> |
| FR8 | 4 | | ✓ | Skippers | Depths change with the tide |

## Checklist

- [x] Interview five skippers
- [x] Read the old register
- [ ] Ask the council about refunds
  - [ ] In writing

## Glossary

Berth
: A place where one boat lies.

<details>
<summary>Words that we do not use</summary>

Slip, mooring, dock.

</details>

![The harbour from above](pictures/harbour.png)
"""

ARCHITECTURE: Final = """\
# Berths Architecture Document

## Overview

One service, one database. The [data model](architecture/data-model.md) has the tables, the
[runbook](architecture/runbook.md) what to do at night.

```mermaid
graph LR
    Browser -->|HTTPS| Service
    Service --> PostgreSQL[(PostgreSQL)]
    Service -->|SMTP| Mail
```

## Technology

| Part | Choice | Version | Why |
|---|---|---|---|
| Language | Python | 3.13 | The harbour's developer knows it |
| Web | Starlette | 0.50 | Small |
| Database | PostgreSQL | 18 | Range types \
with exclusion constraints keep two boats out of one berth |
| Mail | `smtplib` | | Nothing else is needed |

## A reservation

A reservation is a range of days. PostgreSQL refuses two that overlap:

```sql
create table reservation (
    berth_id bigint not null references berth,
    days daterange not null,
    skipper text not null check (skipper <> ''),
    exclude using gist (berth_id with =, days with &&)  \
-- two boats never lie in one berth, whoever comes first
);
```

The service tells the skipper of a conflict:

```python
class BerthTakenError(Exception):
    \"\"\"Another reservation has the berth on one of the days.\"\"\"

async def reserve(database: Database, berth: int, days: DateRange, skipper: str) -> Reservation:
    try:
        return await database.insert(berth, days, skipper)
    except ExclusionViolationError as error:
        raise BerthTakenError(f"Berth {berth} is taken on some day of {days}.") from error
```

### Errors

> [!IMPORTANT]
> An error has an id, which the log has as well.

#### What a client sees

1. A sentence.
2. What to do next:
   - reserve another berth,
   - or wait for this one.

## Configuration

```yaml
harbour: Westhaven
mail:
  host: mail.westhaven.example
  sender: berths@westhaven.example
```

```sh
curl -s -X POST https://berths.westhaven.example/api/reservations \
-H 'Content-Type: application/json' -d '{"berth": 12}'
```

Press <kbd>Ctrl</kbd>+<kbd>C</kbd> to stop. H<sub>2</sub>O is below the boats.

---

See also [ADR 1](decisions/0001-one-database.md), a [picture](pictures/harbour.png), and
[the code](../src/berths/reserve.py).
"""

DATA_MODEL: Final = """\
# Data Model

## Berth

| Column | Type | Null | Default | Meaning |
|---|---|---|---|---|
| `id` | `bigint` | no | generated | The number on the pier |
| `metres` | `numeric(4, 2)` | no | | The length of the longest boat |
| `depth` | `numeric(4, 2)` | yes | | At low water; null where nobody has measured it |
| `pier` | `text` | no | | `A` to `F` |

## Reservation

Its days are a range without its last day: `[2026-07-01,2026-07-03)` are two nights.

## Price

An amount in cents, see [ADR 3](../decisions/0003-prices-in-cents.md).
"""

RUNBOOK: Final = """\
# Runbook

## The pages are slow

1. Look at the pool: `berths_pool_waiting`.
2. Look for the longest statement:

   ```sql
   select pid, now() - query_start as since, \
left(query, 80) as query \
from pg_stat_activity where state <> 'idle' order by since desc;
   ```

> [!CAUTION]
> Do not restart PostgreSQL while a payment is under way.

> [!TIP]
> `just status` says which version runs.
"""

UX: Final = """\
# Front-End Specification

## Principles

- One question on each page.
- A button says what it does.

## Colours

| Name | Light | Dark | Where |
|---|---|---|---|
| Sea | `#0b5394` | `#9fc5e8` | Links |
| Buoy | `#b45309` | `#fbbf24` | Warnings |

## A very long heading, which says in one line what another document \
would need a paragraph for, and ends

Text with `code`, **bold**, *italics*, ~~struck~~, and a URL:
https://westhaven.example/a/very/long/path/that/cannot/be/broken/anywhere/because/it/has/no/spaces/at/all/index.html
"""
