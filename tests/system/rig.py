"""What the system tests run on: private ports, data of their own, a pinned clock, none of the developer's keys."""

from __future__ import annotations

import os
import secrets
import socket
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from voiceworker.config import Settings
from voiceworker.records import Scope, migrate, open_records
from voiceworker.stack.up import Stack

CLOCK = "2026-11-23T09:00:00+00:00"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def private_environment(directory: Path) -> dict[str, str]:
    """An environment in which nothing of the developer's own settings, keys or data is seen."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "XDG_CACHE_HOME", "LANG") if name in os.environ}
    ports = {f"VOICEWORKER_{name}_PORT": str(free_port()) for name in ("SFU", "SFU_TCP", "SFU_UDP", "API", "WORKER")}
    return {
        **kept,
        **ports,
        "LIVEKIT_URL": "",
        "LIVEKIT_API_KEY": "APItest",
        "LIVEKIT_API_SECRET": secrets.token_urlsafe(32),
        "OPENAI_API_KEY": "",
        "DEEPGRAM_API_KEY": "",
        "VOICEWORKER_DATA_DIRECTORY": str(directory),
        "VOICEWORKER_CLOCK": CLOCK,
    }


def make_key(settings: Settings) -> str:
    """A key that may do everything but choose rooms and identities."""
    migrate(settings.records_url)
    records = open_records(settings.records_url)
    try:
        usual = set(Scope) - {Scope.SESSIONS_ROOM, Scope.SESSIONS_IDENTITY}
        return records.keys.create(f"tests-{secrets.token_hex(3)}", usual, datetime.now(UTC))[1]
    finally:
        records.close()


@dataclass(frozen=True)
class RunningStack:
    stack: Stack
    settings: Settings
    environment: dict[str, str]
    api_key: str
    "may do everything"
    log_file: Path

    @property
    def api_url(self) -> str:
        return f"http://127.0.0.1:{self.settings.api_port}"

    @property
    def sfu_url(self) -> str:
        return self.settings.livekit_url
