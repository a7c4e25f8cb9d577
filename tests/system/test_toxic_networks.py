"""The network to a provider fails, by toxiproxy, in a call through the SFU: the caller gets his answer all the same.

Of every call the first turn finds the way to the recogniser out of order, on the connection that it has, the second one
that to the language model, the third one that to the voice; what stands by is reached by another way.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from emulated import Providers, Rig, assert_whole, call_to, report, running

from voiceworker.config import Settings
from voiceworker.events import ModelsSwitched
from voiceworker.lab.bench.speeches import Speeches
from voiceworker.lab.emulators import ProviderEmulators, Sentences
from voiceworker.lab.emulators.toxics import NoToxiproxyError, ToxicKind, ToxicPort, Toxiproxy, toxiproxy_program

pytestmark = [pytest.mark.system, pytest.mark.lab, pytest.mark.asyncio(loop_scope="session")]

REPLIES = Sentences(14, words_per_sentence=7)
QUESTIONS = [one for one in Speeches(seed=5).whole_turns() if 5 <= len(one.words) <= 9][:3]
TOXICS: dict[str, tuple[ToxicKind, str, int]] = {
    "reset": ("reset_peer", "timeout", 0),
    "late": ("latency", "latency", 3000),
    "narrow": ("bandwidth", "rate", 1),
    "silent": ("timeout", "timeout", 0),
}


@dataclass(frozen=True)
class Ways:
    """To the provider that leads in each role."""

    stt: ToxicPort
    llm: ToxicPort
    tts: ToxicPort


def agent_of(toxic: str, emulators: ProviderEmulators, ways: Ways) -> dict[str, Any]:
    """With leading models of its own: what one call learns of a provider the next would begin with."""
    key = {"api_key_variable": "STANDBY_API_KEY"}
    return {
        "name": toxic,
        "instructions": "Answer.",
        "greeting": "Hello, who is there?",
        "models": {
            "stt": [f"deepgram/nova-3-{toxic}", "openai-compatible/standby"],
            "llm": [f"openai/gpt-4.1-{toxic}", "openai-compatible/standby"],
            "tts": [f"openai-compatible/{toxic}/coral", "openai-compatible/standby/coral"],
        },
        "endpoints": {
            toxic: {"base_url": ways.tts.openai_url, **key},
            "standby": {"base_url": emulators.openai_url, **key},
        },
    }


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def emulators() -> AsyncIterator[ProviderEmulators]:
    async with ProviderEmulators(replies=REPLIES) as running_emulators:
        yield running_emulators


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def ways(emulators: ProviderEmulators) -> AsyncIterator[Ways]:
    try:
        program = await asyncio.to_thread(toxiproxy_program, Settings().cache_directory)
    except NoToxiproxyError as error:
        pytest.skip(str(error))
    async with Toxiproxy(program) as proxy:
        yield Ways(*[await proxy.put_ahead_of(emulators.port, role) for role in ("stt", "llm", "tts")])


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def rig(emulators: ProviderEmulators, ways: Ways, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Rig]:
    agents = [agent_of(toxic, emulators, ways) for toxic in TOXICS]
    providers = Providers(openai_url=ways.llm.openai_url, deepgram_url=ways.stt.deepgram_url)
    async with running(tmp_path_factory.mktemp("toxics"), providers, agents) as running_rig:
        yield running_rig


@pytest.mark.parametrize("toxic", TOXICS)
async def test_a_way_that_fails_leaves_the_call_going(
    toxic: str, rig: Rig, emulators: ProviderEmulators, ways: Ways, tmp_path: Path
) -> None:
    kind, attribute, value = TOXICS[toxic]
    async with call_to(rig, emulators, toxic, tmp_path) as call:
        for way, question in zip((ways.stt, ways.llm, ways.tts), QUESTIONS, strict=True):
            await way.add(kind, stream="downstream", **{attribute: value})
            try:
                await call.ask(question)
            finally:
                await way.clear()
    report(toxic, call, REPLIES)
    assert_whole(rig, call, QUESTIONS, REPLIES)
    assert {event.role for event in call.events if isinstance(event, ModelsSwitched)} == {"stt", "llm", "tts"}
