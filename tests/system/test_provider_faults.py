"""Each kind of fault of a provider, in each role, in a call through the SFU: the caller gets his answer all the same.

Of every call the first turn meets a fault of the recogniser, the second one of the language model, the third one of the
voice; another model of the role stands by. How long the caller waited is printed, and whether he heard every word:
that depends on the machine.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from emulated import DEEPGRAM_KEY, OPENAI_KEY, Rig, assert_whole, call_to, report, running

from voiceworker.events import ModelsSwitched
from voiceworker.lab.bench.speeches import Speeches
from voiceworker.lab.emulators import Fault, ProviderEmulators, Role, Sentences
from voiceworker.lab.emulators.faults import FaultKind

pytestmark = [pytest.mark.system, pytest.mark.lab, pytest.mark.asyncio(loop_scope="session")]

REPLIES = Sentences(14, words_per_sentence=7)
QUESTIONS = [one for one in Speeches(seed=5).whole_turns() if 5 <= len(one.words) <= 9][:3]


@dataclass(frozen=True)
class Row:
    """A call, by the faults of its turns."""

    name: str
    stt: Fault
    llm: Fault
    tts: Fault
    amid: bool = False
    "the recogniser's strikes while the caller speaks; else it is there from the beginning of the connection"
    left: frozenset[Role] = frozenset(("stt", "llm", "tts"))
    "the roles whose leading model cannot be kept"


def always(role: Role, kind: FaultKind, **options: Any) -> Fault:
    """For the model that leads, as long as the turn lasts."""
    key = OPENAI_KEY if role == "llm" else DEEPGRAM_KEY
    return Fault(role, kind, probability=1.0, api_key=key, **options)


def first(kind: FaultKind, **options: Any) -> Fault:
    """For the connection of the recogniser that leads."""
    return Fault("stt", kind, nth=1, api_key=DEEPGRAM_KEY, **options)


def alike(name: str, kind: FaultKind, **options: Any) -> Row:
    """Before anything has come."""
    return Row(name, first(kind, **options), always("llm", kind, **options), always("tts", kind, **options))


def amid(kind: FaultKind, **options: Any) -> Row:
    """When something has come."""
    later = {"after_seconds": 0.06} | options
    return Row(f"{kind}-amid", first(kind, **options), always("llm", kind, **later), always("tts", kind, **later), True)


ROWS = [
    alike("refuse", "refuse"),
    alike("status-401", "status", status=401),
    alike("status-429", "status", status=429, retry_after_seconds=2),
    alike("status-503", "status", status=503),
    alike("hang", "hang"),
    alike("stall", "stall"),
    alike("reset", "reset"),
    alike("early-close", "early_close"),
    alike("error", "error_midstream"),
    amid("hang"),
    amid("stall"),
    amid("reset"),
    amid("early_close"),
    amid("error_midstream"),
    amid("malformed"),
    Row("drip", first("drip", speed=0.1), always("llm", "drip"), always("tts", "drip"), amid=True),
    Row(
        "late-final",
        first("late_final", seconds=5),
        always("llm", "drip", speed=0.1),
        always("tts", "stall", seconds=1),
    ),
]


def agent_of(row: Row, emulators: ProviderEmulators) -> dict[str, Any]:
    """With leading models of its own: what one call learns of a provider the next would begin with."""
    return {
        "name": row.name.replace("_", "-"),
        "instructions": "Answer.",
        "greeting": "Hello, who is there?",
        "models": {
            "stt": [f"deepgram/nova-3-{row.name}", "deepgram/nova-3"],
            "llm": [f"openai/gpt-4.1-{row.name}", "openai-compatible/standby"],
            "tts": [f"deepgram/aura-2-{row.name}-en", "openai/gpt-4o-mini-tts"],
        },
        "endpoints": {"standby": {"base_url": emulators.openai_url, "api_key_variable": "STANDBY_API_KEY"}},
    }


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def emulators() -> AsyncIterator[ProviderEmulators]:
    async with ProviderEmulators(replies=REPLIES) as running_emulators:
        yield running_emulators


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def rig(emulators: ProviderEmulators, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Rig]:
    agents = [agent_of(row, emulators) for row in ROWS]
    async with running(tmp_path_factory.mktemp("matrix"), emulators, agents) as running_rig:
        yield running_rig


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
async def test_a_single_fault_leaves_the_call_going(
    row: Row, rig: Rig, emulators: ProviderEmulators, tmp_path: Path
) -> None:
    emulators.fail_by(*([] if row.amid else [row.stt]))
    async with call_to(rig, emulators, row.name.replace("_", "-"), tmp_path) as call:
        await call.ask(QUESTIONS[0], row.stt if row.amid else None)
        emulators.fail_by(row.llm)
        await call.ask(QUESTIONS[1])
        emulators.fail_by(row.tts)
        await call.ask(QUESTIONS[2])
        emulators.fail_by()
    report(row.name, call, REPLIES)
    assert_whole(rig, call, QUESTIONS, REPLIES)
    assert {event.role for event in call.events if isinstance(event, ModelsSwitched)} >= row.left
