"""Ours: the session API and the worker as `voiceworker up` starts them, on the bench's SFU."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager, closing
from datetime import UTC, datetime
from typing import Any

import yaml
from rich.console import Console

from voiceworker.config import ConfigError, TurnSettings, load_settings
from voiceworker.lab.bench.systems import INSTRUCTIONS, VOICE, Call, Surroundings, free_port
from voiceworker.lab.invitation import by_session_api
from voiceworker.records import Scope, migrate, open_records
from voiceworker.stack.log import ReadableLog
from voiceworker.stack.up import Stack


class Ours:
    name = "ours"

    def __init__(self, surroundings: Surroundings) -> None:
        self._surroundings = surroundings
        self._directory = surroundings.directory / "ours"
        self._stack: Stack | None = None
        self._logs = ExitStack()
        self._url = self._key = ""

    async def start(self) -> None:
        given = self._surroundings
        agents = self._directory / "agents"
        agents.mkdir(parents=True, exist_ok=True)
        definition = agent_definition(given.greeting, vad=given.vad)
        (agents / "bench.yaml").write_text(yaml.safe_dump(definition), encoding="utf-8")
        environment = {
            **given.environment,
            "LIVEKIT_URL": given.tickets.url,
            "LIVEKIT_API_KEY": given.tickets.api_key,
            "LIVEKIT_API_SECRET": given.tickets.api_secret,
            "OPENAI_API_KEY": self.name,
            "OPENAI_BASE_URL": given.openai_url,
            "DEEPGRAM_API_KEY": self.name,
            "DEEPGRAM_BASE_URL": given.deepgram_url,
            "VOICEWORKER_AGENTS_DIRECTORY": str(agents),
            "VOICEWORKER_DEFAULT_AGENT": "bench",
            "VOICEWORKER_DATA_DIRECTORY": str(self._directory),
            "VOICEWORKER_CACHE_DIRECTORY": str(given.cache_directory),
            "VOICEWORKER_API_PORT": str(free_port()),
            "VOICEWORKER_WORKER_PORT": str(free_port()),
            "VOICEWORKER_MAX_CALLS": str(given.max_calls),
        }
        settings = load_settings(environment)
        readable = self._logs.enter_context((self._directory / "log.txt").open("w", encoding="utf-8"))
        log = ReadableLog(Console(file=readable, width=200), self._directory / "log")
        self._logs.enter_context(closing(log))
        self._stack = Stack(settings, log, environment)
        await self._stack.start()
        self._url = f"http://127.0.0.1:{settings.api_port}"
        self._key = await asyncio.to_thread(_make_key, settings.records_url)

    async def stop(self) -> None:
        if self._stack is not None:
            await self._stack.stop()
        self._logs.close()

    @property
    def process_id(self) -> int:
        assert self._stack is not None
        return self._stack.worker_pid

    @asynccontextmanager
    async def call(self) -> AsyncIterator[Call]:
        asked_at = time.perf_counter()
        async with by_session_api(self._url, self._key, "bench") as invitation:
            yield Call(invitation, asked_at)


def agent_definition(greeting: str, *, vad: bool) -> dict[str, Any]:
    """The agent's file. Raises ConfigError when the arm that forces VAD is not to be had."""
    turns: dict[str, Any] = {"eagerness": "balanced"}
    if vad:
        if "end_of_turn" not in TurnSettings.model_fields:
            raise ConfigError("--vad: this voiceworker has no key turns.end_of_turn")
        turns["end_of_turn"] = "vad"
    return {
        "name": "bench",
        "language": "en",
        "instructions": INSTRUCTIONS,
        "greeting": greeting,
        "models": {"stt": ["deepgram/nova-3"], "llm": ["openai/gpt-4.1-mini"], "tts": [f"deepgram/{VOICE}"]},
        "turns": turns,
        # A bench is silent for long: while the others have their turn.
        "limits": {"max_seconds": 86400, "silence_seconds": 600},
    }


def _make_key(records_url: str) -> str:
    migrate(records_url)
    records = open_records(records_url)
    try:
        usual = set(Scope) - {Scope.SESSIONS_ROOM, Scope.SESSIONS_IDENTITY}
        return records.keys.create(f"bench-{secrets.token_hex(3)}", usual, datetime.now(UTC))[1]
    finally:
        records.close()
