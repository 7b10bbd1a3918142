"""The contract `room` for import-linter: what the modules of a room may import of the service.

import-linter's own contracts list what is forbidden, so that a new room would be open to all. This
one lists what is allowed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from importlinter import Contract, ContractCheck, fields, output

if TYPE_CHECKING:
    from grimp import ImportGraph

ROOT = "service"


class RoomContract(Contract):
    """Imports of `rooms` may go to the modules `may_import`, and all that is below these.

    Names are relative to `service`. A room may import all of its own, unless `siblings` names the
    modules of the room that the others may import.
    """

    type_name = "room"

    rooms = fields.ListField(subfield=fields.StringField())
    may_import = fields.ListField(subfield=fields.StringField(), required=False)
    siblings = fields.ListField(subfield=fields.StringField(), required=False)

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:
        """Return whether the rule is kept, and in `wrong` a line for each import that breaks it."""
        wrong = [
            f"{importer}:{_line(graph, importer, imported)} imports {imported}"
            for room in cast("list[str]", self.rooms)
            for importer in sorted(graph.modules)
            if _is_in(importer, f"{ROOT}.{room}")
            for imported in sorted(graph.find_modules_directly_imported_by(importer))
            if not self._is_allowed(room, imported)
        ]
        return ContractCheck(kept=not wrong, metadata={"wrong": wrong})

    def render_broken_contract(self, check: ContractCheck) -> None:
        """Print the imports that break the rule."""
        for line in check.metadata["wrong"]:
            output.print_error(line)
        output.new_line()

    def _is_allowed(self, room: str, imported: str) -> bool:
        own = f"{ROOT}.{room}"
        allowed = [f"{ROOT}.{name}" for name in cast("list[str] | None", self.may_import) or []]
        siblings = cast("list[str] | None", self.siblings)
        if siblings is None:
            allowed.append(own)
        else:
            allowed += [f"{own}.{name}" for name in siblings]
        return imported == ROOT or any(_is_in(imported, name) for name in allowed)


def _is_in(module: str, package: str) -> bool:
    return module == package or module.startswith(f"{package}.")


def _line(graph: ImportGraph, importer: str, imported: str) -> int:
    details = graph.get_import_details(importer=importer, imported=imported)
    return min(detail["line_number"] for detail in details)
