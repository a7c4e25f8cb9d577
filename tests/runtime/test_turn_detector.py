"""The framework's real v1-mini detector and a real loop, as the framework's audio recognition uses them."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from livekit import rtc
from livekit.agents import (
    NOT_GIVEN,
    Agent,
    AgentSession,
    APIConnectOptions,
    LanguageCode,
    ModelSettings,
    NotGivenOr,
    StopResponse,
    inference,
    llm,
    stt,
    utils,
)
from livekit.agents.types import DEFAULT_API_CONNECT_OPTIONS
from livekit.agents.voice.io import AudioInput
from livekit.agents.voice.turn import (
    TurnDetectionEvent,
    _StreamingTurnDetector,
    _StreamingTurnDetectorStream,
)

from voiceworker.lab.audio import SAMPLE_RATE, Samples, read_speech, room_noise
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
            self.hears(samples[start : start + size])

    def hears(self, samples: Samples) -> None:
        self.stream.push_audio(rtc.AudioFrame(samples.tobytes(), SAMPLE_RATE, 1, len(samples)))


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
        assert not answer.done()  # the framework has not got it yet
        assert await ended(answer)
        assert caller.commits[0].waited_seconds < 0.4


async def test_a_final_transcript_that_came_before_the_silence_counts() -> None:
    async with call() as caller:
        caller.detector.heard("thanks bye", final=True)
        await asyncio.sleep(0.02)
        assert caller.stream.predict().done()


async def test_without_a_final_transcript_nothing_is_decided() -> None:
    async with call() as caller:
        answer = caller.stream.predict()
        caller.detector.heard("thanks by", final=False)
        done, _ = await asyncio.wait([answer], timeout=0.3)
        assert not done
        caller.detector.heard("thanks bye", final=True)
        assert await ended(answer)


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


async def test_a_sound_in_the_silence_holds_the_turn_until_it_is_known_what_it_is() -> None:
    async with call() as caller:
        caller.says(GOODBYE)
        for _ in range(10):
            caller.hears(np.zeros(480, np.int16))
        answer = caller.stream.predict()
        caller.hears(np.full(480, 3000, np.int16))
        caller.detector.heard("thanks bye", final=True)
        assert not answer.done()
        assert await ended(answer)


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


# --- in a session of the framework, as fast as a caller speaks ---

_FRAME_SECONDS = 0.02


class Microphone(AudioInput):
    """Speech with silences, then silence for ever, at its own pace."""

    def __init__(self, *parts: Samples | float) -> None:
        super().__init__(label="microphone")
        silences = [np.zeros(int(part * SAMPLE_RATE), np.int16) if isinstance(part, float) else part for part in parts]
        self._samples = np.concatenate(silences)
        self._noise = itertools.cycle(np.array_split(room_noise(), 100))
        self.started_at = 0.0
        self._sent = 0

    async def __anext__(self) -> rtc.AudioFrame:
        now = asyncio.get_running_loop().time()
        self.started_at = self.started_at or now
        self._sent += 1
        await asyncio.sleep(self.started_at + self._sent * _FRAME_SECONDS - now)
        size = int(SAMPLE_RATE * _FRAME_SECONDS)
        part = np.resize(next(self._noise), size)
        spoken = self._samples[(self._sent - 1) * size : self._sent * size]
        part[: len(spoken)] += spoken
        return rtc.AudioFrame(part.tobytes(), SAMPLE_RATE, 1, size)


class Recogniser(stt.STT[None]):
    """Stands for one: the agent's node says what it would."""

    def __init__(self) -> None:
        super().__init__(capabilities=stt.STTCapabilities(streaming=True, interim_results=True))

    async def _recognize_impl(
        self,
        buffer: utils.AudioBuffer,
        *,
        language: NotGivenOr[str] = NOT_GIVEN,
        conn_options: APIConnectOptions,
    ) -> stt.SpeechEvent:
        raise NotImplementedError


class Listener(Agent):
    def __init__(self, detector: EndOfTurnDetector, microphone: Microphone, finals: list[tuple[float, str]]) -> None:
        super().__init__(instructions="")
        self._detector, self._microphone, self._finals = detector, microphone, finals
        self.turns: asyncio.Queue[tuple[float, str]] = asyncio.Queue()

    async def stt_node(
        self, audio: AsyncIterable[rtc.AudioFrame], model_settings: ModelSettings
    ) -> AsyncGenerator[stt.SpeechEvent, None]:
        queue: asyncio.Queue[stt.SpeechEvent] = asyncio.Queue()
        recognising = asyncio.create_task(self._recognise(audio, queue))
        try:
            while True:
                yield await queue.get()
        finally:
            recognising.cancel()

    async def _recognise(self, audio: AsyncIterable[rtc.AudioFrame], queue: asyncio.Queue[stt.SpeechEvent]) -> None:
        finals = list(self._finals)
        async for _ in audio:
            while finals and asyncio.get_running_loop().time() >= self._microphone.started_at + finals[0][0]:
                text = finals.pop(0)[1]
                self._detector.heard(text, final=True)
                data = stt.SpeechData(LanguageCode("en"), text)
                queue.put_nowait(stt.SpeechEvent(stt.SpeechEventType.FINAL_TRANSCRIPT, alternatives=[data]))

    async def on_user_turn_completed(self, turn_ctx: llm.ChatContext, new_message: llm.ChatMessage) -> None:
        moment = asyncio.get_running_loop().time() - self._microphone.started_at
        self.turns.put_nowait((moment, new_message.text_content or ""))
        raise StopResponse


@pytest.mark.slow
@pytest.mark.parametrize("final_seconds", [0.2, 0.7])
async def test_in_a_session_a_pause_keeps_the_turn_and_its_end_is_taken_when_the_policy_says(
    final_seconds: float,
) -> None:
    speech = read_speech(GOODBYE)
    first, seconds = speech[: SAMPLE_RATE // 2], len(speech) / SAMPLE_RATE
    end = 0.3 + 0.5 + 0.7 + seconds
    microphone = Microphone(0.3, first, 0.7, speech)
    commits: list[Commit] = []
    detector = EndOfTurnDetector(EndOfTurnSettings(), on_commit=commits.append)
    listener = Listener(detector, microphone, [(1.0, "my number is"), (end + final_seconds, "never mind goodbye")])
    session: AgentSession[None] = AgentSession(
        stt=Recogniser(),
        vad=inference.VAD(min_silence_duration=0.25),
        turn_handling={
            "turn_detection": detector,
            "endpointing": {"min_delay": 0.25, "max_delay": 3.0},
            "interruption": {"mode": "vad"},
        },
        user_away_timeout=None,
    )
    session.input.audio = microphone
    await session.start(listener, session_host=False, record=False)
    try:
        async with asyncio.timeout(8):
            moment, text = await listener.turns.get()
    finally:
        await session.aclose()
    assert text == "my number is never mind goodbye"
    assert [commit.reason for commit in commits] == ["a goodbye"]
    assert 0.2 <= moment - end < final_seconds + 0.6
    assert detector.turn_text == ""
