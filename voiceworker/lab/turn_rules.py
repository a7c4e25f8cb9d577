"""Two rules for the end of a turn, driven by the same events: the framework's own and ours. Pure; no waiting."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from math import ceil
from typing import Literal, Protocol

from voiceworker.policy.end_of_turn import AskModel, Commit, EndOfTurn, EndOfTurnSettings, Words, likelihood
from voiceworker.policy.utterances import ANYTHING, Expectation, read_utterance

WINDOW_SECONDS = 0.032
"of the voice detector"

EventKind = Literal["sound", "blip", "hush", "end", "noise", "words", "final"]
"""Of the voice detector: sound = START_OF_SPEECH, blip = one loud window in a silence, hush = the framework calls
`predict`, end = END_OF_SPEECH; noise = a frame in a silence is loud. Of the recogniser: words = interim, final."""


@dataclass(frozen=True, slots=True)
class Event:
    at: float
    kind: EventKind
    text: str = ""
    "of words and final: of the segment"


@dataclass(frozen=True, slots=True)
class Delays:
    """The recogniser and the model, as fixed for the benches."""

    first_interim_seconds: float = 0.3
    interim_every_seconds: float = 0.2
    final_seconds: float = 0.2
    shortest_pause_seconds: float = 0.1
    "between words, from which the recogniser closes a segment"
    word_known_seconds: float = 0.2
    "of a longer word, it is recognised before it is complete"
    verdict_seconds: float = 0.05
    "from the question to the model's answer"


TYPICAL = Delays()


class Rule(Protocol):
    def tell(self, event: Event) -> None: ...

    def deadline(self) -> float | None:
        """When `due` has to be asked next."""
        ...

    def due(self, now: float) -> bool:
        """Whether the turn is taken now; the rule then forgets it."""
        ...


@dataclass
class FrameworkRule:
    """livekit-agents 1.8.9 with a streaming detector: asked once, `minimum` after a likely end, else `maximum`."""

    score: Callable[[float], float]
    minimum_seconds: float = 0.3
    maximum_seconds: float = 2.5
    threshold: float = 0.36
    delays: Delays = TYPICAL
    vad_silence_seconds: float = 0.25
    _text: str = field(default="", init=False)
    _speaking: bool = field(default=False, init=False)
    _verdict: tuple[float, float] | None = field(default=None, init=False)
    "when it is there, and the probability"
    _silent_since: float = field(default=0.0, init=False)
    _commit_at: float | None = field(default=None, init=False)

    def tell(self, event: Event) -> None:
        match event.kind:
            case "sound":
                self._speaking, self._verdict, self._commit_at = True, None, None
            case "blip":
                self._verdict = None
            case "hush":
                self._verdict = (event.at + self.delays.verdict_seconds, self.score(event.at))
            case "end":
                self._speaking = False
                self._silent_since = event.at - _whole_windows(self.vad_silence_seconds)
                self._run(event.at)
            case "final":
                self._text = f"{self._text} {event.text}".strip()
                self._run(event.at)
            case "words" | "noise":
                pass

    def _run(self, now: float) -> None:
        if self._speaking or not self._text:
            return
        known_at, probability = self._verdict if self._verdict is not None else (now, 1.0)
        delay = self.minimum_seconds if probability >= self.threshold else self.maximum_seconds
        self._commit_at = max(now, known_at, self._silent_since + delay)

    def deadline(self) -> float | None:
        return self._commit_at

    def due(self, now: float) -> bool:
        if self._commit_at is None or now < self._commit_at:
            return False
        self._text, self._verdict, self._commit_at = "", None, None
        return True


@dataclass
class OurRule:
    """policy/end_of_turn.py, driven as runtime/turn_detector.py does."""

    score: Callable[[float], float]
    settings: EndOfTurnSettings
    language: str = "en"
    expected: Expectation = ANYTHING
    threshold: float = 0.36
    delays: Delays = TYPICAL
    _finals: str = field(default="", init=False)
    _interim: str = field(default="", init=False)
    _speaking: bool = field(default=False, init=False)
    _answers: list[tuple[float, float]] = field(default_factory=list, init=False)
    _silent_since: float = field(default=0.0, init=False)
    _committed: bool = field(default=False, init=False)
    asked: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        self._policy = EndOfTurn(self.settings)

    def tell(self, event: Event) -> None:
        match event.kind:
            case "sound" | "blip":
                self._speaking = self._speaking or event.kind == "sound"
                self._answers, self._committed = [], False
                self._policy.speech_resumed(event.at)
            case "hush":
                self._silent_since = event.at - _whole_windows(0.25)
                self._policy.silence_started(event.at, began_at=self._silent_since)
            case "end":
                self._speaking = False
            case "noise":
                self._policy.sound_suspected(event.at)
            case "words":
                self._interim = event.text
                self._judge(event.at)
            case "final":
                self._finals, self._interim = f"{self._finals} {event.text}".strip(), ""
                self._judge(event.at)

    def _judge(self, now: float) -> None:
        seen = read_utterance(f"{self._finals} {self._interim}", self.language, self.expected)
        words = Words(
            seen.completeness,
            seen.reason,
            final=not self._interim,
            any_final=bool(self._finals),
            in_groups=seen.in_groups,
        )
        self._policy.words_heard(now, words)

    def deadline(self) -> float | None:
        if self._committed:
            return None
        moments = [at for at, _ in self._answers[:1]]
        deadline = self._policy.deadline()
        return min([*moments, deadline]) if deadline is not None else min(moments, default=None)

    def due(self, now: float) -> bool:
        while self._answers and self._answers[0][0] <= now:
            self._policy.scored(now, self._answers.pop(0)[1])
        for command in self._policy.due(now):
            match command:
                case AskModel():
                    self.asked += 1
                    likely = likelihood(self.score(now), self.threshold, now - self._silent_since)
                    self._answers.append((now + self.delays.verdict_seconds, likely))
                case Commit():
                    self._committed = True
        if not self._committed or self._speaking:
            return False
        self._finals = self._interim = ""
        self._answers, self._committed = [], False
        self._policy.turn_over(now)
        return True


def taken_at(events: Iterable[Event], rule: Rule, until: float) -> list[float]:
    """The moments at which the rule takes a turn."""
    moments: list[float] = []
    for event in heapq.merge(sorted(events, key=lambda event: event.at), [Event(until, "blip")], key=lambda e: e.at):
        while (deadline := rule.deadline()) is not None and deadline < event.at:
            if rule.due(deadline):
                moments.append(deadline)
        if event.at >= until:
            break
        rule.tell(event)
        if rule.due(event.at):
            moments.append(event.at)
    return moments


def _whole_windows(seconds: float) -> float:
    return ceil(seconds / WINDOW_SECONDS) * WINDOW_SECONDS
