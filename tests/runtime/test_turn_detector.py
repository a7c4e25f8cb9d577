"""The framework's real v1-mini detector and a real loop, as the framework's audio recognition uses them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from livekit import rtc
from livekit.agents import LanguageCode, inference
from livekit.agents.types import DEFAULT_API_CONNECT_OPTIONS
from livekit.agents.voice.turn import (
    TurnDetectionEvent,
    _StreamingTurnDetector,
    _StreamingTurnDetectorStream,
)

from voiceworker.lab.audio import SAMPLE_RATE, read_speech
from voiceworker.policy.end_of_turn import Commit, EndOfTurnSettings, Patience
from voiceworker.runtime.turn_detector import EndOfTurnDetector, EndOfTurnStream

GOODBYE = Path(__file__).parents[1] / "audio" / "goodbye.wav"
QUICK = EndOfTurnSettings(
    closed=Patience(0.224, 0.224),
    complete=Patience(0.224, 0.35),
    neutral=Patience(0.224, 0.35),
    dictating=Patience(0.6, 0.6),
    unfinished=Patience(0.6, 0.6),
)


@dataclass
class Caller:
    detector: EndOfTurnDetector
    stream: EndOfTurnStream
    commits: list[Commit] = field(default_factory=list)

    def says(self, path: Path) -> None:
        samples = read_speech(path)
        size = SAMPLE_RATE // 50
        for start in range(0, len(samples) - size, size):
            part = np.ascontiguousarray(samples[start : start + size])
            self.stream.push_audio(rtc.AudioFrame(part.tobytes(), SAMPLE_RATE, 1, size))


@asynccontextmanager
async def call(settings: EndOfTurnSettings = QUICK) -> AsyncIterator[Caller]:
    commits: list[Commit] = []
    model = inference.TurnDetector(version="v1-mini")
    detector = EndOfTurnDetector(settings, model=model, on_commit=commits.append)
    stream = detector.stream(conn_options=DEFAULT_API_CONNECT_OPTIONS)
    try:
        yield Caller(detector, stream, commits)
    finally:
        await stream.aclose()


async def ended(answer: asyncio.Future[TurnDetectionEvent]) -> bool:
    async with asyncio.timeout(5):
        return (await answer).end_of_turn_probability == 1.0


async def test_the_framework_takes_it_for_a_streaming_detector() -> None:
    async with call() as caller:
        assert isinstance(caller.detector, _StreamingTurnDetector)
        assert isinstance(caller.stream, _StreamingTurnDetectorStream)
        assert caller.detector.model == caller.stream.model == "turn-detector-v1-mini"
        assert await caller.stream.supports_language(LanguageCode("ja"))
        threshold = await caller.stream.unlikely_threshold(LanguageCode("en"))
        assert threshold is not None
        assert 0 < threshold < 1


async def test_a_turn_with_words_is_taken_and_the_models_word_is_kept() -> None:
    async with call() as caller:
        caller.says(GOODBYE)
        answer = caller.stream.predict()
        caller.detector.heard("i would like to book a haircut", final=True)
        assert await ended(answer)
        [commit] = caller.commits
        assert commit.waited_seconds <= 0.4
        assert commit.likelihood is None or 0 <= commit.likelihood <= 1


async def test_the_model_is_really_asked() -> None:
    async with call(EndOfTurnSettings(neutral=Patience(0.5, 0.5))) as caller:
        caller.says(GOODBYE)
        answer = caller.stream.predict()
        caller.detector.heard("hello", final=True)
        assert await ended(answer)
        assert caller.commits[0].likelihood is not None


async def test_a_goodbye_is_taken_at_once() -> None:
    async with call() as caller:
        answer = caller.stream.predict()
        caller.detector.heard("thanks bye", final=True)
        assert answer.done()


async def test_a_final_transcript_that_came_before_the_silence_counts() -> None:
    async with call() as caller:
        caller.detector.heard("thanks bye", final=True)
        assert caller.stream.predict().done()


async def test_without_a_final_transcript_nothing_is_decided() -> None:
    async with call() as caller:
        answer = caller.stream.predict()
        caller.detector.heard("thanks by", final=False)
        done, _ = await asyncio.wait([answer], timeout=0.3)
        assert not done
        caller.detector.heard("thanks bye", final=True)
        assert answer.done()


async def test_a_caller_who_resumes_keeps_the_turn() -> None:
    async with call() as caller:
        answer = caller.stream.predict()
        caller.detector.heard("my number is", final=True)
        caller.stream.cancel_inference()
        assert not await ended(answer)
        assert caller.commits == []
        again = caller.stream.predict()
        caller.detector.agent_said("What is your phone number?")
        caller.detector.heard("07700 900123", final=True)
        assert await ended(again)
        assert caller.detector.turn_text == "my number is 07700 900123"


async def test_a_taken_turn_leaves_no_words_behind() -> None:
    async with call() as caller:
        caller.detector.heard("thanks bye", final=True)
        assert await ended(caller.stream.predict())
        caller.stream.flush("turn committed")
        assert caller.detector.turn_text == ""
        assert not caller.stream.predict().done()


async def test_a_second_question_supersedes_the_first() -> None:
    async with call() as caller:
        first = caller.stream.predict()
        second = caller.stream.predict()
        assert not await ended(first)
        assert not second.done()


async def test_another_eagerness_counts_at_once() -> None:
    async with call(EndOfTurnSettings(neutral=Patience(5, 5))) as caller:
        answer = caller.stream.predict()
        caller.detector.heard("hello", final=True)
        caller.detector.change(QUICK, "en")
        assert await ended(answer)


async def test_closing_answers_whoever_waits() -> None:
    async with call() as caller:
        answer = caller.stream.predict()
    assert not await ended(answer)


async def test_the_probability_is_weighed_by_the_threshold_of_the_language() -> None:
    detector = EndOfTurnDetector(QUICK, language="nl")
    assert await detector.likelihood(0.2, 0.256) == 0.5
    assert await detector.likelihood(0.0, 0.256) == 0.0
    assert await detector.likelihood(1.0, 0.256) == 1.0
