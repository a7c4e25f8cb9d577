"""`voiceworker up`: SFU, worker and API on this machine, from nothing to a page to speak to, and back to nothing."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import signal
import socket
import sys
from collections.abc import Mapping

import aiohttp
from livekit import api

from voiceworker.config import PREFIX, ROOT, AgentCatalog, ConfigError, Settings, read_environment
from voiceworker.dispatch import SESSION_PATTERN
from voiceworker.models import choose_models
from voiceworker.stack.env_file import ensure_key_pair
from voiceworker.stack.log import ReadableLog
from voiceworker.stack.process import ChildProcess
from voiceworker.stack.sfu import answers, find_sfu, start_sfu

_READY_SECONDS = 300
"generous: the first start makes a language model, half a minute of one core"
_WORKER_STOP_SECONDS = 20
"closing a job takes the framework up to 15 s; calls have been ended before"


class Stack:
    """The three processes. `start` brings them up in order, `stop` ends them in reverse and leaves nothing behind."""

    def __init__(self, settings: Settings, log: ReadableLog, environment: Mapping[str, str] | None = None) -> None:
        self.settings = settings
        self._log = log
        self._given = read_environment() if environment is None else environment
        self._sfu: ChildProcess | None = None
        self._worker: ChildProcess | None = None
        self._api: ChildProcess | None = None

    async def start(self) -> None:
        """Raises ConfigError, one line with the remedy, when something is in the way."""
        check_agents(self.settings)
        self._check_ports()
        self.settings, made = ensure_key_pair(self.settings)
        if made:
            self._log.say("made a key pair for this installation: .env")
        environment = self._environment()
        if self.settings.livekit_url_given:
            await check_livekit(self.settings)
        else:
            program = await asyncio.to_thread(find_sfu, self.settings, self._log.say)
            self._sfu = await start_sfu(
                self.settings, program, environment=environment, on_line=lambda line: self._log.line("sfu", line)
            )
        self._api = await self._start("api", [sys.executable, "-m", "voiceworker", "serve"], environment)
        self._worker = await self._start("worker", [sys.executable, "agent.py", "start"], environment)
        await self._wait_until_ready()

    @property
    def worker_pid(self) -> int:
        assert self._worker is not None
        return self._worker.pid

    async def wait(self) -> ChildProcess:
        """Until one of the processes has ended by itself: that one."""
        children = [child for child in (self._sfu, self._worker, self._api) if child is not None]
        waits = {asyncio.ensure_future(child.wait()): child for child in children}
        done, pending = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        for task in pending:
            task.cancel()
        return waits[done.pop()]

    async def stop(self) -> None:
        """No new calls, then no calls, then no worker, then no SFU."""
        if self._api is not None:
            await self._api.stop(within_seconds=10)
        if self._worker is not None:
            await self._close_rooms()
            await self._worker.stop(within_seconds=_WORKER_STOP_SECONDS)
        if self._sfu is not None:
            await self._sfu.stop(within_seconds=4, asking=2)  # the second SIGTERM tells it not to wait for anybody

    # --- the parts ---

    def _environment(self) -> Mapping[str, str]:
        """What the children see: our environment, with the settings that were decided here put in."""
        own = {
            "LIVEKIT_URL": self.settings.livekit_url,
            "LIVEKIT_API_KEY": self.settings.livekit_api_key,
            "LIVEKIT_API_SECRET": self.settings.livekit_api_secret,
            "PYTHONUNBUFFERED": "1",
            "LIVEKIT_AGENTS_LOOP_BLOCK_WARN_MS": "500",  # on a busy small machine its default warns all the time
        }
        return {**self._given, **own}

    async def _start(self, name: str, command: list[str], environment: Mapping[str, str]) -> ChildProcess:
        return await ChildProcess.start(
            name, command, environment=environment, directory=ROOT, on_line=lambda line: self._log.line(name, line)
        )

    def _check_ports(self) -> None:
        settings = self.settings
        wanted = [
            ("API_PORT", settings.api_host, settings.api_port),
            ("WORKER_PORT", "127.0.0.1", settings.worker_port),
        ]
        if not settings.livekit_url_given:
            wanted += [
                ("SFU_PORT", settings.sfu_host, settings.sfu_port),
                ("SFU_TCP_PORT", settings.sfu_host, settings.sfu_tcp_port),
            ]
            check_port("SFU_UDP_PORT", settings.sfu_host, settings.sfu_udp_port, socket.SOCK_DGRAM)
        for variable, host, port in wanted:
            check_port(variable, host, port)

    async def _wait_until_ready(self) -> None:
        url = f"{_local_url(self.settings)}/readyz"
        last = "no answer"
        async with aiohttp.ClientSession() as http:
            for _ in range(_READY_SECONDS * 5):
                for child in (self._api, self._worker):
                    if child is not None and not child.running:
                        raise ConfigError(f"the {child.name} does not start: {_reason(child.last_line)}")
                try:
                    async with http.get(url, timeout=aiohttp.ClientTimeout(total=2)) as response:
                        if response.status == 200:
                            return
                        last = await response.text()
                except (aiohttp.ClientError, TimeoutError) as error:
                    last = str(error)
                await asyncio.sleep(0.2)
        raise ConfigError(f"not ready after {_READY_SECONDS} s: {last}")

    async def _close_rooms(self) -> None:
        """Ends the calls that are going on, so that the worker has nothing to wait for.

        On our own SFU every room is ours; on a server elsewhere only those of the session API are.
        """
        try:
            async with asyncio.timeout(5), self._livekit() as livekit:
                rooms = await livekit.room.list_rooms(api.ListRoomsRequest())
                for room in rooms.rooms:
                    if not self.settings.livekit_url_given or SESSION_PATTERN.match(room.name):
                        await livekit.room.delete_room(api.DeleteRoomRequest(room=room.name))
        except (TimeoutError, api.TwirpError, aiohttp.ClientError) as error:
            self._log.warn(f"the calls could not be ended in order: {error}")

    def _livekit(self) -> api.LiveKitAPI:
        settings = self.settings
        return api.LiveKitAPI(settings.livekit_url, settings.livekit_api_key, settings.livekit_api_secret)


def _local_url(settings: Settings) -> str:
    host = "127.0.0.1" if settings.api_host in ("0.0.0.0", "::") else settings.api_host
    return f"http://[{host}]:{settings.api_port}" if ":" in host else f"http://{host}:{settings.api_port}"


def _reason(last_line: str) -> str:
    """The last line of a child without its own name before it."""
    return last_line.removeprefix("voiceworker: ") or "it says nothing"


def check_agents(settings: Settings) -> None:
    """Raises ConfigError when an agent's file is broken or the default agent is missing: better now than in a call."""
    catalog = AgentCatalog(settings.agents_directory)
    names = catalog.names()
    if catalog.problems:
        raise ConfigError(next(iter(catalog.problems.values())))
    if settings.default_agent not in names:
        known = ", ".join(names) or "none"
        raise ConfigError(f"{PREFIX}DEFAULT_AGENT: no agent {settings.default_agent!r}; there are: {known}")


