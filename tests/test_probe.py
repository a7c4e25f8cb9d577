from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from aiohttp import web

from voiceworker.config import AgentDefinition, Endpoint, Settings
from voiceworker.models import ModelName
from voiceworker.probe import Probe, ask_all, probe_of
from voiceworker.providers import PROVIDERS, Role

KEYS = {one.key: f"planted-{name}" for name, one in PROVIDERS.items() if one.key and not one.bills_as}
RIGHT = {"Bearer planted-openai", "Token planted-deepgram", "planted-elevenlabs", "Bearer planted-vllm"}


@pytest.fixture
async def server() -> AsyncIterator[str]:
    """Knows the planted keys; counts nothing, bills nothing. At /broken/... it is."""

    async def answer(request: web.Request) -> web.Response:
        if "broken" in request.path:
            return web.Response(status=503)
        key = request.headers.get("Authorization") or request.headers.get("xi-api-key")
        return web.Response(status=200 if key in RIGHT else 401)

    app = web.Application()
    app.router.add_get("/{tail:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


def here(url: str, keys: dict[str, str]) -> tuple[AgentDefinition, Settings]:
    definition = AgentDefinition(
        name="desk",
        instructions="x",
        greeting="y",
        endpoints={"vllm": Endpoint(base_url=url, api_key_variable="VLLM_API_KEY")},
    )
    settings = Settings(
        openai_base_url=f"{url}/v1",
        deepgram_base_url=url,
        elevenlabs_base_url=f"{url}/v1",
        rime_base_url=url.replace("http", "ws"),
        ollama_base_url=f"{url}/v1",
        provider_keys=keys,
    )
    return definition, settings


def probe(text: str, role: Role, url: str, keys: dict[str, str] = KEYS | {"VLLM_API_KEY": "planted-vllm"}) -> Probe:
    made = probe_of(ModelName.parse(text, role), *here(url, keys))
    assert made is not None
    return made


@pytest.mark.parametrize(
    ("text", "role"),
    [
        ("openai/gpt-4.1-mini", "llm"),
        ("openai/gpt-realtime", "realtime"),
        ("openai-responses/gpt-4.1-mini", "llm"),
        ("openai-compatible/vllm", "llm"),
        ("deepgram/flux-general-en", "stt"),
        ("elevenlabs/eleven_flash_v2_5", "tts"),
        ("rime/mistv2", "tts"),
    ],
)
async def test_a_provider_that_takes_the_key_has_a_latency_and_no_problem(text: str, role: Role, server: str) -> None:
    asked = probe(text, role, server)
    answer = (await ask_all([asked]))[asked]
    assert answer.problem == ""
    assert answer.milliseconds is not None
    assert answer.milliseconds > 0


async def test_what_is_wrong_is_told_without_the_key(server: str) -> None:
    wrong = probe("openai/gpt-4.1-mini", "llm", server, {"OPENAI_API_KEY": "planted-wrong"})
    broken = probe("openai/gpt-4.1-mini", "llm", f"{server}/broken")
    nobody = probe("deepgram/nova-3", "stt", "http://127.0.0.1:1")
    split = probe("deepgram/nova-3", "stt", server, {"DEEPGRAM_API_KEY": "planted\r\nX-Evil: 1"})
    closed = probe("rime/mistv2", "tts", "http://127.0.0.1:1")
    answers = await ask_all([wrong, broken, nobody, split, closed])
    host = wrong.host
    assert answers[wrong].problem == f"{host} refuses the key (401)"
    assert answers[broken].problem == f"{host} is busy or broken (503)"
    assert answers[nobody].problem == "127.0.0.1:1 cannot be reached: Connection refused"
    assert answers[closed].problem == "127.0.0.1:1 cannot be reached: Connection refused"
    assert answers[split].problem == f"{host} does not talk to us: ValueError"
    assert "planted" not in repr(answers)


async def test_models_of_one_provider_are_one_question(server: str) -> None:
    same = [probe("openai/gpt-4.1-mini", "llm", server), probe("openai/tts-1", "tts", server)]
    assert len(await ask_all(same)) == 1


@pytest.mark.parametrize(("text", "role"), [("pocketsphinx", "stt"), ("whisper/small.en", "stt"), ("script", "llm")])
def test_what_answers_on_this_machine_is_not_asked(text: str, role: Role) -> None:
    assert probe_of(ModelName.parse(text, role), *here("http://127.0.0.1:1", KEYS)) is None
