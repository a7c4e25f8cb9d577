"""The stock plugins on the emulators, over real sockets: each word of the caller is told once, whatever fails."""

from __future__ import annotations

import asyncio
import dataclasses
import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from livekit import rtc
from livekit.agents import LanguageCode, stt
from livekit.plugins import deepgram

from voiceworker.lab.audio import SAMPLE_RATE
from voiceworker.lab.emulators import Fault
from voiceworker.lab.material import load_material, samples_of
from voiceworker.lab.speech import Speech
from voiceworker.policy.breaker import State
from voiceworker.policy.recogniser_watch import WatchSettings
from voiceworker.runtime.chains import Link
from voiceworker.runtime.chains.recognition import HearingPatience, SpeechRecognitionChain

pytestmark = pytest.mark.slow

FIRST, SECOND = "key-first", "key-second"
Bench = Any
MakeBench = Callable[..., AbstractAsyncContextManager[Any]]
MATERIAL = load_material(Path(__file__).parents[2] / "audio" / "turns")
KINDS = stt.SpeechEventType
QUICK = HearingPatience(
    connect_seconds=0.5,
    watch=WatchSettings(mute_seconds=0.4, final_seconds=0.35, latest_seconds=0.5),
    last_final_seconds=0.35,
    replay_speed=100,
    return_after_seconds=30,  # the emulators follow speech by the clock: who comes back early is told it again
    retry_seconds=0.05,
)
SPEED = 4
FRAME = SAMPLE_RATE // 50


QUICKLY_SAID = [one for one in MATERIAL.of_kind("turn") if one.longest_pause_seconds < 0.7]


def speech_with(words: int) -> Speech:
    """A turn of so many words, said without a long pause."""
    return next(one for one in QUICKLY_SAID if len(one.words) == words)


def recogniser(bench: Bench, key: str) -> deepgram.STT:
    return deepgram.STT(base_url=f"{bench.emulators.deepgram_url}/v1/listen", api_key=key, http_session=bench.http)


def chain_of(bench: Bench, **options: Any) -> SpeechRecognitionChain:
    links: list[Link[stt.STT[Any]]] = [Link(key, recogniser(bench, key)) for key in (FIRST, SECOND)]
    options.setdefault("patience", QUICK)
    return SpeechRecognitionChain(links, bench.breakers, bench.switches.append, **options)


async def say(bench: Bench, stream: stt.RecognizeStream, speech: Speech, silence_seconds: float = 0.6) -> None:
    """Faster than real time, but not all at once."""
    bench.emulators.expect(speech, time.perf_counter())
    silence = np.zeros(round(silence_seconds * SAMPLE_RATE), np.int16)
    samples = np.concatenate([samples_of(speech), silence])
    for begin in range(0, len(samples), FRAME):
        part = samples[begin : begin + FRAME]
        stream.push_frame(rtc.AudioFrame(part.tobytes(), SAMPLE_RATE, 1, len(part)))
        await asyncio.sleep(FRAME / SAMPLE_RATE / SPEED)


class Listener:
    """What the framework would see."""

    def __init__(self, stream: stt.RecognizeStream) -> None:
        self.events: list[stt.SpeechEvent] = []
        self._stream = stream
        self._changed = asyncio.Event()

    async def listen(self) -> None:
        async for event in self._stream:
            self.events.append(event)
            self._changed.set()

    @property
    def words(self) -> list[str]:
        finals = [event for event in self.events if event.type is KINDS.FINAL_TRANSCRIPT]
        return " ".join(event.alternatives[0].text for event in finals).split()

    async def until(self, words: int, seconds: float = 5) -> None:
        async with asyncio.timeout(seconds):
            while len(self.words) < words:
                self._changed.clear()
                await self._changed.wait()


async def conversation(bench: Bench, chain: SpeechRecognitionChain, *speeches: Speech) -> Listener:
    """Says them one after the other, each when the words of the one before were told."""
    async with chain.stream() as stream, asyncio.TaskGroup() as group:
        listener = Listener(stream)
        listening = group.create_task(listener.listen())
        count = 0
        for speech in speeches:
            await say(bench, stream, speech)
            count += len(speech.words)
            await listener.until(count)
        stream.end_input()
        await asyncio.wait([listening], timeout=2)
        listening.cancel()
    return listener


def text_of(*speeches: Speech) -> list[str]:
    return [word.text for speech in speeches for word in speech.words]


