from __future__ import annotations

import asyncio
import secrets
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from voiceworker.api.app import create_app
from voiceworker.api.rate_limits import RateLimits
from voiceworker.api.rooms import RoomsInMemory
from voiceworker.config import AgentCatalog, Settings
from voiceworker.records import Heartbeat, Records, Scope, migrate, open_records
from voiceworker.stack.process import ChildProcess
from voiceworker.stack.sfu import find_sfu, start_sfu

CALLING = (Scope.SESSIONS_CREATE, Scope.SESSIONS_READ, Scope.SESSIONS_DELETE, Scope.AGENTS_READ)


class Clock:
    """Stands still until it is moved. It begins at the real time, because LiveKit's tokens know no other."""

    def __init__(self) -> None:
        self.now = datetime.now(UTC)

    def __call__(self) -> datetime:
        return self.now

    def advance(self, seconds: float) -> datetime:
        self.now += timedelta(seconds=seconds)
        return self.now


@dataclass
class House:
    """An API over a real SQLite file, with an SFU in memory."""

    settings: Settings
    records: Records
    rooms: RoomsInMemory
    clock: Clock
    app: FastAPI

    def key(self, *scopes: Scope, name: str = "shop") -> dict[str, str]:
        """The header of a new key."""
        _, text = self.records.keys.create(name, scopes, self.clock())
        return {"Authorization": f"Bearer {text}"}

    def worker_beats(self, free_slots: int = 4) -> None:
        self.records.workers.beat(Heartbeat("worker", free_slots, 4, 4 - free_slots, self.clock()))

    def client(self, **options: object) -> httpx.AsyncClient:
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
        return httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8080", **options)  # type: ignore[arg-type]


HouseBuilder = Callable[..., House]


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("records") / "empty.db"
    migrate(f"sqlite:///{path}")
    return path


@pytest.fixture
def build_house(empty_database: Path, tmp_path: Path) -> Iterator[HouseBuilder]:
    """Makes a house with other settings than the usual ones."""
    opened: list[Records] = []

    def build(rate_limits: RateLimits | None = None, **changes: object) -> House:
        (tmp_path / "voiceworker.db").write_bytes(empty_database.read_bytes())
        agents = tmp_path / "agents"
        agents.mkdir(exist_ok=True)
        for name in ("frontdesk", "clinic"):
            text = (
                f"name: {name}\nlanguage: en\ninstructions: Be kind.\ngreeting: Hello.\nlimits: {{max_seconds: 900}}\n"
            )
            (agents / f"{name}.yaml").write_text(text)
        values: dict[str, object] = {
            "livekit_api_key": "devkey",
            "livekit_api_secret": "a secret of thirty-two characters",
            "agents_directory": agents,
            "data_directory": tmp_path,
            "web_directory": tmp_path / "dist",
        }
        settings = Settings.model_validate(values | changes)
        records = open_records(settings.records_url)
        opened.append(records)
        rooms, clock = RoomsInMemory(), Clock()
        app = create_app(settings, records, rooms, AgentCatalog(agents), clock, rate_limits)
        house = House(settings, records, rooms, clock, app)
        house.worker_beats()
        return house

    yield build
    for records in opened:
        records.close()


@pytest.fixture
def house(build_house: HouseBuilder) -> House:
    return build_house()


@pytest.fixture
async def shop(house: House) -> AsyncIterator[httpx.AsyncClient]:
    """A client whose key may make, read and end sessions."""
    async with house.client(headers=house.key(*CALLING)) as client:
        yield client


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass
class RunningSfu:
    """A real SFU on private ports."""

    settings: Settings
    process: ChildProcess


@pytest.fixture
async def sfu(tmp_path: Path) -> AsyncIterator[RunningSfu]:
    port = free_port()
    settings = Settings(
        livekit_url=f"ws://127.0.0.1:{port}",
        livekit_api_key="APItest",
        livekit_api_secret=secrets.token_urlsafe(32),
        sfu_port=port,
        sfu_tcp_port=free_port(),
        sfu_udp_port=free_port(),
        api_port=free_port(),
        agents_directory=tmp_path / "agents",
        data_directory=tmp_path,
    )
    program = await asyncio.to_thread(find_sfu, settings)
    process = await start_sfu(settings, program, environment={}, on_line=lambda _: None)
    yield RunningSfu(settings, process)
    await process.stop(within_seconds=4, asking=2)
