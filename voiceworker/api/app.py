"""The HTTP process, wired by hand in one place."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from datetime import datetime
from importlib.metadata import version

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware

from voiceworker.api import problems
from voiceworker.api.authentication import Authentication, PagePass, is_loopback
from voiceworker.api.budgets import BudgetCheck
from voiceworker.api.documentation import describe, documentation_routes
from voiceworker.api.edge import AnswerHeaders, CountedRequests, LoopbackHostOnly
from voiceworker.api.metrics import Metrics
from voiceworker.api.page import page_routes
from voiceworker.api.rate_limits import RateLimiter, RateLimits
from voiceworker.api.reception import Reception
from voiceworker.api.rooms import Rooms
from voiceworker.api.session_routes import session_routes
from voiceworker.api.status_routes import Health, metrics_routes, status_routes
from voiceworker.api.usage_routes import usage_routes
from voiceworker.api.watchdog import Watchdog
from voiceworker.config import AgentCatalog, Settings
from voiceworker.prices import load_prices
from voiceworker.records import Records
from voiceworker.records.budgets import BudgetDesk


def create_app(
    settings: Settings,
    records: Records,
    rooms: Rooms,
    catalog: AgentCatalog,
    clock: Callable[[], datetime],
    rate_limits: RateLimits | None = None,
) -> FastAPI:
    """The application. `records` and `rooms` stay the caller's, to be closed by him after the application.

    Raises ConfigError when the table of prices cannot be read.

    `clock` is the real time, aware: sessions are measured by it.
    """
    on_loopback = is_loopback(settings.api_host)
    metrics = Metrics()
    limiter = RateLimiter(rate_limits or RateLimits())
    page = PagePass(settings.api_port) if on_loopback else None
    authentication = Authentication(records.keys, limiter, page)
    prices = load_prices(settings.prices_file)
    desk = BudgetDesk(records.usage, records.keys, prices, settings.budget_currency, settings.budget_per_day)
    reception = Reception(settings, records, rooms, catalog, clock, BudgetCheck(desk))
    watchdog = Watchdog(records, rooms, metrics, clock)

    @contextlib.asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        async with asyncio.TaskGroup() as owner:
            watching = owner.create_task(watchdog.run(), name="session watchdog")
            yield
            watching.cancel()

    app = FastAPI(
        title="voiceworker",
        version=version("voiceworker"),
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    health = Health(records, rooms, clock)
    routers = [
        session_routes(reception, records, authentication, limiter),
        usage_routes(reception, records, authentication, clock),
        status_routes(health, catalog, settings.default_agent, authentication),
        metrics_routes(metrics, records, clock, None if on_loopback else authentication),
        documentation_routes(),
        page_routes(settings.web_directory, settings.client_livekit_url, page),
    ]
    for router in routers:
        app.include_router(router)
    problems.install(app, routers)
    describe(app)

    # The last one added is the first to see a request.
    if settings.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.cors_origins,
            allow_methods=["GET", "POST", "DELETE"],
            allow_headers=["Authorization", "Content-Type", "Idempotency-Key"],
            expose_headers=["Retry-After"],
            max_age=600,
        )
    if on_loopback:
        app.add_middleware(LoopbackHostOnly)
    app.add_middleware(AnswerHeaders)
    app.add_middleware(CountedRequests, metrics=metrics)
    return app
