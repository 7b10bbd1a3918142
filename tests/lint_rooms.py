"""The contract `rooms` for import-linter: what each module or package of the service may import.

import-linter's own contracts list forbidden imports, so that a new room could import everything.
This contract lists the allowed imports, and a room without a rule breaks it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from importlinter import Contract, ContractCheck, fields, output

if TYPE_CHECKING:
    from grimp import ImportGraph

ROOT = "service"
EVERYTHING = "*"

Rules = dict[str, list[str]]


class RulesField(fields.Field[Rules]):
    """A table of pyproject.toml: a list of modules for each room."""

    def parse(self, raw_data: Any) -> Rules:
        """Return the table as it was read."""
        if not isinstance(raw_data, dict):
            raise fields.ValidationError("Expected a table.")
        return cast("Rules", raw_data)


class RoomsContract(Contract):
    """A room may import its own modules, those that `may_import` lists, and all below these.

    A room is a module or package directly below `service`; names are relative to `service`.
    In a room that `siblings` names, modules may import only those siblings.
    """

    type_name = "rooms"

    # import-linter replaces both fields by the tables that it read.
    may_import = cast("Rules", RulesField())
    siblings = cast("Rules", RulesField())

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:
        """Return whether all rules are kept, and in `broken` the breaches of each broken rule."""
        rules = self.may_import
        rooms = {child.removeprefix(f"{ROOT}.") for child in graph.find_children(ROOT)}
        wrong = {
            self._rule(room): self._wrong_imports(graph, room) for room in rooms & rules.keys()
        }
        wrong["every room has a rule in pyproject.toml"] = [
            f"{ROOT}.{room} has no rule" for room in rooms - rules.keys()
        ]
        modules = {f"{ROOT}.{name}" for name in self._named()}
        wrong["rules name only modules that exist"] = [
            f"{module} does not exist" for module in modules - graph.modules
        ]
        broken = {rule: sorted(lines) for rule, lines in sorted(wrong.items()) if lines}
        return ContractCheck(kept=not broken, metadata={"broken": broken})

    def _wrong_imports(self, graph: ImportGraph, room: str) -> list[str]:
        if self.may_import[room] == [EVERYTHING]:
            return []
        allowed = self._allowed(room)
        package = f"{ROOT}.{room}"
        return [
            f"{importer}:{_line_number(graph, importer, imported)} imports {imported}"
            for importer in {package} | graph.find_descendants(package)
            for imported in graph.find_modules_directly_imported_by(importer)
            if imported != ROOT and not _is_in(imported, allowed)
        ]

    def render_broken_contract(self, check: ContractCheck) -> None:
        """Print each broken rule and its breaches."""
        for rule, lines in check.metadata["broken"].items():
            output.print_error(f"{rule}:")
            for line in lines:
                output.print_error(f"    {line}", bold=False)
            output.new_line()

    def _named(self) -> set[str]:
        """Return every name in the two tables."""
        allowed = {name for names in self.may_import.values() for name in names} - {EVERYTHING}
        siblings = {f"{room}.{name}" for room, names in self.siblings.items() for name in names}
        return allowed | siblings | self.may_import.keys() | self.siblings.keys()

    def _allowed(self, room: str) -> list[str]:
        """Return the full names of the modules that a room may import."""
        own = self.siblings.get(room)
        inside = [room] if own is None else [f"{room}.{name}" for name in own]
        return [f"{ROOT}.{name}" for name in [*self.may_import[room], *inside]]

    def _rule(self, room: str) -> str:
        """Return the rule of a room in words."""
        rule = f"{room} may import {_listed(self.may_import[room])}"
        own = self.siblings.get(room)
        return rule if own is None else f"{rule}, and of its own modules {_listed(own)}"


def _listed(names: list[str]) -> str:
    return ", ".join(names) or "nothing"


def _is_in(module: str, packages: list[str]) -> bool:
    return any(module == package or module.startswith(f"{package}.") for package in packages)


def _line_number(graph: ImportGraph, importer: str, imported: str) -> int:
    details = graph.get_import_details(importer=importer, imported=imported)
    return min(detail["line_number"] for detail in details)
