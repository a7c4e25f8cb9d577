from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest
from livekit import rtc

from voiceworker.api.rate_limits import RateLimits
from voiceworker.api.serve import serve, uvicorn_config
from voiceworker.config import ConfigError, Settings
from voiceworker.records import Heartbeat, Records, Scope, migrate, open_records
from voiceworker.stack.process import ChildProcess

if TYPE_CHECKING:
    from tests.api.conftest import HouseBuilder, RunningSfu

SESSIONS = "/v1/realtime/sessions"


def test_a_busy_port_is_one_line_with_the_remedy(tmp_path: Path) -> None:
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        busy.listen()
        settings = Settings(
            livekit_api_key="k", livekit_api_secret="s", api_port=busy.getsockname()[1], data_directory=tmp_path
        )
        with pytest.raises(ConfigError, match="is in use: stop what runs there, or set VOICEWORKER_API_PORT"):
            serve(settings)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"livekit_api_secret": ""}, "LIVEKIT_API_SECRET: not set"),
        ({"api_host": "203.0.113.1"}, "VOICEWORKER_API_HOST"),
        ({"api_host": "no.such.host.invalid"}, "no address of this machine"),
        ({"database_url": "sqlite:////proc/none/records.db"}, "VOICEWORKER_DATABASE_URL"),
        ({"database_url": "nonsense"}, "VOICEWORKER_DATABASE_URL"),
        ({"database_url": "postgresql://127.0.0.1/none"}, "VOICEWORKER_DATABASE_URL"),
    ],
)
def test_a_wrong_setting_is_one_line_that_names_it(tmp_path: Path, changes: dict[str, object], says: str) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    values: dict[str, object] = {"livekit_api_key": "k", "livekit_api_secret": "s", "api_port": port}
    with pytest.raises(ConfigError, match=says) as raised:
        serve(Settings.model_validate(values | {"data_directory": tmp_path} | changes))
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("trusted", "counted_apart"),
    [((), False), (("192.0.2.1",), True), (("192.0.2.0/24",), True), (("198.51.100.1",), False)],
)
async def test_callers_behind_a_trusted_proxy_are_counted_apart(
    build_house: HouseBuilder, trusted: tuple[str, ...], counted_apart: bool
) -> None:
    house = build_house(rate_limits=RateLimits(address=1), trusted_proxies=trusted)
    server = uvicorn_config(house.app, house.settings)
    server.load()
    transport = httpx.ASGITransport(server.loaded_app, client=("192.0.2.1", 4711))
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1", headers=house.key(*Scope)) as proxy:
        answers = [
            await proxy.get("/v1/agents", headers={"X-Forwarded-For": caller})
            for caller in ("203.0.113.1", "203.0.113.2", "203.0.113.2")
        ]
    assert [answer.status_code for answer in answers] == ([200, 200, 429] if counted_apart else [200, 429, 429])


# --- against the real SFU ---


class Served:
    """`voiceworker serve` as a process, with a worker that beats and takes nothing."""

    def __init__(self, settings: Settings, process: ChildProcess, records: Records, key: str) -> None:
        self.settings = settings
        self.process = process
        self.records = records
        self.url = f"http://127.0.0.1:{settings.api_port}"
        self.client = httpx.AsyncClient(base_url=self.url, headers={"Authorization": f"Bearer {key}"}, timeout=15)

    async def beat(self) -> None:
        while True:
            self.records.workers.beat(Heartbeat("worker", 4, 4, 0, datetime.now(UTC)))
            await asyncio.sleep(1)


