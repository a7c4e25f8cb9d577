"""What a system under test is: a worker of its own on the SFU of the bench, with the same emulated providers."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from voiceworker.lab.bench.tickets import Tickets
from voiceworker.lab.invitation import Invitation

VOICE = "aura-2-andromeda-en"
INSTRUCTIONS = "You are a helpful voice assistant. Answer in a few plain words."


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What all systems of a run share."""

    tickets: Tickets
    openai_url: str
    "ends in /v1"
    deepgram_url: str
    greeting: str
    environment: Mapping[str, str]
    "what children see of the machine: PATH, HOME and the like, no keys"
    directory: Path
    "for files and logs of the systems"
    cache_directory: Path
    vad: bool = False
    "the end of a turn is decided by the voice detector alone"
    max_calls: int = 8


@dataclass(frozen=True, slots=True)
class Call:
    invitation: Invitation
    asked_at: float
    "perf_counter moment at which the caller began to ask for it: of the POST, or of the token"


class System(Protocol):
    name: str
    "also the API key that it shows to the emulators"

    async def start(self) -> None:
        """Raises ConfigError when it does not come up."""
        ...

    async def stop(self) -> None: ...

    @property
    def process_id(self) -> int:
        """Of the worker; its children belong to it."""
        ...

    def call(self) -> AbstractAsyncContextManager[Call]:
        """A room with an agent in it or on its way; closed at the exit. Raises CallSetupError."""
        ...


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
