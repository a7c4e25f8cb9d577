"""The framework's turn detector with our own moment: it keeps the turn, policy/end_of_turn.py says when it is over.

The framework asks a detector once, 0.2 s into a silence (`predict`), and acts on the answer when it has a final
transcript. Here that future stays open until the policy commits; meanwhile the bundled model (v1-mini) is asked again
through the stream that is wrapped. To be used with an endpointing `min_delay` of the voice detector's own silence:
that adds nothing, and protects a turn that the voice detector did not hear.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable

import numpy as np
from livekit import rtc
from livekit.agents import APIConnectOptions, LanguageCode, inference
from livekit.agents.types import DEFAULT_API_CONNECT_OPTIONS
from livekit.agents.voice.turn import (
    TurnDetectionEvent,
    _StreamingTurnDetectorStream,
)

from voiceworker.policy.end_of_turn import AskModel, Commit, EndOfTurn, EndOfTurnSettings, Words, likelihood
from voiceworker.policy.onset import Onset
from voiceworker.policy.utterances import ANYTHING, Expectation, expected_answer, read_utterance
from voiceworker.runtime.tasks import Tasks

logger = logging.getLogger("voiceworker.turn")

SILENCE_BEFORE_PREDICT_SECONDS = 0.256
"the framework calls `predict` at the first window of the voice detector that begins after 0.2 s of silence, at its end"

_PREDICTION_TIMEOUT_SECONDS = 15.0
"only against a policy that never decides: the framework then takes the turn by itself"

_THRESHOLD = 0.5
"between the two answers that the framework can get from us, 0 and 1"


class EndOfTurnDetector:
    """One for each call; it serves one stream at a time, as the framework's agents hand theirs on."""

    def __init__(
        self,
        settings: EndOfTurnSettings,
        *,
        language: str = "en",
        model: inference.TurnDetector | None = None,
        on_commit: Callable[[Commit], None] = lambda _commit: None,
    ) -> None:
        """`on_commit` is called when the policy takes a turn, before the framework does."""
        self._model = model if model is not None else inference.TurnDetector(version="v1-mini")
        self._policy = EndOfTurn(settings)
        self._language = language
        self._on_commit = on_commit
        self._expected: Expectation = ANYTHING
        self._finals = ""
        self._interim = ""
        self._stream: EndOfTurnStream | None = None

    # --- what the framework asks ---

    @property
    def model(self) -> str:
        return self._model.model

    @property
    def provider(self) -> str:
        return self._model.provider

    def stream(self, *, conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS) -> EndOfTurnStream:
        self._stream = EndOfTurnStream(self, self._policy, self._model.stream(conn_options=conn_options))
        return self._stream

    # --- what the call tells ---

    def heard(self, text: str, *, final: bool) -> None:
        """A transcript that is about to be yielded to the framework; a final one ends its segment.

        `text` is that of the event, not of the whole turn: what belongs to the turn is known here, since the framework
        says when it has taken one.
        """
        if self._stream is None:
            return  # nobody asks: the framework decides by itself
        if final:
            self._finals, self._interim = f"{self._finals} {text}".strip(), ""
        else:
            self._interim = text.strip()
        self._judge()

    def agent_said(self, text: str) -> None:
        """The agent's words: their last question says what the next answer may look like."""
        self._expected = expected_answer(text, self._language)
        self._judge()

    def change(self, settings: EndOfTurnSettings, language: str) -> None:
        """Another eagerness or language, from now on."""
        self._policy.settings, self._language = settings, language
        self._judge()

    @property
    def turn_text(self) -> str:
        """What the caller has said in this turn so far."""
        return f"{self._finals} {self._interim}".strip()

    # --- the stream's side ---

    def turn_over(self) -> None:
        self._finals = self._interim = ""

    def committed(self, commit: Commit) -> None:
        logger.debug("end of turn after %.2f s: %s (%s)", commit.waited_seconds, commit.reason, commit.likelihood)
        self._on_commit(commit)

    async def likelihood(self, probability: float, silence_seconds: float) -> float:
        """What the model's probability means in this language, so far into a silence."""
        threshold = await self._model.unlikely_threshold(LanguageCode(self._language))
        return likelihood(probability, threshold or _THRESHOLD, silence_seconds)

    def _judge(self) -> None:
        if self._stream is None or not self.turn_text:
            return
        seen = read_utterance(self.turn_text, self._language, self._expected)
        words = Words(
            seen.completeness,
            seen.reason,
            final=not self._interim,
            any_final=bool(self._finals),
            in_groups=seen.in_groups,
        )
        self._policy.words_heard(_now(), words)
        self._stream.drive()


