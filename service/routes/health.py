"""The health routes, for monitors, load balancers and orchestrators."""

from datetime import UTC, datetime
from functools import lru_cache
from typing import Final, cast

from starlette.responses import JSONResponse
from starlette.types import Receive, Scope, Send

from service.health import HEALTHY, UNHEALTHY, Finding, Health
from service.problems import RETRY_AFTER_SECONDS
from service.schemas.health import HealthySchema, LiveSchema, UnhealthySchema
from service.state import Request, State
from service.web.operation import ResponseSpec, operation

NO_STORE = {"Cache-Control": "no-store"}
NO_STORE_DOCUMENTED = {"Cache-Control": "`no-store`: an old result says nothing about the present."}


def health_body(health: Health, time: datetime) -> dict[str, str]:
    """Return the body of `/api/health`: fixed words only, never the text of an error."""
    body = {"status": "error" if health.reason else "ok", "database": health.database}
    if health.reason:
        body["reason"] = health.reason
    body["timestamp"] = time.isoformat()
    return body


EXAMPLE_TIME = datetime(2026, 11, 22, 3, 0, 0, 123456, tzinfo=UTC)

HEALTHY_RESPONSE: Final = ResponseSpec(
    description="Healthy.",
    schema=HealthySchema,
    headers=NO_STORE_DOCUMENTED,
    examples={"healthy": health_body(HEALTHY, EXAMPLE_TIME)},
)
UNHEALTHY_RESPONSE: Final = ResponseSpec(
    description="Not healthy: take this copy out of the load balancer.",
    schema=UnhealthySchema,
    headers={**NO_STORE_DOCUMENTED, "Retry-After": "Seconds to wait before asking again."},
    examples={str(health.reason): health_body(health, EXAMPLE_TIME) for health in UNHEALTHY},
)
LIVE_RESPONSE: Final = ResponseSpec(
    description="It runs.",
    schema=LiveSchema,
    headers=NO_STORE_DOCUMENTED,
    examples={"live": {"status": "ok"}},
)


# Monitors poll this route, and an ASGI application takes half as long as a function of a request.
@operation(tag="health", responses={200: HEALTHY_RESPONSE, 503: UNHEALTHY_RESPONSE}, has_head=True)
class GetHealth:
    """Tell whether the service can do its work.

    Queries the database, over a connection of its own, and compares its schema with the one that
    this code needs. Responds within HEALTH_TIMEOUT_SECONDS. A schema that is ahead of the code, as
    in a rolling deployment, is healthy. The reason `pool_timeout` means that the connections for
    requests are stuck: all in use, and none given back for 5 seconds.
    """

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        state = cast("State", scope["state"])
        response = _health_response(await state["health"].check())
        await response(scope, receive, send)


get_health = GetHealth()


# Cached, because probes that share a query share its finding.
@lru_cache(maxsize=1)
def _health_response(finding: Finding) -> JSONResponse:
    health = finding.health
    headers = dict(NO_STORE)
    if health.reason:
        headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
    return JSONResponse(
        health_body(health, finding.time),
        status_code=503 if health.reason else 200,
        headers=headers,
    )


@operation(tag="health", responses={200: LIVE_RESPONSE}, has_head=True)
async def get_liveness(request: Request) -> JSONResponse:
    """Tell that the process runs.

    Always the same response, without a query to the database.
    """
    return JSONResponse({"status": "ok"}, headers=NO_STORE)
