"""Asks a provider for something that costs nothing, to see whether it answers, takes the key, and how soon."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

import aiohttp

from voiceworker.config import AgentDefinition, Settings
from voiceworker.models import ModelName, endpoint_of
from voiceworker.providers import COMPATIBLE

PROBE_SECONDS = 5.0
_RIME = "https://users.rime.ai"


@dataclass(frozen=True, slots=True)
class Probe:
    """A GET that is free; without a path to ask for, a connection is opened and closed."""

    url: str
    asks: bool = True
    headers: Mapping[str, str] = field(default_factory=dict, repr=False, hash=False)

    @property
    def host(self) -> str:
        return self.url.split("//", 1)[1].split("/", 1)[0]


@dataclass(frozen=True, slots=True)
class Answer:
    milliseconds: float | None = None
    "from asking, over an open connection, to the answer's end; of a connection alone: to its being open"
    problem: str = ""
    "why it would not serve us, in a clause; empty when it would"


def probe_of(name: ModelName, definition: AgentDefinition, settings: Settings) -> Probe | None:
    """What to ask the model's provider; None for a model that answers on this machine by itself."""
    bearer = {"Authorization": f"Bearer {settings.provider_key('OPENAI_API_KEY')}"}
    match name.provider:
        case "openai" | "openai-responses":
            return Probe(f"{settings.openai_base_url}/models", headers=bearer)
        case "deepgram":
            key = {"Authorization": f"Token {settings.provider_key('DEEPGRAM_API_KEY')}"}
            return Probe(f"{settings.deepgram_base_url}/v1/auth/token", headers=key)
        case "elevenlabs":
            key = {"xi-api-key": settings.provider_key("ELEVEN_API_KEY")}
            return Probe(f"{settings.elevenlabs_base_url}/models", headers=key)
        case "rime":  # has nothing that could be asked for without a bill
            return Probe(settings.rime_base_url.replace("ws", "http", 1) or _RIME, asks=False)
        case "ollama":
            return Probe(f"{settings.ollama_base_url}/models")
        case provider if provider == COMPATIBLE:
            endpoint = endpoint_of(name, definition)
            own = settings.provider_key(endpoint.api_key_variable)
            return Probe(f"{endpoint.base_url}/models", headers={"Authorization": f"Bearer {own}"} if own else {})
        case _:
            return None


async def ask_all(probes: Collection[Probe]) -> dict[Probe, Answer]:
    """Asks each once, all at the same time, and waits for at most PROBE_SECONDS."""
    distinct = list(dict.fromkeys(probes))
    timeout = aiohttp.ClientTimeout(total=PROBE_SECONDS)
    async with aiohttp.ClientSession(timeout=timeout) as http:
        answers = await asyncio.gather(*(_ask(http, probe) for probe in distinct))
    return dict(zip(distinct, answers, strict=True))


async def _ask(http: aiohttp.ClientSession, probe: Probe) -> Answer:
    try:
        return await (_request(http, probe) if probe.asks else _connect(probe))
    except TimeoutError:
        return Answer(problem=f"{probe.host} does not answer within {PROBE_SECONDS:.0f} s")
    except aiohttp.ClientConnectorError as error:
        return Answer(problem=f"{probe.host} cannot be reached: {_reason(error.os_error)}")
    except OSError as error:
        return Answer(problem=f"{probe.host} cannot be reached: {_reason(error)}")
    except (aiohttp.ClientError, ValueError) as error:  # its text may quote a header, and a header is the key
        return Answer(problem=f"{probe.host} does not talk to us: {type(error).__name__}")


def _reason(error: OSError) -> str:
    known = error.errno is not None and error.errno > 0  # those of name resolution have words of their own
    return os.strerror(error.errno or 0) if known else error.strerror or type(error).__name__


async def _request(http: aiohttp.ClientSession, probe: Probe) -> Answer:
    status, milliseconds = 0, 0.0
    for _ in range(2):  # the first opens the connection, as a call does once
        began = time.perf_counter()
        async with http.get(probe.url, headers=probe.headers, allow_redirects=False) as response:
            await response.read()
            status = response.status
        milliseconds = (time.perf_counter() - began) * 1000
    if status in (401, 403):
        return Answer(milliseconds, f"{probe.host} refuses the key ({status})")
    if status == 429 or status >= 500:
        return Answer(milliseconds, f"{probe.host} is busy or broken ({status})")
    return Answer(milliseconds)  # 404 as well: a server that lists no models is there all the same


async def _connect(probe: Probe) -> Answer:
    secure = probe.url.startswith("https")
    host, _, port = probe.host.partition(":")
    began = time.perf_counter()
    async with asyncio.timeout(PROBE_SECONDS):
        _, writer = await asyncio.open_connection(host, int(port or (443 if secure else 80)), ssl=secure or None)
    milliseconds = (time.perf_counter() - began) * 1000
    writer.close()
    return Answer(milliseconds)
