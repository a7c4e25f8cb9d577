"""Planted keys, a call that works and one in which every provider quotes its key back: nowhere may one be seen."""

from __future__ import annotations

import asyncio
import base64
import json
import re
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import aiohttp
import psutil
import pytest
from aiohttp import WSMsgType, web
from joining import until
from rig import make_key, private_environment

from voiceworker.config import ROOT, load_settings
from voiceworker.events import ErrorOccurred
from voiceworker.lab.audio import read_speech
from voiceworker.lab.caller import Caller
from voiceworker.lab.emulators import ProviderEmulators
from voiceworker.lab.invitation import by_session_api
from voiceworker.lab.speech import Speech, SpokenWord

pytestmark = [pytest.mark.system]

HOURS = ROOT / "tests" / "audio" / "hours.wav"
PLANTED = {
    "OPENAI_API_KEY": "sk-planted-openai-5Xq+7/w0Zr",
    "DEEPGRAM_API_KEY": "planted-deepgram-d41d8cd98f00",
    "ELEVEN_API_KEY": "planted-eleven-9e107d9d372b",
    "LIVEKIT_API_SECRET": "planted-livekit-secret-of-forty-characters",
    "VOICEWORKER_TURN_SECRET": "planted-turn-secret-0cc175b9c0",
    "VOICEWORKER_API_KEY": "planted-own-key-92eb5ffee6ae",
}

TALKATIVE = {"LIVEKIT_LOG_LEVEL": "DEBUG", "LK_OPENAI_DEBUG": "1", "OPENAI_LOG": "debug"}
"what an operator sets who looks for a fault"


class Quoting:
    """A provider that repeats the key wherever a text of its own can stand: each request in another way."""

    def __init__(self) -> None:
        self.url = ""
        self.asked: list[str] = []

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Quoting]:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._answer)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        try:
            yield self
        finally:
            await runner.cleanup()

    async def _answer(self, http: web.Request) -> web.StreamResponse:
        key = http.headers.get("Authorization", "").partition(" ")[2]
        self.asked.append(http.path)
        way = len(self.asked) % 3
        headers = {"x-request-id": key, "dg-error": key, "dg-request-id": key}
        wrong = f"Incorrect API key provided: {key}. Authorization: Bearer {key}"
        if http.headers.get("Upgrade", "").lower() == "websocket" and way:
            return await self._talk(http, key, wrong)
        status, reason = [(401, wrong), (500, f"no quota for {key}"), (400, f"bad key {key}")][way]
        if way == 1:
            return web.Response(status=status, text=f"<h1>{wrong}</h1>", headers=headers, reason=reason)
        error = {"message": wrong, "type": "invalid_request_error", "param": key, "code": "invalid_api_key"}
        body = {"error": error, "err_code": "INVALID_AUTH", "err_msg": wrong, "request_id": key}
        return web.json_response(body, status=status, headers=headers, reason=reason)

    async def _talk(self, http: web.Request, key: str, wrong: str) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(http)
        error = {"type": "Error", "description": wrong, "message": wrong, "err_msg": key, "error": {"message": wrong}}
        await socket.send_str(json.dumps(error))
        await socket.send_str(f"no JSON, but {key}")
        await socket.close(code=1008, message=f"bad key {key}"[:120].encode())
        async for message in socket:
            if message.type is WSMsgType.ERROR:
                break
        return socket


@dataclass
class Run:
    """`voiceworker up` with the planted keys, and all that was seen of it."""

    api_url: str
    api_key: str
    process: asyncio.subprocess.Process
    seen: dict[str, bytes] = field(default_factory=dict)
    "where -> what"

    def see(self, where: str, what: str | bytes) -> None:
        self.seen[where] = self.seen.get(where, b"") + (what.encode() if isinstance(what, str) else what)

    def look_at_processes(self) -> None:
        up = psutil.Process(self.process.pid)
        for child in [up, *up.children(recursive=True)]:
            try:
                self.see(f"command line of {child.pid}", "\0".join([child.name(), *child.cmdline()]))
            except psutil.NoSuchProcess:
                continue

    def look_at_files(self, directory: Path) -> None:
        """The raw logs of all processes, the records and whatever else was written."""
        for file in directory.rglob("*"):
            if file.is_file():
                self.see(str(file.relative_to(directory)), file.read_bytes())

    async def look_at_answers(self, session: str) -> None:
        """Every route, asked rightly and wrongly, and the page."""
        right = {"Authorization": f"Bearer {self.api_key}"}
        wrong = {"Authorization": "Bearer vwk_none_none"}
        async with aiohttp.ClientSession() as http:
            async with http.get(f"{self.api_url}/openapi.json") as response:
                routes = list((await response.json(content_type=None))["paths"]) if response.status == 200 else []
            paths = {route.replace("{id}", session).replace("{session_id}", session) for route in routes}
            async with http.get(self.api_url) as response:
                paths |= set(re.findall(r'(?:src|href)="(/[^"]+)"', await response.text()))
            for path in sorted(paths | {"/", "/docs", "/livez", "/readyz", "/metrics", "/v1/agents", "/nowhere"}):
                for headers in (right, wrong):
                    async with http.get(self.api_url + path, headers=headers) as response:
                        self.see(f"GET {path}", repr(response.headers) + await response.text(errors="replace"))
            for body in (b"{", b'{"agent": "nobody"}', b'{"agent": 5}'):
                url = f"{self.api_url}/v1/realtime/sessions"
                async with http.post(url, data=body, headers=right) as response:
                    self.see(f"POST {body!r}", repr(response.headers) + await response.text())


