"""The kinds of documents. The helper `sections` brings the real function."""

from typing import Any

KINDS = ("prd", "architecture", "epic", "story", "gate", "brief", "ux", "readme", "other")


def kind_of(path: str, file_type: str, metadata: dict[str, Any], text: str) -> str:
    """Return a document's kind."""
    return "readme" if path.lower().endswith("readme.md") else "other"
