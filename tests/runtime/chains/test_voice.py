"""The stock plugins on the emulators, over real sockets: words are tones, so what was heard can be read back."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from livekit import rtc
from livekit.agents import APIConnectionError, tts
from livekit.agents.types import USERDATA_TIMED_TRANSCRIPT
from livekit.plugins import deepgram, espeak, openai

from voiceworker.lab.audio import SAMPLE_RATE
from voiceworker.lab.emulators import Fault
from voiceworker.lab.emulators.tones import WORD_SECONDS, decode, encode
from voiceworker.policy.breaker import State
from voiceworker.runtime.chains import Link
from voiceworker.runtime.chains.apology import Apology
from voiceworker.runtime.chains.voice import VoiceChain, VoicePatience

pytestmark = pytest.mark.slow

FIRST, SECOND = "key-first", "key-second"
Bench = Any
MakeBench = Callable[..., AbstractAsyncContextManager[Any]]
QUICK = VoicePatience(
    first_audio_seconds=0.3,
    next_audio_seconds=0.3,
    last_audio_seconds=0.6,
    stall_seconds=0.15,
    longest_gap_seconds=0.3,
    stay_seconds=0.0,
)
GREETING = "Basket beacon bridge button candle canyon castle."
TEXT = "Circle clover copper cotton cradle desert dragon fiddle forest garden."
WORDS = TEXT.lower().strip(".").split()


def streamed(bench: Bench, key: str) -> deepgram.TTS:
    url = f"{bench.emulators.deepgram_url}/v1/speak"
    return deepgram.TTS(base_url=url, api_key=key, http_session=bench.http)


def whole(bench: Bench, key: str) -> openai.TTS:
    return openai.TTS(model="gpt-4o-mini-tts", api_key=key, base_url=bench.emulators.openai_url, response_format="pcm")


def chain_of(bench: Bench, make: Callable[[Bench, str], tts.TTS[Any]] = streamed, **options: Any) -> VoiceChain:
    links: list[Link[tts.TTS[Any]]] = [Link(key, make(bench, key)) for key in (FIRST, SECOND)]
    return VoiceChain(links, bench.breakers, bench.switches.append, patience=QUICK, **options)


async def spoken(chain: VoiceChain, text: str) -> tuple[list[str], list[str], float]:
    """The words that are heard, those that were dated, and seconds."""
    frames: list[rtc.AudioFrame] = []
    timed: list[str] = []
    async with asyncio.timeout(8), chain.stream() as stream:
        for word in text.split(" "):
            stream.push_text(f"{word} ")
        stream.end_input()
        async for audio in stream:
            frames.append(audio.frame)
            timed += audio.frame.userdata.get(USERDATA_TIMED_TRANSCRIPT) or []
    assert {frame.sample_rate for frame in frames} == {chain.sample_rate}
    samples = np.concatenate([np.frombuffer(frame.data, np.int16) for frame in frames])
    return [word.text for word in decode(samples, chain.sample_rate)], timed, len(samples) / chain.sample_rate


BEFORE: list[tuple[str, dict[str, Any]]] = [
    ("refuse", {}),
    ("status", {"status": 401}),
    ("status", {"status": 429, "retry_after_seconds": 7}),
    ("status", {"status": 503}),
    ("hang", {}),
    ("stall", {}),
    ("reset", {}),
    ("early_close", {}),
    ("error_midstream", {}),
]
AMIDST = ["hang", "stall", "reset", "early_close", "error_midstream"]


@pytest.mark.slow
@pytest.mark.parametrize("make", [streamed, whole])
@pytest.mark.parametrize(("kind", "options"), BEFORE)
async def test_a_fault_before_the_first_sound_is_not_noticed(
    bench_of: MakeBench, make: Any, kind: Any, options: dict[str, Any]
) -> None:
    async with bench_of(Fault("tts", kind, nth=1, api_key=FIRST, **options)) as bench:
        chain = chain_of(bench, make)
        heard, timed, _ = await spoken(chain, TEXT)
        assert heard == WORDS
        assert "".join(timed).split() == TEXT.split()
        assert [switch.new for switch in bench.switches] == [SECOND]
        await chain.aclose()


@pytest.mark.slow
@pytest.mark.parametrize("make", [streamed, whole])
@pytest.mark.parametrize("after", [0.06, 0.09])
@pytest.mark.parametrize("kind", AMIDST)
async def test_the_next_voice_goes_on_with_the_next_word(
    bench_of: MakeBench, make: Any, kind: Any, after: float
) -> None:
    """The pace of the first is known from what it has said before."""
    async with bench_of(Fault("tts", kind, nth=2, api_key=FIRST, after_seconds=after)) as bench:
        chain = chain_of(bench, make)
        await spoken(chain, GREETING)
        heard, timed, _ = await spoken(chain, TEXT)
        assert heard == WORDS
        assert "".join(timed).split() == TEXT.split()
        assert [switch.new for switch in bench.switches] == [SECOND]
        await chain.aclose()


@pytest.mark.slow
@pytest.mark.parametrize("make", [streamed, whole])
@pytest.mark.parametrize("voiced_seconds", [0.1, 0.13])
async def test_a_voice_that_breaks_off_with_its_first_sound_begins_no_word_twice(
    bench_of: MakeBench, make: Any, voiced_seconds: float
) -> None:
    """The plugins hand on pieces of 0.2 s: one of them only, with so much of the first word after its silence."""
    fault = Fault("tts", "reset", nth=2, api_key=FIRST, after_seconds=0.04)
    async with bench_of(fault, speech_speed=4.0) as bench:
        silence = 0.2 - voiced_seconds
        bench.emulators.delays = dataclasses.replace(bench.emulators.delays, leading_silence_seconds=silence)
        chain = chain_of(bench, make)
        await spoken(chain, GREETING)
        heard, timed, _ = await spoken(chain, TEXT)
        assert heard == WORDS
        assert "".join(timed).split() == TEXT.split()
        await chain.aclose()


@pytest.mark.slow
@pytest.mark.parametrize("after", [0.0, 0.06])
async def test_a_voice_that_stands_alone_is_asked_again_when_its_connection_broke(
    bench_of: MakeBench, after: float
) -> None:
    async with bench_of(Fault("tts", "reset", nth=2, api_key=FIRST, after_seconds=after)) as bench:
        links: list[Link[tts.TTS[Any]]] = [Link(FIRST, streamed(bench, FIRST))]
        chain = VoiceChain(links, bench.breakers, bench.switches.append, patience=QUICK)
        await spoken(chain, GREETING)
        heard, timed, _ = await spoken(chain, TEXT)
        assert heard == WORDS
        assert "".join(timed).split() == TEXT.split()
        await chain.aclose()


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "asked"), [("hang", 1), ("reset", 2), ("status", 2)])
async def test_but_once_and_not_when_it_was_waited_for(bench_of: MakeBench, kind: Any, asked: int) -> None:
    async with bench_of(Fault("tts", kind, probability=1.0)) as bench:
        links: list[Link[tts.TTS[Any]]] = [Link(FIRST, whole(bench, FIRST))]
        chain = VoiceChain(links, bench.breakers, bench.switches.append, patience=QUICK)
        with pytest.raises(APIConnectionError):
            await spoken(chain, TEXT)
        assert len(bench.emulators.requests) == asked
        await chain.aclose()


@pytest.mark.slow
async def test_a_voice_that_is_slower_than_it_plays_is_left(bench_of: MakeBench) -> None:
    async with bench_of(Fault("tts", "drip", nth=2, api_key=FIRST)) as bench:
        chain = chain_of(bench)
        await spoken(chain, GREETING)
        heard, _, _ = await spoken(chain, TEXT)
        assert heard == WORDS
        assert bench.reasons == ["sound stalled"]
        await chain.aclose()


async def test_the_embedded_voice_goes_on_at_the_rate_of_the_first(bench_of: MakeBench) -> None:
    async with bench_of(Fault("tts", "reset", nth=2, api_key=FIRST, after_seconds=0.08)) as bench:
        links: list[Link[tts.TTS[Any]]] = [Link(FIRST, streamed(bench, FIRST)), Link("espeak", espeak.TTS())]
        chain = VoiceChain(links, bench.breakers, bench.switches.append, patience=QUICK)
        await spoken(chain, GREETING)
        heard, timed, seconds = await spoken(chain, TEXT)
        assert "".join(timed).split() == TEXT.split()
        assert heard[0] == WORDS[0]
        assert 3 < seconds < 7
        assert chain.serving == "espeak"
        await chain.aclose()


@pytest.mark.slow
async def test_sentences_that_were_complete_are_never_repeated(bench_of: MakeBench) -> None:
    text = f"{GREETING} {TEXT}"
    async with bench_of(Fault("tts", "refuse", nth=3, api_key=FIRST)) as bench:
        chain = chain_of(bench)
        await spoken(chain, GREETING)
        heard, timed, _ = await spoken(chain, text)
        assert heard == [*GREETING.lower().strip(".").split(), *WORDS]
        assert "".join(timed).split() == text.split()
        await chain.aclose()


@pytest.mark.slow
async def test_what_was_spoken_in_an_earlier_call_is_dated_and_teaches_the_pace(bench_of: MakeBench) -> None:
    async with bench_of() as bench:
        chain = chain_of(bench)
        greeting = chain.dated(GREETING, encode(GREETING), SAMPLE_RATE)
        assert "".join(greeting).split() == GREETING.split()
        starts = [float(word.start_time) for word in greeting if isinstance(word.start_time, float)]
        assert starts == pytest.approx([WORD_SECONDS * place for place in range(7)], abs=WORD_SECONDS / 2)
        part = chain.part(chain.links[0], TEXT)
        part.hear(encode(TEXT)[:SAMPLE_RATE], [])  # a second of it: four words
        assert "".join(part.pass_on(1.0).words).split() == TEXT.split()[:4]
        await chain.aclose()


@pytest.mark.slow
async def test_it_stays_with_the_new_voice_for_a_while(bench_of: MakeBench) -> None:
    async with bench_of(Fault("tts", "refuse", nth=1, api_key=FIRST)) as bench:
        links: list[Link[tts.TTS[Any]]] = [Link(key, streamed(bench, key)) for key in (FIRST, SECOND)]
        chain = VoiceChain(links, bench.breakers, bench.switches.append, patience=VoicePatience(stay_seconds=60))
        for _ in range(2):
            await spoken(chain, GREETING)
        assert len(bench.switches) == 1
        await chain.aclose()


async def test_when_no_voice_answers_an_apology_is_heard_where_there_is_one(
    bench_of: MakeBench, tmp_path: Path
) -> None:
    apology = Apology(tmp_path, "I am sorry, my voice fails me.")
    await apology.prepare()
    async with bench_of(Fault("tts", "status", probability=1.0)) as bench:
        apologies: list[Apology | None] = [apology, None]
        chain = chain_of(bench, on_down=lambda: apologies.pop(0))
        errors: list[tts.TTSError] = []
        chain.on("error", errors.append)
        _, timed, seconds = await spoken(chain, TEXT)
        assert "".join(timed).split() == apology.text.split()
        assert seconds > 1
        _, timed, seconds = await spoken(chain, TEXT)
        assert (timed, seconds < 0.1) == ([""], True)  # no word was heard, which is told
        assert not apologies
        assert [error.recoverable for error in errors] == [True, True]
        await chain.aclose()


@pytest.mark.slow
async def test_without_an_apology_the_error_is_told(bench_of: MakeBench) -> None:
    async with bench_of(Fault("tts", "status", probability=1.0)) as bench:
        chain = chain_of(bench)
        with pytest.raises(APIConnectionError, match="failed with 503"):
            await spoken(chain, TEXT)
        await chain.aclose()


@pytest.mark.slow
async def test_retry_after_is_honoured(bench_of: MakeBench) -> None:
    async with bench_of(Fault("tts", "status", nth=1, status=429, retry_after_seconds=9, api_key=FIRST)) as bench:
        chain = chain_of(bench, whole)
        await spoken(chain, GREETING)
        assert 8 < bench.breakers.next_deadline("tts", chain.links[:1]) <= 9
        await chain.aclose()


@pytest.mark.slow
async def test_who_interrupts_is_nobody_s_fault(bench_of: MakeBench) -> None:
    async with bench_of() as bench:
        chain = chain_of(bench)
        for _ in range(3):
            async with chain.stream() as stream:
                stream.push_text(TEXT)
                stream.end_input()
                await anext(stream)
        assert bench.breakers.state("tts", FIRST) is State.CLOSED
        assert bench.switches == []
        await chain.aclose()


async def test_an_apology_is_rendered_once(tmp_path: Path) -> None:
    first, second = Apology(tmp_path, "I am sorry."), Apology(tmp_path, "I am sorry.")
    await first.prepare()
    written = _files(tmp_path)
    await second.prepare()
    assert _files(tmp_path) == written
    frames = [frame async for frame in second.frames()]
    assert sum(frame.duration for frame in frames) == pytest.approx(len(first.spoken(8000).samples) / 8000, abs=0.01)


def _files(folder: Path) -> list[tuple[str, int]]:
    return [(path.name, path.stat().st_mtime_ns) for path in folder.iterdir()]


def test_the_voices_of_a_chain_are_mono() -> None:
    with pytest.raises(ValueError, match="at least one"):
        VoiceChain([], None, print)  # type: ignore[arg-type]