FAULTS: list[tuple[str, dict[str, Any]]] = [
    ("refuse", {}),
    ("status", {"status": 401}),
    ("status", {"status": 429, "retry_after_seconds": 7}),
    ("status", {"status": 503}),
    ("hang", {}),
    ("stall", {}),
    ("late_final", {"seconds": 5}),
    *[(kind, {"after_seconds": at}) for kind in ("hang", "reset", "early_close", "stall") for at in (0.15, 0.35)],
    ("malformed", {"after_seconds": 0.2}),
    ("drip", {"speed": 0.1}),
]


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "options"), FAULTS)
async def test_no_word_is_lost_and_none_comes_twice(bench_of: MakeBench, kind: Any, options: dict[str, Any]) -> None:
    speeches = speech_with(9), speech_with(10)
    async with bench_of(Fault("stt", kind, nth=1, api_key=FIRST, **options)) as bench:
        chain = chain_of(bench)
        listener = await conversation(bench, chain, *speeches)
        assert listener.words == text_of(*speeches)
        assert kind == "malformed" or SECOND in [switch.new for switch in bench.switches]
        await chain.aclose()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "after"), [("reset", 0.3), ("early_close", 0.3), ("error_midstream", 0.3), ("hang", 0)]
)
async def test_one_that_stands_alone_hears_again_what_it_lost_and_nobody_has_to_repeat_it(
    bench_of: MakeBench, kind: Any, after: float
) -> None:
    in_one_breath = [one for one in QUICKLY_SAID if one.longest_pause_seconds < 0.3]  # so with one final, at its end
    speeches = max(in_one_breath, key=lambda one: one.seconds), speech_with(10)
    async with bench_of(Fault("stt", kind, nth=1, after_seconds=after)) as bench:
        deaf: list[bool] = []
        links: list[Link[stt.STT[Any]]] = [Link(FIRST, recogniser(bench, FIRST))]
        options: Any = {"patience": QUICK, "on_deaf": lambda: deaf.append(True)}
        chain = SpeechRecognitionChain(links, bench.breakers, bench.switches.append, **options)
        listener = await conversation(bench, chain, *speeches)
        assert listener.words == text_of(*speeches)
        assert deaf == []
        await chain.aclose()


@pytest.mark.slow
async def test_events_are_as_from_one_engine(bench_of: MakeBench) -> None:
    speech = speech_with(9)
    async with bench_of(Fault("stt", "reset", nth=1, api_key=FIRST, after_seconds=0.3)) as bench:
        chain = chain_of(bench)
        listener = await conversation(bench, chain, speech)
        assert listener.words == text_of(speech)
        borders = [
            event.type for event in listener.events if event.type in (KINDS.START_OF_SPEECH, KINDS.END_OF_SPEECH)
        ]
        assert borders[::2] == [KINDS.START_OF_SPEECH] * len(borders[::2])
        assert borders[1::2] == [KINDS.END_OF_SPEECH] * len(borders[1::2])
        ends = [event.alternatives[0].end_time for event in listener.events if event.type is KINDS.FINAL_TRANSCRIPT]
        assert ends == sorted(ends)
        assert ends[-1] == pytest.approx(speech.words[-1].ended_seconds, abs=0.15)
        assert [(switch.old, switch.new) for switch in bench.switches][:1] == [(FIRST, SECOND)]
        await chain.aclose()


async def test_the_preferred_one_hears_again_when_it_works_again(bench_of: MakeBench) -> None:
    speech = speech_with(9)
    async with bench_of(Fault("stt", "refuse", nth=1, api_key=FIRST)) as bench:
        chain = chain_of(bench, patience=dataclasses.replace(QUICK, return_after_seconds=0.05))
        async with chain.stream() as stream:
            silence = np.zeros(FRAME, np.int16).tobytes()
            async with asyncio.timeout(3):
                while bench.reasons != ["connection lost", "recovered"]:
                    stream.push_frame(rtc.AudioFrame(silence, SAMPLE_RATE, 1, FRAME))
                    await asyncio.sleep(0.01)
            assert chain.serving == FIRST
            listener = Listener(stream)
            listening = asyncio.ensure_future(listener.listen())
            await say(bench, stream, speech)
            await listener.until(9)
            listening.cancel()
        assert listener.words == text_of(speech)
        await chain.aclose()


