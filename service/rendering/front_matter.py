"""Front matter as a table of its names and values, as GitHub shows it."""

import json
from html import escape
from typing import Any, Final, cast

from service.documents.front_matter import FrontMatterError, is_mapping, read_front_matter
from service.rendering.code import CodeWriter

MAX_VALUES: Final = 2_000
# Values that are nested more deeply are shown as JSON.
MAX_TABLES: Final = 3
MAX_TEXT: Final = 5_000  # characters of one value


def front_matter_table(source: str, code: CodeWriter) -> str:
    """Return front matter as HTML: empty if it has no values, its YAML if that cannot be read."""
    try:
        values = read_front_matter(source)
    except FrontMatterError as error:
        # The YAML begins on the document's second line.
        problem = escape(f"line {error.line + 1}: {error}")
        return (
            f'<div class="notice">The front matter cannot be read: {problem}</div>'
            f"{code.block(source, 'yaml')}"
        )
    if not values:
        return ""
    return f'<div class="front-matter">{_Table().write(values)}</div>'


class _Table:
    """Writes values as long as there are no more than MAX_VALUES."""

    def __init__(self) -> None:
        self._left = MAX_VALUES

    def write(self, values: dict[str, Any], depth: int = 1) -> str:
        rows: list[str] = []
        for name, value in values.items():
            if self._left <= 0:
                break
            shown = self._show(value, depth)
            rows.append(f'<tr><th scope="row">{escape(name[:MAX_TEXT])}</th><td>{shown}</td></tr>')
        return f"<table><tbody>{''.join(rows)}</tbody></table>"

    def _show(self, value: Any, depth: int) -> str:
        self._left -= 1
        if isinstance(value, str):
            return escape(value[:MAX_TEXT])
        if value is None:
            return ""
        if not isinstance(value, dict | list):
            return json.dumps(value)
        if not value:
            return ""
        if depth > MAX_TABLES:
            text = json.dumps(value, ensure_ascii=False)
            return f"<code>{escape(text[:MAX_TEXT])}</code>"
        if is_mapping(value):
            return self.write(value, depth + 1)
        items: list[str] = []
        for item in cast("list[Any]", value):
            if self._left <= 0:
                break
            items.append(f"<li>{self._show(item, depth + 1)}</li>")
        return f"<ul>{''.join(items)}</ul>"
