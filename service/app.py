"""The application: its lifespan, its middleware, and all routes."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import Route

from service.database.database import open_database
from service.health import HealthCheck
from service.mcp.endpoint import post_mcp
from service.mcp.llms import get_llms_text
from service.migrations.files import read_migration_ids
from service.routes.activity import get_activity_feed, list_activity
from service.routes.badges import get_badge
from service.routes.burnup import get_burn_up, get_burn_up_chart, get_burn_up_csv
from service.routes.document_texts import reading_turns
from service.routes.documentation import (
    get_documentation_asset,
    get_open_api_document,
    get_re_doc,
    get_swagger_ui,
)
from service.routes.documents import find_document, get_document
from service.routes.epics import list_epics
from service.routes.file_tree import get_file_tree
from service.routes.health import get_health, get_liveness
from service.routes.hello import get_hello
from service.routes.metrics import get_metrics
from service.routes.overview import get_overview
from service.routes.problems import list_problems
from service.routes.progress import get_progress
from service.routes.project_docs import (
    create_project_doc,
    delete_project_doc,
    get_project_doc,
    list_project_docs,
    update_project_doc,
)
from service.routes.projects import (
    create_project,
    delete_project,
    get_project,
    list_projects,
    update_project,
)
from service.routes.raw_documents import get_raw_document
from service.routes.search import search, search_turns, suggest
from service.routes.stories import get_next, list_stories
from service.routes.syncs import (
    get_sync,
    get_sync_status,
    list_syncs,
    sync_project_doc,
)
from service.routes.webhooks import receive_webhook
from service.site.document import kept_documents
from service.site.files import show_file, show_files
from service.site.overview import kept_overviews, show_overview
from service.site.page_assets import get_icon, get_page_asset
from service.site.permalink import follow_permalink
from service.site.problem_page import respond_with_problem_page
from service.site.project import show_project
from service.site.search import show_search
from service.site.templating import list_turns
from service.site.work_lists import show_epics, show_problems, show_stories
from service.state import State
from service.sync.removals import removing
from service.sync.syncer import syncing
from service.telemetry.metrics import Metrics, refreshing
from service.web.authorization import Authorization, PrivateResponses
from service.web.hosts import AllowedHosts, read_host
from service.web.large_bodies import LargeBodies
from service.web.middleware import BodyLimit, Cors, ErrorBoundary
from service.web.request_context import RequestContext
from service.web.router import SegmentRouter

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from starlette.types import ASGIApp

    from service.settings import Settings
    from service.telemetry.shared_values import SharedValues

ROUTES: Final = [
    Route("/api/health", get_health, methods=["GET"]),
    Route("/api/health/live", get_liveness),
    Route("/api/hello", get_hello),
    Route("/api/projects", list_projects),
    Route("/api/projects", create_project, methods=["POST"]),
    Route("/api/projects/{project_id}", get_project),
    Route("/api/projects/{project_id}", update_project, methods=["PUT"]),
    Route("/api/projects/{project_id}", delete_project, methods=["DELETE"]),
    Route("/api/projects/{project_id}/docs", list_project_docs),
    Route("/api/projects/{project_id}/docs", create_project_doc, methods=["POST"]),
    Route("/api/projects/{project_id}/file-tree", get_file_tree),
    Route("/api/projects/{project_id}/documents", find_document),
    Route("/api/projects/{project_id}/stories", list_stories),
    Route("/api/projects/{project_id}/epics", list_epics),
    Route("/api/projects/{project_id}/next", get_next),
    Route("/api/projects/{project_id}/problems", list_problems),
    Route("/api/projects/{project_id}/progress", get_progress),
    Route("/api/projects/{project_id}/activity", list_activity),
    Route("/api/projects/{project_id}/activity.atom", get_activity_feed),
    Route("/api/projects/{project_id}/burnup", get_burn_up),
    Route("/api/projects/{project_id}/burnup.csv", get_burn_up_csv),
    Route("/api/projects/{project_id}/burnup.svg", get_burn_up_chart),
    Route("/api/projects/{project_id}/badge.svg", get_badge),
    Route("/api/overview", get_overview),
    Route("/api/project-docs/{id}", get_project_doc),
    Route("/api/project-docs/{id}", update_project_doc, methods=["PUT"]),
    Route("/api/project-docs/{id}", delete_project_doc, methods=["DELETE"]),
    Route("/api/project-docs/{id}/sync", sync_project_doc, methods=["POST"]),
    Route("/api/project-docs/{id}/sync-status", get_sync_status),
    Route("/api/project-docs/{id}/syncs", list_syncs),
    Route("/api/project-docs/{id}/syncs/{run_id}", get_sync),
    Route("/api/project-docs/{id}/webhook", receive_webhook, methods=["POST"]),
    Route("/api/documents/{id}", get_document),
    Route("/api/documents/{id}/raw", get_raw_document),
    Route("/api/search", search),
    Route("/api/search/suggest", suggest),
    Route("/mcp", post_mcp, methods=["POST"]),
    Route("/metrics", get_metrics),
    Route("/", show_overview),
    Route("/search", show_search),
    Route("/documents/{id}", follow_permalink),
    Route("/projects/{project_id}", show_project),
    Route("/projects/{project_id}/stories", show_stories),
    Route("/projects/{project_id}/epics", show_epics),
    Route("/projects/{project_id}/problems", show_problems),
    Route("/assets/{name}", get_page_asset),
    Route("/favicon.ico", get_icon),
    Route("/projects/{project_id}/files", show_files),
    Route("/projects/{project_id}/files/{path:path}", show_file),
    Route("/llms.txt", get_llms_text),
    Route("/openapi.json", get_open_api_document),
    Route("/docs", get_swagger_ui),
    Route("/docs/assets/{name}", get_documentation_asset),
    Route("/redoc", get_re_doc),
]


class Application(Starlette):
    """Starlette with SegmentRouter, and without its middlewares for exceptions.

    Starlette puts them outside all other middleware and next to the routes. Their responses would
    lack our headers and log lines, and each takes as long as all of ours together.
    """

    def build_middleware_stack(self) -> ASGIApp:
        """Return the router inside the given middleware."""
        app: ASGIApp = self.router.app  # the router itself would only call this
        for cls, arguments, options in reversed(self.user_middleware):
            app = cls(app, *arguments, **options)
        return app


def create_app(settings: Settings, shared: SharedValues | None = None) -> Application:
    """Return the ASGI application. Its lifespan needs no database to begin.

    One of several workers shares the values of its metrics with the others.
    """
    metrics = Metrics(shared)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncGenerator[State]:
        migrations = read_migration_ids()
        async with open_database(
            settings.database_url,
            settings.database_pool_max,
            metrics.connection_wait.observe,
            use_prepared_statements=settings.database_prepared_statements,
            migrations=migrations,
        ) as database:
            health = HealthCheck(database, migrations, settings.health_timeout, metrics)
            health.start_query()
            async with (
                LargeBodies() as large_bodies,
                refreshing(metrics, database.read_use),
                syncing(database, settings, metrics) as syncer,
                removing(database) as remover,
            ):
                yield State(
                    database=database,
                    health=health,
                    kept_documents=kept_documents(),
                    kept_overviews=kept_overviews(),
                    large_bodies=large_bodies,
                    list_turns=list_turns(),
                    metrics=metrics,
                    reading_turns=reading_turns(),
                    remover=remover,
                    search_turns=search_turns(),
                    settings=settings,
                    syncer=syncer,
                )

    app = Application(
        # From the outside in, so that every error gets its id, its CORS headers and its log line.
        middleware=[
            Middleware(
                RequestContext,
                metrics=metrics,
                trusted_proxies=settings.trusted_proxies,
                root_path=settings.root_path,
            ),
            Middleware(
                Cors,
                allow_origins=settings.cors_origins,
                allow_credentials=True,
                allow_methods=["*"],
                allow_headers=["*"],
                expose_headers=["X-Request-ID", "Retry-After", "Location", "Link", "ETag"],
            ),
            *([Middleware(PrivateResponses)] if settings.api_token_for_reads else []),
            Middleware(ErrorBoundary, make_page=respond_with_problem_page),
            *_hosts_middleware(settings),
            *_authorization_middleware(settings),
            Middleware(BodyLimit),
        ],
    )
    app.router = SegmentRouter(ROUTES, lifespan=lifespan)
    return app


def _hosts_middleware(settings: Settings) -> list[Middleware]:
    has_token = settings.api_token is not None
    if "*" in settings.allowed_hosts or (has_token and not settings.allowed_hosts):
        return []
    # BACKEND_HOST may be a name of this machine, which /etc/hosts maps to a loopback address.
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    own = read_host(host.encode())
    names = {*settings.allowed_hosts, *([own] if own else ())}
    return [Middleware(AllowedHosts, names=names, has_token=has_token)]


def _authorization_middleware(settings: Settings) -> list[Middleware]:
    if settings.api_token is None:
        return []
    return [
        Middleware(
            Authorization,
            token=settings.api_token,
            read_token=settings.api_read_token,
            for_reads=settings.api_token_for_reads,
        )
    ]
