"""The JSON of searches."""

from __future__ import annotations

from typing import Any, Final

from marshmallow import fields, validate

from service.documents.kind_names import KINDS
from service.schemas.example_ids import (
    EXAMPLE_DOCUMENT_ID,
    EXAMPLE_PROJECT_ID,
    EXAMPLE_SOURCE_ID,
)
from service.web.bodies import ExactSchema

MARKED: Final = "HTML: the text escaped, with `<mark>` round each match."


class TotalSchema(ExactSchema):
    """The number of documents that match."""

    value = fields.Integer(required=True, strict=True)
    is_exact = fields.Boolean(
        required=True,
        metadata={"description": "False where there may be more, or fewer."},
    )


class CorrectionSchema(ExactSchema):
    """A word that no document has, and the one that was looked for, too."""

    # `from` is a keyword of Python.
    from_ = fields.String(required=True, data_key="from", attribute="from")
    to = fields.String(required=True)


class NamedSchema(ExactSchema):
    """A project or a project doc."""

    id = fields.UUID(required=True)
    name = fields.String(required=True)


class ProjectFacetSchema(NamedSchema):
    """A project, and the number of its documents that match."""

    count = fields.Integer(required=True, strict=True)


class KindFacetSchema(ExactSchema):
    """A kind of documents, and the number of those that match."""

    value = fields.String(required=True, validate=validate.OneOf(KINDS))
    count = fields.Integer(required=True, strict=True)


class FacetsSchema(ExactSchema):
    """The documents that match, by project and by kind; the most come first."""

    project: fields.List[Any] = fields.List(fields.Nested(ProjectFacetSchema), required=True)
    kind: fields.List[Any] = fields.List(fields.Nested(KindFacetSchema), required=True)


class LinkedHeadingSchema(ExactSchema):
    """A heading on the way to a section."""

    text = fields.String(required=True)
    anchor = fields.String(
        required=True,
        allow_none=True,
        metadata={"description": "Null for the document's title where that is no heading."},
    )


class FoundSectionSchema(ExactSchema):
    """A section that matches."""

    anchor = fields.String(
        required=True,
        allow_none=True,
        metadata={
            "description": "As GitHub makes it, without the #. Null at the top of the document."
        },
    )
    headings: fields.List[Any] = fields.List(
        fields.Nested(LinkedHeadingSchema),
        required=True,
        metadata={"description": "From the document's title down to the section's own heading."},
    )
    title = fields.String(
        required=True,
        metadata={
            "description": f"The section's own heading; at the top the document's title. {MARKED}"
        },
    )
    snippet = fields.String(
        required=True,
        metadata={
            "description": f"Of the text; or the path, where that or the title was found. {MARKED}"
        },
    )
    snippet_text = fields.String(
        required=True, metadata={"description": "The snippet without marks; not escaped."}
    )


class FoundDocumentSummarySchema(ExactSchema):
    """A document that matches."""

    id = fields.UUID(required=True)
    title = fields.String(required=True)
    path = fields.String(required=True, metadata={"description": "From the repository's root."})
    kind = fields.String(required=True, validate=validate.OneOf(KINDS))
    project = fields.Nested(NamedSchema, required=True)
    source = fields.Nested(NamedSchema, required=True)
    updated_at = fields.DateTime(required=True)


class ResultSchema(ExactSchema):
    """A document that matches, with its best sections."""

    document = fields.Nested(FoundDocumentSummarySchema, required=True)
    score = fields.Float(
        required=True,
        metadata={"description": "Comparable only within the results of one search."},
    )
    sections: fields.List[Any] = fields.List(
        fields.Nested(FoundSectionSchema),
        required=True,
        metadata={"description": "The best first, 3 at most."},
    )


class SearchSchema(ExactSchema):
    """A page of what a search found, the best documents first."""

    query = fields.String(required=True)
    total = fields.Nested(TotalSchema, required=True)
    fuzzy: fields.List[Any] = fields.List(
        fields.Nested(CorrectionSchema),
        required=True,
        allow_none=True,
        metadata={"description": "The words that were corrected; null without any."},
    )
    facets = fields.Nested(FacetsSchema, required=True)
    results: fields.List[Any] = fields.List(fields.Nested(ResultSchema), required=True)


class SuggestedDocumentSchema(ExactSchema):
    """A document whose title or headings complete what is typed."""

    id = fields.UUID(required=True)
    title = fields.String(required=True)
    path = fields.String(required=True, metadata={"description": "From the repository's root."})
    kind = fields.String(required=True, validate=validate.OneOf(KINDS))
    project = fields.Nested(NamedSchema, required=True)
    source = fields.Nested(NamedSchema, required=True)


class SuggestedHeadingSchema(ExactSchema):
    """A title or heading that completes what is typed."""

    text = fields.String(required=True)
    anchor = fields.String(
        required=True,
        allow_none=True,
        metadata={"description": "Null for a title that is no heading."},
    )
    marked = fields.String(required=True, metadata={"description": f"The text as {MARKED}"})


class SuggestionSchema(ExactSchema):
    """A document, with those of its headings that complete what is typed."""

    document = fields.Nested(SuggestedDocumentSchema, required=True)
    headings: fields.List[Any] = fields.List(fields.Nested(SuggestedHeadingSchema), required=True)


class SuggestionsSchema(ExactSchema):
    """What completes a text, the best first."""

    query = fields.String(required=True)
    suggestions: fields.List[Any] = fields.List(
        fields.Nested(SuggestionSchema),
        required=True,
        metadata={"description": "10 headings at most, in all documents together."},
    )


EXAMPLE_SUGGESTIONS: Final = {
    "query": "refu",
    "suggestions": [
        {
            "document": {
                "id": EXAMPLE_DOCUMENT_ID,
                "title": "Payments",
                "path": "docs/prd.md",
                "kind": "prd",
                "project": {"id": EXAMPLE_PROJECT_ID, "name": "Payments"},
                "source": {"id": EXAMPLE_SOURCE_ID, "name": "Planning"},
            },
            "headings": [
                {"text": "Refunds", "anchor": "refunds", "marked": "<mark>Refu</mark>nds"}
            ],
        }
    ],
}

EXAMPLE_SEARCH: Final = {
    "query": "refund limits",
    "total": {"value": 1, "is_exact": True},
    "fuzzy": None,
    "facets": {
        "project": [{"id": EXAMPLE_PROJECT_ID, "name": "Payments", "count": 1}],
        "kind": [{"value": "prd", "count": 1}],
    },
    "results": [
        {
            "document": {
                "id": EXAMPLE_DOCUMENT_ID,
                "title": "Payments",
                "path": "docs/prd.md",
                "kind": "prd",
                "project": {"id": EXAMPLE_PROJECT_ID, "name": "Payments"},
                "source": {"id": EXAMPLE_SOURCE_ID, "name": "Planning"},
                "updated_at": "2026-11-25T03:01:00.123456+00:00",
            },
            "score": 9.62,
            "sections": [
                {
                    "anchor": "refunds",
                    "headings": [
                        {"text": "Payments", "anchor": "payments"},
                        {"text": "Refunds", "anchor": "refunds"},
                    ],
                    "title": "<mark>Refunds</mark>",
                    "snippet": "The <mark>limit</mark> of a <mark>refund</mark> is its payment.",
                    "snippet_text": "The limit of a refund is its payment.",
                }
            ],
        }
    ],
}
