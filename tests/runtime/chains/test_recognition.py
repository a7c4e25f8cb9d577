"""The stock plugins on the emulators, over real sockets: each word of the caller is told once, whatever fails."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from livekit import rtc
from livekit.agents import stt
from livekit.plugins import deepgram

from voiceworker.lab.audio import SAMPLE_RATE
from voiceworker.lab.emulators import Fault
from voiceworker.lab.material import load_material, samples_of
from voiceworker.lab.speech import Speech
from voiceworker.policy.recogniser_watch import WatchSettings
from voiceworker.runtime.chains import Link
from voiceworker.runtime.chains.recognition import HearingPatience, SpeechRecognitionChain

FIRST, SECOND = "key-first", "key-second"
Bench = Any
MakeBench = Callable[..., AbstractAsyncContextManager[Any]]
MATERIAL = load_material(Path(__file__).parents[2] / "audio" / "turns")
KINDS = stt.SpeechEventType
QUICK = HearingPatience(
    connect_seconds=0.5,
    watch=WatchSettings(mute_seconds=0.4, final_seconds=0.35, latest_seconds=0.5),
    replay_speed=100,
    return_after_seconds=30,  # the emulators follow speech by the clock: who comes back early is told it again
    retry_seconds=0.05,
)
SPEED = 4
FRAME = SAMPLE_RATE // 50


def speech_with(words: int) -> Speech:
    """A turn of so many words, said without a long pause."""
    able = (one for one in MATERIAL.of_kind("turn") if len(one.words) == words and one.longest_pause_seconds < 0.7)
    return next(able)


def recogniser(bench: Bench, key: str) -> deepgram.STT:
    return deepgram.STT(base_url=f"{bench.emulators.deepgram_url}/v1/listen", api_key=key, http_session=bench.http)


def chain_of(bench: Bench, **options: Any) -> SpeechRecognitionChain:
    links: list[Link[stt.STT[Any]]] = [Link(key, recogniser(bench, key)) for key in (FIRST, SECOND)]
    return SpeechRecognitionChain(links, bench.breakers, bench.switches.append, patience=QUICK, **options)


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
