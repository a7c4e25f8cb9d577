"""The peers as people run them: livekit-agents and pipecat, everything at its default."""

from __future__ import annotations

import asyncio
import json
import secrets
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import IO

import aiohttp
from livekit import api

from voiceworker.config import ConfigError
from voiceworker.lab.bench.environment import pipecat_python
from voiceworker.lab.bench.systems import INSTRUCTIONS, VOICE, Call, Surroundings, free_port
from voiceworker.lab.invitation import CallSetupError
from voiceworker.stack.process import ChildProcess
from voiceworker.stack.sfu import answers

_PEERS = Path(__file__).parent / "peers"
_READY_SECONDS = 60


class _Peer:
    """A program of `peers/` in a process of its own; what it prints is kept in a file."""

    name: str

    def __init__(self, surroundings: Surroundings) -> None:
        self._surroundings = surroundings
        self._child: ChildProcess | None = None
        self._log: IO[str] | None = None
        self._port = free_port()

    async def _start(self, command: list[str], on_line: Callable[[str], None] = lambda _: None) -> ChildProcess:
        given = self._surroundings
        given.directory.mkdir(parents=True, exist_ok=True)
        self._log = log = (given.directory / f"{self.name}.log").open("w", encoding="utf-8")

        def keep(line: str) -> None:
            log.write(line + "\n")
            log.flush()
            on_line(line)

        settings = {
            "api_key": self.name,
            "openai_url": given.openai_url,
            "deepgram_url": given.deepgram_url,
            "livekit_url": given.tickets.url,
            "greeting": given.greeting,
            "instructions": INSTRUCTIONS,
            "voice": VOICE,
            "vad": given.vad,
            "port": self._port,
        }
        environment = {
            **given.environment,
            "LIVEKIT_URL": given.tickets.url,
            "LIVEKIT_API_KEY": given.tickets.api_key,
            "LIVEKIT_API_SECRET": given.tickets.api_secret,
            "PYTHONUNBUFFERED": "1",
            "BENCH_PEER": json.dumps(settings),
        }
        self._child = await ChildProcess.start(
            self.name, command, environment=environment, directory=given.directory, on_line=keep
        )
        return self._child

    def _failure(self, child: ChildProcess) -> ConfigError:
        return ConfigError(f"{self.name} does not start: {child.last_line or 'it says nothing'}")

    async def stop(self) -> None:
        if self._child is not None:
            await self._child.stop(within_seconds=4, asking=2)
        if self._log is not None:
            self._log.close()

    @property
    def process_id(self) -> int:
        assert self._child is not None
        return self._child.pid

    @asynccontextmanager
    async def _room(self) -> AsyncIterator[str]:
        """The name of a room that is deleted at the exit."""
        room, tickets = f"{self.name}-{secrets.token_urlsafe(8)}", self._surroundings.tickets
        try:
            yield room
        finally:
            async with api.LiveKitAPI(tickets.url, tickets.api_key, tickets.api_secret) as server:
                with suppress(api.TwirpError, aiohttp.ClientError, TimeoutError):
                    await server.room.delete_room(api.DeleteRoomRequest(room=room))


class StockLiveKit(_Peer):
    """livekit-agents with its defaults; the room's token dispatches it, as its own starter does."""

    name = "livekit"

    async def start(self) -> None:
        command = [sys.executable, str(_PEERS / "stock_livekit.py"), "start"]
        ready = asyncio.Event()
        child = await self._start(command, on_line=lambda line: ready.set() if "registered worker" in line else None)
        ended, waiting = asyncio.ensure_future(child.wait()), asyncio.ensure_future(ready.wait())
        await asyncio.wait({ended, waiting}, timeout=_READY_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        for task in (ended, waiting):
            task.cancel()
        if not ready.is_set():
            raise self._failure(child)

    @asynccontextmanager
    async def call(self) -> AsyncIterator[Call]:
        async with self._room() as room:
            asked_at = time.perf_counter()
            yield Call(self._surroundings.tickets.ticket(room, agent_name="stock-livekit"), asked_at)


class StockPipecat(_Peer):
    """pipecat with its defaults, in its own environment; a request to its process brings a bot into the room."""

    name = "pipecat"

    async def start(self) -> None:
        python = await asyncio.to_thread(pipecat_python, self._surroundings.cache_directory)
        child = await self._start([str(python), str(_PEERS / "stock_pipecat.py")])
        if not await answers(f"http://127.0.0.1:{self._port}/", within_seconds=_READY_SECONDS, while_running=child):
            raise self._failure(child)

    @asynccontextmanager
    async def call(self) -> AsyncIterator[Call]:
        tickets = self._surroundings.tickets
        async with self._room() as room:
            asked_at = time.perf_counter()
            body = {"room": room, "token": tickets.bot_token(room)}
            try:
                url = f"http://127.0.0.1:{self._port}/start"
                async with aiohttp.ClientSession() as http, http.post(url, json=body) as response:
                    response.raise_for_status()
            except (aiohttp.ClientError, TimeoutError) as error:
                raise CallSetupError(f"pipecat takes no call: {error}") from error
            yield Call(tickets.ticket(room), asked_at)
