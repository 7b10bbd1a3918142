"""The objects that the lifespan owns and every request can reach."""

from typing import Any, TypeAlias, TypedDict

from starlette.requests import Request as StarletteRequest

from service.database.database import Database
from service.health import HealthCheck
from service.settings import Settings
from service.sync.removals import Remover
from service.sync.syncer import Syncer
from service.telemetry.metrics import Metrics
from service.web.kept_values import KeptValues
from service.web.large_bodies import LargeBodies
from service.web.turns import Turns


class State(TypedDict):
    """The type of `request.state`, as in `request.state["database"]`."""

    database: Database
    health: HealthCheck
    kept_documents: KeptValues[Any]
    kept_overviews: KeptValues[Any]
    large_bodies: LargeBodies
    list_turns: Turns
    metrics: Metrics
    reading_turns: Turns
    remover: Remover
    search_turns: Turns
    settings: Settings
    syncer: Syncer


Request: TypeAlias = StarletteRequest[State]