def check_port(variable: str, host: str, port: int, kind: socket.SocketKind = socket.SOCK_STREAM) -> None:
    """Raises ConfigError when the port cannot be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, kind) as probe:
        if kind is socket.SOCK_STREAM:  # a connection of before may still linger
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise ConfigError(f"port {port} is in use: stop what runs there, or set {PREFIX}{variable}") from None
            raise ConfigError(f"{host}:{port} cannot be used: {error.strerror}; set {PREFIX}{variable}") from None


async def check_livekit(settings: Settings) -> None:
    """Raises ConfigError when the server of LIVEKIT_URL does not answer or does not know the key pair."""
    url = settings.livekit_url
    if not await answers(url, within_seconds=5):
        raise ConfigError(
            f"LIVEKIT_URL: no LiveKit server answers at {url}; start it, or unset LIVEKIT_URL to run our own"
        )
    try:
        async with api.LiveKitAPI(url, settings.livekit_api_key, settings.livekit_api_secret) as livekit:
            await livekit.room.list_rooms(api.ListRoomsRequest())
    except (aiohttp.ClientError, TimeoutError) as error:
        raise ConfigError(f"LIVEKIT_URL: the server at {url} does not talk to us: {error}") from None
    except api.TwirpError as error:
        if error.status not in (401, 403):
            raise ConfigError(f"LIVEKIT_URL: the server at {url} answers with an error: {error.code}") from None
        raise ConfigError(
            f"LIVEKIT_API_KEY, LIVEKIT_API_SECRET: the server at {url} refuses this pair; use the one it has"
        ) from None


def introduce(settings: Settings, log: ReadableLog) -> None:
    """The page's address, who answers, and what is missing for better models."""
    log.say("")
    log.say(f"  talk to it:  {_local_url(settings)}")
    definition = AgentCatalog(settings.agents_directory).get(settings.default_agent)
    if definition is None:
        return
    for role, choice in choose_models(definition, settings).items():
        hint = "".join(f"  ({missing} for {better})" for better, missing in choice.better)
        log.say(f"  {role}:  {choice.usable[0] if choice.usable else 'none'}{hint}")
    log.say("  Ctrl-C ends it\n")


async def up(settings: Settings, log: ReadableLog) -> int:
    """Runs everything until a signal; the exit status. Raises ConfigError when it cannot start."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, stop.set)
    stack = Stack(settings, log)
    starting = asyncio.ensure_future(stack.start())
    stopped = asyncio.ensure_future(stop.wait())
    ended: asyncio.Future[ChildProcess] | None = None
    try:
        await asyncio.wait({starting, stopped}, return_when=asyncio.FIRST_COMPLETED)
        if not starting.done():
            return 0
        starting.result()
        introduce(stack.settings, log)
        ended = asyncio.ensure_future(stack.wait())
        await asyncio.wait({ended, stopped}, return_when=asyncio.FIRST_COMPLETED)
        if ended.done():
            child = ended.result()
            raise ConfigError(f"the {child.name} ended by itself: {_reason(child.last_line)}")
        log.say("ending ...")
        return 0
    finally:
        for task in (starting, stopped, ended):
            if task is not None and not task.done():
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task
        await stack.stop()
