"""Which documents are the method's own tools."""

import pytest

from service.bmad.names import is_of_tools
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
