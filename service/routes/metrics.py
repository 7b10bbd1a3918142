"""What Prometheus scrapes."""

from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from service.state import Request
from service.web.openapi import Answer, operation


@operation(
    operation_id="getMetrics",
    tag="health",
    summary="Get the figures that Prometheus scrapes",
    description=(
        "Requests, connections to the database, and how it is, in Prometheus' text format; with "
        "several worker processes, of all of them together. Asks the database as `/api/health` "
        "does, so this answers within HEALTH_TIMEOUT_SECONDS, too."
    ),
    answers={
        200: Answer(
            description="Metrics, by OpenTelemetry's names where they exist.",
            schema={"type": "string"},
            media_type="text/plain",
            examples={"one of them": "bmadflow_database_up 1.0\n"},
            headers={"Cache-Control": "`no-store`: old figures say nothing."},
        )
    },
)
async def get_metrics(request: Request) -> Response:
    await request.state["health"].check()
    metrics = request.state["metrics"]
    metrics.refresh(request.state["database"].read_use())
    # In a thread: with several workers it reads their files.
    text = await run_in_threadpool(metrics.render)
    return Response(
        text, media_type=CONTENT_TYPE_PLAIN_0_0_4, headers={"Cache-Control": "no-store"}
    )
