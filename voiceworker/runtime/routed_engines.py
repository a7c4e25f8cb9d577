"""The engines of a call, as the rules of its agent's file decide; those of the file itself when the rules fail."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import UTC, datetime

from sqlalchemy.exc import SQLAlchemyError

from voiceworker.config import AgentDefinition
from voiceworker.dispatch import CallRequest
from voiceworker.records import Records
from voiceworker.runtime.engines import EngineBuilder
from voiceworker.runtime.routing import CallRouting, load_of

logger = logging.getLogger("voiceworker.routing")

Build = Callable[[AgentDefinition], EngineBuilder]


async def routed_engines(
    definition: AgentDefinition,
    request: CallRequest,
    now: datetime,
    load: float,
    build: Build,
    waiting: EngineBuilder | None = None,
) -> tuple[CallRouting, EngineBuilder]:
    """`now`: the business clock's; `waiting`: engines that a process has made ahead, taken where they fit.

    Each rule was checked alone when the file was read, not every pair of them: a voice that one names may not have the
    language of another. A caller is not to suffer for it. Raises ValueError when the agent's own models fail as well.
    """
    routing = CallRouting(definition, request.metadata, request.session, now, load)
    if routing.definition == definition:
        return routing, await _built(definition, build, waiting)
    try:
        return routing, await asyncio.to_thread(_checked, build, routing.definition)
    except ValueError as error:
        logger.error("%s: %s; the agent's own models answer", routing.decision.rule, error)
    plain = CallRouting(definition.model_copy(update={"routes": []}), {}, request.session, now, load)
    return plain, await _built(definition, build, waiting)


async def _built(definition: AgentDefinition, build: Build, waiting: EngineBuilder | None) -> EngineBuilder:
    if waiting is not None and waiting.definition == definition:
        return waiting
    return await asyncio.to_thread(build, definition)


def _checked(build: Build, definition: AgentDefinition) -> EngineBuilder:
    engines = build(definition)
    for role, choice in engines.choices.items():
        if choice.usable:
            engines.check(role)
    return engines


def current_load(records: Records) -> float:
    """Of all workers that beat; it blocks. 0 when the database is away: that must not keep a call from being held."""
    try:
        return load_of(records.workers.live(datetime.now(UTC)))
    except SQLAlchemyError as error:
        logger.warning("the load is not known: %s", type(error).__name__)
        return 0.0
