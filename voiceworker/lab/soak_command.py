"""`voiceworker soak`: calls one after the other, and what the worker's processes still hold after each few of them."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Annotated

import numpy as np
import psutil
import typer

from voiceworker.config import ConfigError, Settings, load_settings
from voiceworker.lab.caller import Caller
from voiceworker.lab.invitation import CallSetupError, by_session_api

_SETTLE_SECONDS = 30
"a finished job's process is gone, and the next one waits, within this"


@dataclass(frozen=True, slots=True)
class Held:
    """What the worker and all its children hold together."""

    processes: int
    threads: int
    descriptors: int
    pss_megabytes: float


def soak(
    calls: Annotated[int, typer.Option(help="How many calls, one after the other.", min=2)] = 30,
    every: Annotated[int, typer.Option(help="Measure after so many calls.", min=1)] = 5,
    api: Annotated[str, typer.Option(help="The session API.")] = "",
    agent: Annotated[str, typer.Option(help="Whom to call; empty: the default agent.")] = "",
) -> None:
    """Call an agent again and again on this machine, and see what its worker keeps: threads, descriptors, memory."""
    settings = load_settings()
    if not settings.api_key:
        raise ConfigError("VOICEWORKER_API_KEY: set it to a key made by `voiceworker keys create`")
    url = api or f"http://127.0.0.1:{settings.api_port}"
    worker = _worker_at(settings.worker_port)
    try:
        asyncio.run(_soak(settings, url, agent or settings.default_agent, worker, calls, every))
    except CallSetupError as error:
        raise ConfigError(str(error)) from None


def _worker_at(port: int) -> psutil.Process:
    for connection in psutil.net_connections("tcp"):
        listening = connection.status == psutil.CONN_LISTEN and connection.pid
        if listening and tuple(connection.laddr)[1:2] == (port,):
            return psutil.Process(connection.pid)
    raise ConfigError(f"VOICEWORKER_WORKER_PORT: no worker listens on port {port} of this machine")


async def _soak(settings: Settings, url: str, agent: str, worker: psutil.Process, calls: int, every: int) -> None:
    await _one_call(settings, url, agent)  # the first builds what later ones find
    points = [(0, await _settled(worker))]
    typer.echo(_row(*points[0]))
    for number in range(1, calls + 1):
        await _one_call(settings, url, agent)
        if number % every == 0 or number == calls:
            points.append((number, await _settled(worker)))
            typer.echo(_row(*points[-1]))
    slope = np.polyfit([number for number, _ in points], [held.pss_megabytes for _, held in points], 1)[0]
    typer.echo(f"PSS slope: {slope:+.3f} MB a call")


async def _one_call(settings: Settings, url: str, agent: str) -> None:
    async with by_session_api(url, settings.api_key, agent) as invitation, Caller(invitation) as caller:
        await caller.wait_for_greeting()
        await caller.type_text("goodbye")
        await caller.until(lambda: caller.agent_left, within_seconds=30)


async def _settled(worker: psutil.Process) -> Held:
    """Measures when the number of processes has stood still for three seconds."""
    stable, last = 0, -1
    for _ in range(_SETTLE_SECONDS):
        count = len(worker.children(recursive=True))
        stable = stable + 1 if count == last else 0
        if stable >= 3:
            break
        last = count
        await asyncio.sleep(1)
    return _held(worker)


def _held(worker: psutil.Process) -> Held:
    family = [worker, *worker.children(recursive=True)]
    return Held(
        len(family),
        sum(process.num_threads() for process in family),
        sum(process.num_fds() for process in family),
        sum(process.memory_full_info().pss for process in family) / 1e6,
    )


def _row(number: int, held: Held) -> str:
    return (
        f"after {number:3d} calls: {held.processes} processes, {held.threads} threads, "
        f"{held.descriptors} descriptors, {held.pss_megabytes:.1f} MB PSS"
    )
