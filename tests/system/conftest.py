"""The whole of voiceworker, running for real on private ports, with data of its own and a pinned clock."""

from __future__ import annotations

import os
import secrets
import socket
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from rich.console import Console
from voiceworker.api.keys_command import create_key

from voiceworker.config import Settings, load_settings
from voiceworker.stack.log import ReadableLog
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


@pytest.fixture(scope="session")
def stack_directory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    return tmp_path_factory.mktemp("stack")


@pytest.fixture(scope="session")
async def stack(stack_directory: Path) -> AsyncIterator[RunningStack]:
    """One stack for all system tests of a run: starting it costs seconds, and sharing it is what a server does."""
    environment = private_environment(stack_directory)
    settings = load_settings(environment)
    log_file = stack_directory / "stack.log"
    with log_file.open("w") as output:
        running = Stack(settings, ReadableLog(Console(file=output, width=200)), environment)
        try:
            await running.start()
            yield RunningStack(running, running.settings, environment, create_key(settings, "tests"), log_file)
        finally:
            await running.stop()
