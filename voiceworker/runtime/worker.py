"""The worker: takes dispatches while it has a free place, and runs one process a call. Wired by agent.py."""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import logging
import math
import multiprocessing
import os
import secrets
import signal
import socket
import threading
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime

from livekit.agents import AgentServer, AutoSubscribe, JobContext, JobProcess, JobRequest, tokenize
from livekit.agents.utils import http_context
from livekit.agents.worker import ServerEnvOption
from sqlalchemy.exc import SQLAlchemyError

from voiceworker.config import AgentCatalog, AgentCheck, AgentDefinition, ConfigError, Settings
from voiceworker.dispatch import (
    AGENT_IDENTITY_PREFIX,
    SESSION_PATTERN,
    CallRequest,
    agent_identity,
    new_session_id,
)
from voiceworker.policy.backchannels import lexicon_of
from voiceworker.prices import load_prices
from voiceworker.records import Records, migrate, open_records
from voiceworker.records.budgets import BudgetDesk
from voiceworker.records.sessions import OPEN
from voiceworker.records.workers import Heartbeat
from voiceworker.runtime.accounts import StoredAccounts
from voiceworker.runtime.call import Call
from voiceworker.runtime.call_book import CallBook
from voiceworker.runtime.call_models import CallModels
from voiceworker.runtime.checks import definition_check
from voiceworker.runtime.conversation import CallParts
from voiceworker.runtime.engines import EngineBuilder
from voiceworker.runtime.routed_engines import current_load, routed_engines
from voiceworker.runtime.tasks import Tasks
from voiceworker.runtime.toolbox import Toolbox

logger = logging.getLogger("voiceworker.worker")

HEARTBEAT_SECONDS = 1.0
_SHORT_SECONDS = 4.0
"a process that finds everything there has ended within this"
_LOOK_SECONDS = 1.0
"how soon a changed file of an agent is noticed"
DRAIN_SECONDS = 3600
_MEMORY_LIMIT_MEGABYTES = 1500
"of one call, all that it shares included; one that takes more is ended, its neighbours go on"

_SFU_TARGET_LOAD = 0.7
"agents.target_load of livekit-server, by default"

_SHARED_MODULES = (
    "voiceworker.runtime.worker",
    "sqlalchemy.dialects.sqlite",
    "dateparser",
    # those that libraries import at their first use
    "anyio._backends._asyncio",
    "numpy.fft",
    "openai.resources.models",
)
"""Imported once, before processes are forked: each would spend half a second of a core on them, just when the call
whose place it takes is joining its room, and more on the way to its own caller's greeting."""

_IDLE_PROCESSES = 2
"calls that can start at once without waiting for a process; each costs its private memory only"


def make_server(settings: Settings, toolboxes: Mapping[str, Toolbox]) -> AgentServer:
    """The framework's server with our limits: places are counted, the machine's load is not asked."""
    return AgentServer(
        load_fnc=_Load(settings.max_calls),
        load_threshold=math.inf,
        num_idle_processes=min(_IDLE_PROCESSES, settings.max_calls),
        setup_fnc=_Setup(settings, toolboxes),
        host="127.0.0.1",
        port=settings.worker_port,
        job_memory_limit_mb=_MEMORY_LIMIT_MEGABYTES,
        drain_timeout=DRAIN_SECONDS,
        initialize_process_timeout=60,
        preload_modules=list(_SHARED_MODULES),
        max_retry=1_000_000,  # an SFU that restarts must find its worker again, however long it takes
        ws_url=settings.livekit_url,
        api_key=settings.livekit_api_key,
        api_secret=settings.livekit_api_secret,
        log_level=ServerEnvOption(dev_default="INFO", prod_default="INFO"),
    )


def agent_catalog(settings: Settings, check: AgentCheck | None) -> AgentCatalog:
    return AgentCatalog(settings.agents_directory, check, settings.data_directory / "agents" if check else None)