class EndOfTurnStream:
    """The framework's side of one detector, around the stream of the bundled model."""

    def __init__(self, detector: EndOfTurnDetector, policy: EndOfTurn, inner: _StreamingTurnDetectorStream) -> None:
        self._detector = detector
        self._policy = policy
        self._inner = inner
        self._answer: asyncio.Future[TurnDetectionEvent] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._silences = 0
        "counts the calls of `predict`: an answer of the model belongs to one of them"
        self._silent_since = 0.0
        self._onset = Onset()
        self._tasks = Tasks()

    @property
    def model(self) -> str:
        return self._inner.model

    @property
    def provider(self) -> str:
        return self._inner.provider

    @property
    def is_fallback(self) -> bool:
        return self._inner.is_fallback

    @property
    def prediction_timeout(self) -> float:
        return _PREDICTION_TIMEOUT_SECONDS

    async def unlikely_threshold(self, language: LanguageCode | None) -> float | None:
        return _THRESHOLD

    async def backchannel_threshold(self, language: LanguageCode | None) -> float | None:
        return await self._inner.backchannel_threshold(language)

    async def supports_language(self, language: LanguageCode | None) -> bool:
        return True  # without a verdict of the model the words and the silence decide

    # --- one silence ---

    def predict(self) -> asyncio.Future[TurnDetectionEvent]:
        """The caller has been silent for 0.2 s; the future is done when the turn is over."""
        self._drop()
        now = _now()
        self._silences += 1
        answer = self._answer = asyncio.get_running_loop().create_future()
        self._silent_since = now - SILENCE_BEFORE_PREDICT_SECONDS
        self._policy.silence_started(now, began_at=self._silent_since)
        self._onset.silence_began()
        self.drive()
        return answer

    def cancel_inference(self, *, timed_out: bool = False) -> None:
        """The caller goes on, or the framework has stopped waiting."""
        self._policy.speech_resumed(_now())
        self._onset.silence_ended()
        self._inner.cancel_inference(timed_out=timed_out)
        self._drop()

    def flush(self, reason: str | None = None) -> None:
        """The turn was taken, or dropped."""
        self._policy.turn_over(_now())
        self._onset.silence_ended()
        self._detector.turn_over()
        self._inner.flush(reason)
        self._drop()

    def drive(self) -> None:
        """Does what the policy says is due, and looks again when it says so."""
        self._stop_timer()
        if self._answer is None or self._answer.done():
            return
        for command in self._policy.due(_now()):
            match command:
                case AskModel():
                    self._tasks.spawn(self._ask(self._silences), "turn model")
                case Commit():
                    self._detector.committed(command)
                    self._resolve(1.0)
        deadline = self._policy.deadline()
        if deadline is not None:
            self._timer = asyncio.get_running_loop().call_later(deadline - _now(), self.drive)

    async def _ask(self, silence: int) -> None:
        silent_seconds = _now() - self._silent_since
        event = await self._inner.predict()
        if event.inference_duration is None or silence != self._silences:
            return  # not the model's own answer, or one about another silence
        likely = await self._detector.likelihood(event.end_of_turn_probability, silent_seconds)
        self._policy.scored(_now(), likely)
        self.drive()

    def _drop(self) -> None:
        self._stop_timer()
        self._resolve(0.0)  # as the framework's own streams do
        self._answer = None

    def _resolve(self, probability: float) -> None:
        if self._answer is not None and not self._answer.done():
            # wall-clock time: the framework's own clock for turns
            self._answer.set_result(TurnDetectionEvent("eot_prediction", probability, time.time()))

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    # --- audio and the end ---

    def push_audio(self, frame: rtc.AudioFrame) -> None:
        self._inner.push_audio(frame)
        if self._onset.hear(np.frombuffer(frame.data, np.int16), frame.sample_rate * frame.num_channels):
            self._policy.sound_suspected(_now())

    def end_input(self) -> None:
        self._inner.end_input()

    async def aclose(self) -> None:
        self._drop()
        await self._tasks.aclose()
        await self._inner.aclose()


def _now() -> float:
    return asyncio.get_running_loop().time()
