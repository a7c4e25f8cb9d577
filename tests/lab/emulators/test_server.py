from __future__ import annotations

import asyncio
import time

import aiohttp
import pytest

from voiceworker.lab.emulators import TYPICAL, Delays, Fault, ProviderEmulators, Sentences
from voiceworker.lab.emulators.tones import words_of

pytestmark = pytest.mark.slow

QUICK = TYPICAL.times(0.05)
KEY = {"Authorization": "Bearer key-a"}


async def ask(emulators: ProviderEmulators, http: aiohttp.ClientSession) -> str:
    body = {"model": "gpt", "messages": [{"role": "user", "content": "hello"}]}
    async with http.post(f"{emulators.openai_url}/chat/completions", json=body, headers=KEY) as answer:
        return str((await answer.json())["choices"][0]["message"]["content"])


async def test_several_emulators_run_side_by_side(http: aiohttp.ClientSession) -> None:
    async with ProviderEmulators(delays=QUICK, seed=1) as first, ProviderEmulators(delays=QUICK, seed=2) as second:
        assert first.openai_url != second.openai_url
        assert await ask(first, http) != await ask(second, http)
        assert len(first.requests) == len(second.requests) == 1


async def test_delays_and_replies_may_be_set_while_it_runs(
    emulators: ProviderEmulators, http: aiohttp.ClientSession
) -> None:
    emulators.replies = Sentences(3)
    emulators.delays = emulators.delays.times(10)
    assert len(words_of(await ask(emulators, http))) == 3
    (request,) = emulators.requests
    assert request.first_byte_at is not None
    assert request.first_byte_at - request.started_at > 0.3


async def test_a_provider_may_go_down_and_come_back(emulators: ProviderEmulators, http: aiohttp.ClientSession) -> None:
    await ask(emulators, http)
    emulators.fail_by(Fault("llm", "status", probability=1))
    with pytest.raises(KeyError):
        await ask(emulators, http)
    emulators.fail_by()
    assert await ask(emulators, http)
    assert [request.failed for request in emulators.chats()] == ["", "status 503", ""]


async def test_a_key_may_be_tried_for_nothing(emulators: ProviderEmulators, http: aiohttp.ClientSession) -> None:
    for url in (f"{emulators.deepgram_url}/v1/auth/token", f"{emulators.openai_url}/models"):
        async with http.get(url, headers=KEY) as answer:
            assert answer.status == 200
        async with http.get(url) as answer:
            assert answer.status == 401
    assert emulators.requests == []


async def test_it_ends_though_clients_are_connected(http: aiohttp.ClientSession) -> None:
    async with ProviderEmulators(delays=Delays(first_token_seconds=60)) as emulators:
        listening = await http.ws_connect(f"{emulators.deepgram_url}/v1/listen", headers=KEY)
        speaking = await http.ws_connect(f"{emulators.deepgram_url}/v1/speak", headers=KEY)
        chatting = asyncio.ensure_future(ask(emulators, http))
        await asyncio.sleep(0.05)
        began = time.perf_counter()
    assert time.perf_counter() - began < 2
    with pytest.raises(aiohttp.ClientError):
        await chatting
    await listening.close()
    await speaking.close()
