"""Which documents are the method's own tools."""

import pytest

from service.bmad.names import is_in_tools, is_of_tools
from tests.support.bmad_documents import bmad_document


@pytest.mark.parametrize(
    "path",
    [
        "_bmad/bmm/tickets.toml",
        ".bmad-core/data/a.md",
        "bmad/a.md",
        "bmad-core/a.md",
        "docs/node_modules/a/a.md",
        "docs/templates/a.md",
        "docs/sprint-status-template.yaml",
        "web-bundles/a.md",
    ],
)
def test_tools_and_templates_are_no_documents_of_the_work(path: str) -> None:
    assert is_of_tools(bmad_document("", path))


@pytest.mark.parametrize(
    "path", ["_bmad-output/a.md", "bmad-output/a.md", "docs/a.md", "a.md", "docs/1-2-templates.md"]
)
def test_output_of_the_method_is_the_work(path: str) -> None:
    assert not is_of_tools(bmad_document("", path))


def test_only_the_folder_says_what_lies_among_tools() -> None:
    assert is_in_tools(bmad_document("", "_bmad/1-2-email-template.md"))
    assert not is_in_tools(bmad_document("", "docs/stories/1-2-email-template.md"))
