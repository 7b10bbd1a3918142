"""The JSON of the health."""

from __future__ import annotations

from marshmallow import fields, validate

from service.health import UNHEALTHY
from service.web.bodies import ExactSchema

TIMESTAMP = {"description": "When the health was determined: ISO 8601, UTC, with its offset."}


class HealthySchema(ExactSchema):
    """The service can do its work."""

    status = fields.String(required=True, validate=validate.Equal("ok"))
    database = fields.String(required=True, validate=validate.Equal("connected"))
    timestamp = fields.DateTime(required=True, metadata=TIMESTAMP)


class UnhealthySchema(ExactSchema):
    """The service cannot do its work, for a reason."""

    status = fields.String(required=True, validate=validate.Equal("error"))
    database = fields.String(
        required=True, validate=validate.OneOf(["connected", "disconnected", "unknown"])
    )
    reason = fields.String(
        required=True,
        validate=validate.OneOf([health.reason for health in UNHEALTHY]),
    )
    timestamp = fields.DateTime(required=True, metadata=TIMESTAMP)


class LiveSchema(ExactSchema):
    """The process runs."""

    status = fields.String(required=True, validate=validate.Equal("ok"))