@pytest.mark.slow
async def test_when_nobody_hears_the_agent_is_told_once(bench_of: MakeBench) -> None:
    async with bench_of(Fault("stt", "refuse", probability=1.0)) as bench:
        deaf = asyncio.Event()
        chain = chain_of(bench, on_deaf=deaf.set)
        errors: list[stt.STTError] = []
        chain.on("error", errors.append)
        async with chain.stream() as stream:
            await say(bench, stream, speech_with(9))
            async with asyncio.timeout(3):
                await deaf.wait()
            await asyncio.sleep(0)
        assert [error.recoverable for error in errors] == [True]
        await chain.aclose()


@pytest.mark.slow
async def test_who_repeats_himself_in_vain_is_told_so_again(bench_of: MakeBench) -> None:
    async with bench_of(Fault("stt", "hang", probability=1.0)) as bench:
        deaf: asyncio.Queue[bool] = asyncio.Queue()
        chain = chain_of(bench, on_deaf=lambda: deaf.put_nowait(True))
        async with chain.stream() as stream:
            for _ in range(2):
                await say(bench, stream, speech_with(9))
                async with asyncio.timeout(5):
                    await deaf.get()
        await chain.aclose()


@pytest.mark.slow
async def test_a_voice_without_words_is_nobody_s_fault(bench_of: MakeBench) -> None:
    """What nobody announced is noise to the emulators: they say nothing to it."""
    noise = speech_with(9)
    async with bench_of() as bench:
        deaf = asyncio.Event()
        chain = chain_of(bench, on_deaf=deaf.set)
        async with chain.stream() as stream:
            frames = np.concatenate([samples_of(noise), np.zeros(SAMPLE_RATE, np.int16)])
            for begin in range(0, len(frames), FRAME):
                part = frames[begin : begin + FRAME]
                stream.push_frame(rtc.AudioFrame(part.tobytes(), SAMPLE_RATE, 1, len(part)))
                await asyncio.sleep(FRAME / SAMPLE_RATE / SPEED)
            async with asyncio.timeout(5):
                await deaf.wait()
        assert bench.breakers.state("stt", FIRST) is State.CLOSED
        assert bench.breakers.state("stt", SECOND) is State.CLOSED
        await chain.aclose()


class Offline(stt.STT[Any]):
    """Takes whole utterances, and hears the same in each; the first `hanging` of them it never answers."""

    def __init__(self, hanging: int = 0) -> None:
        super().__init__(capabilities=stt.STTCapabilities(streaming=False, interim_results=False))
        self._hanging = hanging

    async def _recognize_impl(self, buffer: Any, *, language: Any = None, conn_options: Any) -> stt.SpeechEvent:
        self._hanging -= 1
        if self._hanging >= 0:
            await asyncio.Event().wait()
        return stt.SpeechEvent(KINDS.FINAL_TRANSCRIPT, alternatives=[stt.SpeechData(LanguageCode("en"), "hello there")])


@pytest.mark.slow
async def test_an_engine_for_whole_utterances_is_not_waited_for_without_an_end(bench_of: MakeBench) -> None:
    async with bench_of() as bench:
        links: list[Link[stt.STT[Any]]] = [Link("a", Offline(hanging=1)), Link("b", Offline())]
        patience = dataclasses.replace(QUICK, recognize_seconds=0.2)
        chain = SpeechRecognitionChain(links, bench.breakers, bench.switches.append, patience=patience)
        async with chain.stream() as stream:
            listener = Listener(stream)
            listening = asyncio.ensure_future(listener.listen())
            await say(bench, stream, speech_with(8))
            await listener.until(2)
            listening.cancel()
        assert listener.words[:2] == ["hello", "there"]
        assert bench.reasons == ["timed out"]
        await chain.aclose()


async def test_a_recording_is_recognised_by_whoever_can(bench_of: MakeBench) -> None:
    async with bench_of() as bench:
        links: list[Link[stt.STT[Any]]] = [Link("a", Offline(hanging=1)), Link("b", Offline())]
        patience = dataclasses.replace(QUICK, recognize_seconds=0.05)
        chain = SpeechRecognitionChain(links, bench.breakers, bench.switches.append, patience=patience)
        event = await chain.recognize(rtc.AudioFrame(bytes(4800), SAMPLE_RATE, 1, 2400))
        assert event.alternatives[0].text == "hello there"
        await chain.aclose()
