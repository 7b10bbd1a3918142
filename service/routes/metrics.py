"""The metrics that Prometheus scrapes."""

from typing import Final

from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from service.state import Request
from service.web.operation import ResponseSpec, operation

METRICS_RESPONSE: Final = ResponseSpec(
    description="Metrics, by OpenTelemetry's names where they exist.",
    schema={"type": "string"},
    media_type="text/plain",
    examples={"one of them": "bmadflow_database_up 1.0\n"},
    headers={"Cache-Control": "`no-store`: old metrics say nothing about the present."},
)


@operation(tag="health", responses={200: METRICS_RESPONSE})
async def get_metrics(request: Request) -> Response:
    """Get the metrics for Prometheus.

    Requests, database connections and the health of the database, in Prometheus' text format; with
    several workers, those of all of them. Checks the database as `/api/health` does, and so
    responds within HEALTH_TIMEOUT_SECONDS, too.
    """
    await request.state["health"].check()
    metrics = request.state["metrics"]
    metrics.refresh(request.state["database"].read_use())
    # In a thread: with several workers, rendering reads the values of each.
    text = await run_in_threadpool(metrics.render)
    return Response(
        text, media_type=CONTENT_TYPE_PLAIN_0_0_4, headers={"Cache-Control": "no-store"}
    )
