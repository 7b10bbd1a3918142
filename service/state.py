"""What the lifespan owns and every request can reach."""

from typing import TypeAlias, TypedDict

from starlette.requests import Request as StarletteRequest

from service.database import Database
from service.health import HealthCheck
from service.metrics import Metrics


class State(TypedDict):
    """`request.state["database"]` and so on, typed."""

    database: Database
    health: HealthCheck
    metrics: Metrics


Request: TypeAlias = StarletteRequest[State]