class _Load:
    """What the SFU is told, to spread calls over workers. Whether there is a place, `Worker.answer` decides.

    It stays below `_SFU_TARGET_LOAD`: a worker above that is asked for nothing, and a dispatch that finds no other
    worker is dropped without a word.
    """

    def __init__(self, max_calls: int) -> None:
        self._max_calls = max_calls

    def __call__(self, server: AgentServer) -> float:
        return _SFU_TARGET_LOAD * len(server.active_jobs) / (self._max_calls + 1)


class _Setup:
    """Prepares an idle job process before a call needs it: whatever is done here, no caller waits for."""

    def __init__(self, settings: Settings, toolboxes: Mapping[str, Toolbox]) -> None:
        self._settings = settings
        self._toolboxes = toolboxes

    def __call__(self, process: JobProcess) -> None:
        # A signal to the whole process group must not cut the calls of a worker that drains: it ends its jobs itself.
        if threading.current_thread() is threading.main_thread():  # the framework's console runs jobs in threads
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
        # the first use of both is slow: syllables pace the captions, certificates are read for all that share a session
        tokenize.basic.hyphenate_word("ready")
        http_context._create_ssl_context()
        settings = self._settings
        catalog = agent_catalog(settings, definition_check(settings, self._toolboxes))
        process.userdata["catalog"] = catalog
        definition = catalog.get(settings.default_agent)
        if definition is None:
            return  # a call for another agent can still be taken
        lexicon_of(definition.language)  # read and kept for the call
        models = process.userdata["models"] = CallModels(settings, load_prices(settings.prices_file))
        try:
            engines = models.engines(definition)
            engines.warm_up()
        except (ValueError, OSError) as error:
            logger.error("a process waits without its engines: %s", error)
        else:
            process.userdata["engines"] = engines


class Worker:
    """What the worker process itself does: answers requests, and tells the records that it is there."""

    def __init__(self, server: AgentServer, settings: Settings, toolboxes: Mapping[str, Toolbox]) -> None:
        self._server = server
        self._settings = settings
        self._catalog = agent_catalog(settings, definition_check(settings, toolboxes))
        self._tasks = Tasks()
        self._id = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(3)}"
        self._records: Records | None = None
        self._beating = False
        self._built: dict[str, AgentDefinition | None] = {}
        self._accepting = 0
        "jobs that were promised and do not run yet"
        server.on("worker_started", self._started)
        server.on("worker_registered", self._registered)

    def prepare(self) -> None:
        """What must be right before the first call. Raises ConfigError when an agent's file is broken."""
        self._catalog.names()
        for problem in self._catalog.problems.values():
            raise ConfigError(problem)
        migrate(self._settings.records_url)
        self._build()

    def _build(self) -> None:
        """Makes what engines load, in a process that ends: it takes hundreds of megabytes for a few seconds."""
        definitions = {name: self._catalog.get(name) for name in self._catalog.names()}
        if definitions == self._built:
            return
        builder = multiprocessing.get_context("spawn").Process(target=build_engines, args=(self._settings,))
        builder.start()
        builder.join(_SHORT_SECONDS)
        if builder.is_alive():
            logger.warning("making the language model of the built-in recogniser; half a minute, once for each script")
            builder.join()
        self._built = definitions

    async def _keep_built(self) -> None:
        """After an agent's file has changed, so that the next call does not wait for it."""
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            await asyncio.to_thread(self._build)

    def _started(self) -> None:
        self._records = open_records(self._settings.records_url)
        atexit.register(self._leave, self._records)

    def _leave(self, records: Records) -> None:
        """Gone at once, not after three seconds without a beat."""
        with contextlib.suppress(SQLAlchemyError):
            records.workers.leave(self._id)
            records.close()

    def _registered(self, *_: object) -> None:
        """Also after every reconnection to the SFU."""
        if not self._beating and self._records is not None:
            self._beating = True
            self._tasks.spawn(self._beat(self._records), "heartbeat")
            self._tasks.spawn(self._keep_built(), "builder")

    async def _beat(self, records: Records) -> None:
        """Says every second how many calls it can take; for as long as the process lives."""
        while True:
            beat = Heartbeat(
                self._id,
                free_slots=0 if self._server.draining else self._free(),
                capacity=self._settings.max_calls,
                calls=len(self._server.active_jobs),
                beat_at=datetime.now(UTC),
            )
            try:
                await asyncio.to_thread(records.workers.beat, beat)
            except SQLAlchemyError as error:  # a database that is away comes back; without beats nobody is admitted
                logger.warning("no heartbeat: %s", type(error).__name__)
            await asyncio.sleep(HEARTBEAT_SECONDS)

    def _free(self) -> int:
        return max(0, self._settings.max_calls - len(self._server.active_jobs) - self._accepting)

    async def answer(self, request: JobRequest) -> None:
        """Takes a job, or says why not. Bad metadata and ended sessions end here, before a process is spent on them."""
        try:
            call = CallRequest.from_json(request.job.metadata)
        except ValueError as error:
            logger.warning("refused a dispatch to room %s: %s", request.room.name, error)
            await request.reject()
            return
        name = call.agent or self._settings.default_agent
        if await asyncio.to_thread(self._catalog.get, name) is None:
            logger.warning("refused a dispatch to room %s: no such agent", request.room.name)
            await request.reject()
            return
        session = call.session or new_session_id()
        if self._records is not None and await asyncio.to_thread(self._is_over, session):
            logger.info("refused a dispatch to room %s: the session is over", request.room.name)
            await request.reject()
            return
        if self._free() == 0:
            logger.warning(
                "refused a dispatch to room %s: all %d places are taken", request.room.name, self._settings.max_calls
            )
            await request.reject(terminate=False)  # another worker may have one
            return
        self._accepting += 1
        try:
            await request.accept(name=name, identity=agent_identity(session))
        finally:
            self._accepting -= 1

    def _is_over(self, session: str) -> bool:
        assert self._records is not None
        record = self._records.sessions.get(session)
        return record is not None and record.status not in OPEN


