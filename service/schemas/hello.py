"""The JSON of the greeting."""

from __future__ import annotations

from marshmallow import fields, validate

from service.web.bodies import ExactSchema


class HelloSchema(ExactSchema):
    """A greeting."""

    message = fields.String(required=True)
    status = fields.String(required=True, validate=validate.Equal("ok"))
    timestamp = fields.DateTime(required=True)