@pytest.fixture
async def served(sfu: RunningSfu) -> AsyncIterator[Served]:
    settings = sfu.settings
    settings.agents_directory.mkdir()
    (settings.agents_directory / "frontdesk.yaml").write_text("name: frontdesk\ninstructions: x\ngreeting: Hello.\n")
    migrate(settings.records_url)
    records = open_records(settings.records_url)
    _, key = records.keys.create("tests", list(Scope), datetime.now(UTC))
    environment = {
        "PATH": os.environ["PATH"],
        "LIVEKIT_URL": settings.livekit_url,
        "LIVEKIT_API_KEY": settings.livekit_api_key,
        "LIVEKIT_API_SECRET": settings.livekit_api_secret,
        "VOICEWORKER_API_PORT": str(settings.api_port),
        "VOICEWORKER_DATA_DIRECTORY": str(settings.data_directory),
        "VOICEWORKER_AGENTS_DIRECTORY": str(settings.agents_directory),
    }
    program = "from voiceworker.api.serve import serve; from voiceworker.config import load_settings as s; serve(s())"
    process = await ChildProcess.start(
        "api", [sys.executable, "-c", program], environment=environment, directory=Path.cwd(), on_line=print
    )
    house = Served(settings, process, records, key)
    async with asyncio.TaskGroup() as tasks, house.client:
        beating = tasks.create_task(house.beat(), name="beat")
        async with asyncio.timeout(30):
            while True:
                with contextlib.suppress(httpx.TransportError):
                    if (await house.client.get("/readyz")).status_code == 200:
                        break
                await asyncio.sleep(0.1)
        yield house
        beating.cancel()
    await process.stop(within_seconds=10)
    records.close()


@pytest.mark.system
async def test_a_client_joins_with_the_answer_and_is_out_when_the_session_is_deleted(served: Served) -> None:
    made = (await served.client.post(SESSIONS, json={})).json()
    room = rtc.Room()
    gone = asyncio.Event()
    room.on("disconnected", lambda *_: gone.set())
    await room.connect(made["server_url"], made["participant_token"])
    assert room.name == made["id"]
    assert room.local_participant.attributes == {"vw.session": made["id"]}
    assert (await served.client.delete(f"{SESSIONS}/{made['id']}")).status_code == 204
    async with asyncio.timeout(10):
        await gone.wait()
    await room.disconnect()


@pytest.mark.system
async def test_a_session_that_no_agent_takes_fails_with_the_reason_and_its_room_is_closed(served: Served) -> None:
    made = (await served.client.post(SESSIONS, json={})).json()
    room = rtc.Room()
    gone = asyncio.Event()
    room.on("disconnected", lambda *_: gone.set())
    await room.connect(made["server_url"], made["participant_token"])
    async with asyncio.timeout(14):
        await gone.wait()
    state = (await served.client.get(f"{SESSIONS}/{made['id']}")).json()
    assert (state["status"], state["reason"]) == ("failed", "no_agent_joined")
    await room.disconnect()


@pytest.mark.system
async def test_while_the_sfu_is_away_callers_are_told_so_and_afterwards_served_again(
    served: Served, sfu: RunningSfu
) -> None:
    await sfu.process.stop(within_seconds=4, asking=2)
    answer = await served.client.post(SESSIONS, json={})
    assert (answer.status_code, answer.json()["code"]) == (503, "sfu_unreachable")
    ready = await served.client.get("/readyz")
    assert ready.json()["checks"]["sfu"]["ok"] is False
    assert ready.json()["checks"]["worker"]["ok"] is True


@pytest.mark.system
async def test_bytes_that_are_no_proper_request_do_no_harm(served: Served) -> None:
    async def send(*lines: bytes) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", served.settings.api_port)
        writer.write(b"\r\n".join((*lines, b"", b"")))
        await writer.drain()
        # A client that never ends its body is answered and let go.
        async with asyncio.timeout(15):
            answer = await reader.read(4096)
        writer.close()
        return answer

    key = f"Authorization: {served.client.headers['authorization']}".encode()
    host, post = b"Host: 127.0.0.1", b"POST " + SESSIONS.encode() + b" HTTP/1.1"
    refused, slow, smuggled, hostless = await asyncio.gather(
        send(post, host, key, b"Content-Length: 16385"),
        send(post, host, key, b"Content-Length: 100"),
        send(post, host, key, b"Content-Length: 5", b"Transfer-Encoding: chunked"),
        send(b"GET /livez HTTP/1.0"),
    )
    assert refused.startswith(b"HTTP/1.1 413 ")
    assert slow.startswith(b"HTTP/1.1 408 ")
    assert b" 201 " not in smuggled[:20]
    assert b" 421 " in hostless[:20]
    assert (await served.client.get("/livez")).status_code == 200


@pytest.mark.system
async def test_a_signal_ends_it_at_once_with_status_zero(served: Served) -> None:
    await served.client.get("/livez")
    assert await served.process.stop(within_seconds=5) == 0
    with pytest.raises(httpx.ConnectError):
        await served.client.get("/livez")
