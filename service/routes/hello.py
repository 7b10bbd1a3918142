"""A greeting: what the front end's first page shows to tell that it has found the service."""

from datetime import UTC, datetime

from marshmallow import fields, validate
from starlette.responses import JSONResponse

from service.state import Request
from service.web.bodies import ExactSchema
from service.web.openapi import Answer, operation


class HelloSchema(ExactSchema):
    """A greeting."""

    message = fields.String(required=True)
    status = fields.String(required=True, validate=validate.Equal("ok"))
    timestamp = fields.DateTime(required=True)


@operation(
    operation_id="getHello",
    tag="health",
    summary="Greet",
    description="Asks nothing of the database: whether the service can do its work, health tells.",
    answers={
        200: Answer(
            description="A greeting.",
            schema=HelloSchema,
            examples={
                "hello": {
                    "message": "Hello BMADFlow",
                    "status": "ok",
                    "timestamp": "2026-11-25T03:00:00.123456+00:00",
                }
            },
        )
    },
)
async def get_hello(request: Request) -> JSONResponse:
    time = datetime.now(UTC).isoformat()
    return JSONResponse({"message": "Hello BMADFlow", "status": "ok", "timestamp": time})