def build_engines(settings: Settings) -> None:
    """What a builder process does: for every agent, all that its engines load. A failure is the call's to report."""
    catalog = agent_catalog(settings, None)
    for name in catalog.names():
        definition = catalog.get(name)
        try:
            if definition is not None:
                EngineBuilder(definition, settings, settings.now).build()
        except (ValueError, OSError) as error:
            logger.error("%s: its engines could not be prepared: %s", name, error)


def job_request(context: JobContext) -> CallRequest:
    """The dispatch's metadata, completed by the session id under which `Worker.answer` took it."""
    call = CallRequest.from_json(context.job.metadata)
    if not context.is_fake_job():
        taken_as = context.token_claims().identity.removeprefix(AGENT_IDENTITY_PREFIX)
        if SESSION_PATTERN.match(taken_as):
            return replace(call, session=taken_as)
    return replace(call, session=new_session_id())  # console, connect: nobody took it


async def run_call(context: JobContext, settings: Settings, toolboxes: Mapping[str, Toolbox]) -> None:
    """The entrypoint of a job process."""
    request, tasks = job_request(context), Tasks()
    # the longest part of joining: meanwhile everything is made that needs no room
    connecting = tasks.spawn(context.connect(auto_subscribe=AutoSubscribe.AUDIO_ONLY), "joining the room")
    catalog = context.proc.userdata.get("catalog") or agent_catalog(settings, definition_check(settings, toolboxes))
    name = request.agent or settings.default_agent
    definition = await asyncio.to_thread(catalog.get, name)
    if definition is None:
        raise ValueError(catalog.problems.get(name, f"no agent {name!r} in {settings.agents_directory}"))
    models: CallModels | None = context.proc.userdata.get("models")
    if models is None:
        models = CallModels(settings, load_prices(settings.prices_file))
    records = await asyncio.to_thread(open_records, settings.records_url)
    try:
        load = await asyncio.to_thread(current_load, records) if definition.routes else 0.0
        routing, engines = await routed_engines(
            definition, request, settings.now(), load, models.engines, context.proc.userdata.get("engines")
        )
        currency = settings.budget_currency
        desk = BudgetDesk(records.usage, records.keys, models.prices, currency, settings.budget_per_day)
        accounts = StoredAccounts(records, desk, request.session, definition)
        call = Call(context, request, CallParts(engines, models, routing), settings, CallBook(records), accounts)
        await call.run(toolboxes, connecting)
    finally:
        await models.aclose()
        records.close()
