"""Who can be called, and whether everything is there: agents, health, metrics."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST
from sqlalchemy.exc import SQLAlchemyError
from starlette.requests import Request

from voiceworker.api.authentication import Authentication
from voiceworker.api.metrics import Metrics
from voiceworker.api.problems import Problem, documented
from voiceworker.api.rooms import Rooms, SfuUnreachable
from voiceworker.api.schema import AgentEntry, AgentList, Alive, Check, Readiness
from voiceworker.config import AgentCatalog
from voiceworker.records import STALE_AFTER, Records, Scope

_REFUSALS = ("unauthenticated", "foreign_origin", "missing_scope", "rate_limited")


class Health:
    """The three things a call needs beside this process."""

    def __init__(self, records: Records, rooms: Rooms, clock: Callable[[], datetime]) -> None:
        self._records = records
        self._rooms = rooms
        self._clock = clock

    async def checks(self) -> dict[str, Check]:
        sfu, (database, worker) = await asyncio.gather(self._sfu(), asyncio.to_thread(self._stored))
        return {"sfu": sfu, "database": database, "worker": worker}

    async def _sfu(self) -> Check:
        try:
            await self._rooms.names(["voiceworker-readiness"])
        except SfuUnreachable:
            return Check(ok=False, detail="does not answer, or refuses our key pair")
        return Check(ok=True, detail="answers")

    def _stored(self) -> tuple[Check, Check]:
        try:
            self._records.check()
            live = self._records.workers.live(self._clock())
        except SQLAlchemyError:
            unknown = Check(ok=False, detail="not known without the database")
            return Check(ok=False, detail="does not answer, or has no tables"), unknown
        if not live:
            silent = f"no worker has been heard of for {STALE_AFTER.seconds} s; start one: agent.py start"
            return Check(ok=True, detail="answers"), Check(ok=False, detail=silent)
        free, capacity = (sum(getattr(worker, name) for worker in live) for name in ("free_slots", "capacity"))
        return Check(ok=True, detail="answers"), Check(ok=True, detail=f"{len(live)} alive, {free} of {capacity} free")


def status_routes(
    health: Health,
    catalog: AgentCatalog,
    default_agent: str,
    authentication: Authentication,
) -> APIRouter:
    router = APIRouter()

    @router.get("/v1/agents", tags=["agents"], summary="Who can be called", responses=documented(*_REFUSALS))
    async def list_agents(request: Request) -> AgentList:
        """The agents whose definition is valid. A file that was added or changed is seen at once."""
        await authentication.client(request, Scope.AGENTS_READ)
        return AgentList(agents=await asyncio.to_thread(_agents, catalog, default_agent))

    @router.get("/livez", tags=["health"], summary="This process answers")
    async def alive() -> Alive:
        """Restart it when this fails."""
        return Alive()

    @router.get("/readyz", tags=["health"], summary="A call can be taken", responses=documented("not_ready"))
    async def ready() -> Readiness:
        """SFU, database and at least one live worker. Otherwise 503, and `checks` says which is missing and why."""
        checks = await health.checks()
        missing = [f"{name}: {check.detail}" for name, check in checks.items() if not check.ok]
        if missing:
            told = {name: check.model_dump() for name, check in checks.items()}
            raise Problem("not_ready", "; ".join(missing), retry_after_seconds=1, members={"checks": told})
        return Readiness(status="ready", checks=checks)

    return router


def metrics_routes(
    metrics: Metrics, records: Records, clock: Callable[[], datetime], authentication: Authentication | None
) -> APIRouter:
    """`authentication` None: whoever reaches this address may read them. What happens from now on is counted."""
    metrics.count_from_now(records)
    router = APIRouter()

    @router.get(
        "/metrics",
        tags=["health"],
        summary="For Prometheus",
        response_class=Response,
        responses={200: {"content": {"text/plain": {}}}, **documented(*_REFUSALS)},
    )
    async def read_metrics(request: Request) -> Response:
        """Sessions by status, requests, seconds to join and to the first audio, free places. Needs a key unless the
        API is on loopback."""
        if authentication is not None:
            await authentication.client(request, Scope.METRICS_READ)
        text = await asyncio.to_thread(metrics.render, records, clock())
        return Response(text, media_type=CONTENT_TYPE_LATEST)

    return router


def _agents(catalog: AgentCatalog, default_agent: str) -> list[AgentEntry]:
    definitions = [catalog.get(name) for name in catalog.names()]
    return [
        AgentEntry(name=definition.name, language=definition.language, default=definition.name == default_agent)
        for definition in definitions
        if definition is not None
    ]
