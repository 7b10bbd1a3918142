"""The whole benchmark, or a part of it: measures, prints, and writes the figures and the charts."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from chart import draw, draw_growth
from goals import judge, judge_syncs
from measure import measure
from pages import measure_pages
from pages_goals import judge_pages
from pages_report import format_pages
from postgres import running_postgres
from progress import measure_progress
from progress_goals import judge_progress
from progress_report import format_progress
from record import write_part, write_record
from report import format_report, format_syncs
from search import measure_growth, measure_search
from search_goals import judge_search
from search_report import format_growth, format_search
from syncs import measure_syncs

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from goals import Goal
    from measure import Cores
    from postgres import BenchPostgres


@dataclass(frozen=True)
class Benchmark:
    """One run of the benchmark. All methods return goals with their measured values.

    They raise BenchmarkError, EmbeddedPostgresError and MigrationError.
    """

    cores: Cores
    rounds: int
    seconds: int
    command: str  # that began it, for the record
    folder: Path  # of the record and the charts
    report_progress: Callable[[str], None]

    def measure_all(self) -> list[Goal]:
        """Measure the service and all its peers, search, stories, and pages."""
        results = measure(self.cores, self.rounds, self.seconds, self.report_progress)
        goals = judge(results)
        print(format_report(results))
        write_record(results, goals, self.command, self._record)
        draw(results, self.folder / "results.svg")
        parts = ("search", "progress", "pages")
        return goals + [goal for part in parts for goal in self.measure_part(part)]

    def measure_part(self, name: str) -> list[Goal]:
        """Measure a part: one of record.py's PARTS."""
        # All processes that start from here on inherit it.
        os.sched_setaffinity(0, {self.cores.load})
        with running_postgres(self.cores.server) as postgres:
            if name == "search":
                return self._measure_search(postgres)
            if name == "syncs":
                return self._measure_syncs(postgres)
            if name == "progress":
                return self._measure_progress(postgres)
            if name == "pages":
                return self._measure_pages(postgres)
            return self._measure_growth(postgres)

    def _measure_search(self, postgres: BenchPostgres) -> list[Goal]:
        # A round takes five minutes, since the peer is slow.
        rounds = max(1, self.rounds // 2)
        search = measure_search(
            postgres, self.cores.server, rounds, self.seconds, self.report_progress
        )
        goals = judge_search(search)
        print(format_search(search))
        figures = asdict(search)
        write_part("search", figures, goals, self.command, postgres.version, self._record)
        return goals

    def _measure_growth(self, postgres: BenchPostgres) -> list[Goal]:
        grown = measure_growth(postgres, self.cores.server, self.seconds, self.report_progress)
        print(format_growth(grown))
        figures = {"corpora": [asdict(growth) for growth in grown]}
        write_part("growth", figures, [], self.command, postgres.version, self._record)
        draw_growth(grown, self.folder / "growth.svg")
        return []

    def _measure_syncs(self, postgres: BenchPostgres) -> list[Goal]:
        syncs = measure_syncs(postgres, self.cores.server, self.report_progress)
        goals = judge_syncs(syncs)
        print(*format_syncs(syncs), sep="\n")
        write_part("syncs", asdict(syncs), goals, self.command, postgres.version, self._record)
        return goals

    def _measure_progress(self, postgres: BenchPostgres) -> list[Goal]:
        progress = measure_progress(postgres, self.cores.server, self.seconds, self.report_progress)
        goals = judge_progress(progress)
        print(format_progress(progress))
        figures = asdict(progress)
        write_part("progress", figures, goals, self.command, postgres.version, self._record)
        return goals

    def _measure_pages(self, postgres: BenchPostgres) -> list[Goal]:
        pages = measure_pages(
            postgres, self.cores.server, self.rounds, self.seconds, self.report_progress
        )
        goals = judge_pages(pages)
        print(format_pages(pages))
        write_part("pages", asdict(pages), goals, self.command, postgres.version, self._record)
        return goals

    @property
    def _record(self) -> Path:
        return self.folder / "results.json"
