"""The JSON of the hosts' deliveries."""

from __future__ import annotations

from typing import Any

from marshmallow import fields

from service.web.bodies import InputSchema


class PushSchema(InputSchema):
    """The parts of the hosts' payloads of a push that the route reads."""

    ref = fields.String()
    before = fields.String()
    after = fields.String()
    deleted = fields.Boolean()
    repository = fields.Dict()
    project = fields.Dict()
    push = fields.Dict()
    changes: fields.List[Any] = fields.List(fields.Dict())