@asynccontextmanager
async def up(directory: Path, provider_urls: dict[str, str]) -> AsyncIterator[Run]:
    environment = private_environment(directory) | PLANTED | provider_urls | TALKATIVE
    settings = load_settings(environment)
    process = await asyncio.create_subprocess_exec(
        *[sys.executable, "-m", "voiceworker", "up"],
        cwd=ROOT,
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        limit=1 << 22,
    )
    run = Run(f"http://127.0.0.1:{settings.api_port}", make_key(settings), process)

    async def read() -> None:
        assert process.stdout is not None
        async for line in process.stdout:
            run.see("what `up` prints", line)

    reading = asyncio.ensure_future(read())
    try:
        await until(lambda: b"Ctrl-C ends it" in run.seen.get("what `up` prints", b""), within_seconds=120)
        yield run
        async with aiohttp.ClientSession() as http:
            for path in ("/", "/worker"):
                async with http.get(f"http://127.0.0.1:{settings.worker_port}{path}") as response:
                    run.see(f"worker's {path}", await response.text())
        run.look_at_processes()
    finally:
        process.send_signal(signal.SIGTERM)
        await process.wait()
        await reading
    run.look_at_files(directory)
    for command in (["models"], ["usage"], ["route", "--agent", "frontdesk"]):
        run.see(f"voiceworker {command[0]}", await output_of(command, environment))


async def output_of(command: list[str], environment: dict[str, str]) -> bytes:
    process = await asyncio.create_subprocess_exec(
        *[sys.executable, "-m", "voiceworker", *command],
        cwd=ROOT,
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    return (await process.communicate())[0]


def disguises(secret: str) -> Iterator[bytes]:
    """The secret as it may stand in a text, a URL, JSON, or a header of basic authentication."""
    yield secret.encode()
    yield quote(secret, safe="").encode()
    yield json.dumps(secret).strip('"').replace("/", "\\/").encode()
    for shift in range(3):  # whatever stands before it
        yield base64.b64encode(b"\0" * shift + secret.encode())[4:-4]


def leaks(run: Run) -> list[str]:
    return sorted(
        f"{variable} in {where}: ...{content[max(0, place - 80) : place + 20]!r}"
        for variable, secret in PLANTED.items()
        for where, content in run.seen.items()
        for place in {content.find(form) for form in disguises(secret)} - {-1}
    )


async def hold_call(run: Run, emulators: ProviderEmulators | None) -> Caller:
    """Asks once, by voice and in writing, and waits for the agent to answer, or to have had trouble enough."""
    async with by_session_api(run.api_url, run.api_key, "frontdesk") as invitation, Caller(invitation) as caller:
        await caller.until(lambda: caller.heard.stretches or _troubles(caller) > 1, within_seconds=30)
        if emulators is not None:
            seconds = len(read_speech(HOURS)) / 24_000
            words = (SpokenWord("when are you open", 0.0, seconds),)
            emulators.expect(Speech("hours", "turn", "kal", HOURS, words, seconds), time.perf_counter())
        await caller.say(HOURS)
        await caller.until(lambda: len(caller.agent_transcripts) > 1 or _troubles(caller) > 2, within_seconds=10)
        if not caller.agent_left:
            await caller.type_text("When are you open?")
            await caller.until(lambda: caller.agent_left, within_seconds=5)
        run.look_at_processes()
        await run.look_at_answers(invitation.session)
        agent = caller.agent
        run.see("the agent's attributes", repr((agent.attributes, agent.metadata, agent.name) if agent else ""))
    run.see("events", "".join(envelope.to_json() for envelope in caller.events))
    run.see("transcripts", repr(caller.conversation))
    return caller


def _troubles(caller: Caller) -> int:
    return sum(isinstance(envelope.event, ErrorOccurred) for envelope in caller.events)


@pytest.mark.parametrize("disguise", [str, lambda key: quote(key, safe=""), json.dumps, "user:{}".format])
async def test_a_leak_would_be_seen(disguise: Callable[[str], str]) -> None:
    run = Run("", "", await asyncio.create_subprocess_exec("true"))
    await run.process.wait()
    key = PLANTED["OPENAI_API_KEY"]
    run.see("log", f"Authorization: {disguise(key)}")
    run.see("encoded", base64.b64encode(disguise(key).encode()))
    assert [leak.split(":")[0] for leak in leaks(run)][-1] == "OPENAI_API_KEY in log"


async def test_a_call_that_works_shows_no_key(tmp_path: Path) -> None:
    async with ProviderEmulators() as emulators:
        urls = {"OPENAI_BASE_URL": emulators.openai_url, "DEEPGRAM_BASE_URL": emulators.deepgram_url}
        async with up(tmp_path, urls) as run:
            caller = await hold_call(run, emulators)
    assert caller.heard.stretches
    looked_at = {"log/worker.log", "log/sfu.log", "voiceworker.db", "GET /metrics", "GET /", "events"}
    assert looked_at <= {where for where, content in run.seen.items() if content}
    assert sum(where.startswith("command line") for where in run.seen) >= 4
    assert {request.api_key for request in emulators.requests} == {
        PLANTED["OPENAI_API_KEY"],
        PLANTED["DEEPGRAM_API_KEY"],
    }
    assert leaks(run) == []


async def test_providers_that_quote_their_key_are_not_quoted(tmp_path: Path) -> None:
    async with Quoting().running() as provider:
        urls = {"OPENAI_BASE_URL": f"{provider.url}/v1", "DEEPGRAM_BASE_URL": provider.url}
        async with up(tmp_path, urls) as run:
            await hold_call(run, None)
    assert {"/v1/listen", "/v1/audio/speech"} <= set(provider.asked)
    assert leaks(run) == []
