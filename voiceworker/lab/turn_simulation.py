"""What an end-of-turn rule would have done on recorded speech: no network, no waiting.

The voice detector and the turn model are the real ones, on the samples of the file with a room's noise around it; the
recogniser is the words of the file at given delays. The framework's own rule and ours then decide over the same
events. The trade-off that comes out is between turns taken inside a speech (its pauses) and the delay after its end.

    python -m voiceworker.lab.turn_simulation tests/audio/turns
"""

from __future__ import annotations

import heapq
import itertools
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
import soxr
from livekit.local_inference import EOT, EOT_MAX_SAMPLES, VAD, VAD_WINDOW_SAMPLES

from voiceworker.lab.audio import SAMPLE_RATE, Samples, read_speech, room_noise
from voiceworker.lab.speech import Speech, SpokenWord
from voiceworker.policy.eagerness import Eagerness, turn_timing
from voiceworker.policy.end_of_turn import AskModel, Commit, EndOfTurn, EndOfTurnSettings, Words, likelihood
from voiceworker.policy.onset import Onset
from voiceworker.policy.utterances import ANYTHING, Expectation, read_utterance

_MODEL_RATE = 16_000
_WINDOW_SECONDS = VAD_WINDOW_SAMPLES / _MODEL_RATE
_LEAD_SECONDS = 0.5
_TAIL_SECONDS = 4.0
"longer than the framework's longest wait"

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


@dataclass(frozen=True, slots=True)
class VoiceSettings:
    """Of `inference.VAD`; its defaults."""

    activation: float = 0.5
    deactivation: float = 0.35
    speech_seconds: float = 0.05
    silence_seconds: float = 0.25
    predict_seconds: float = 0.2
    "silence at which the framework asks the model"


@dataclass(frozen=True, slots=True)
class Trace:
    """One speech, ready to be judged. All times from its first sample."""

    speech: Speech
    probabilities: tuple[float, ...]
    "of voice, one for each window of 32 ms, beginning `_LEAD_SECONDS` before the speech"
    score: Callable[[float], float]
    "the model's probability at a moment"
    samples: Samples
    "24 kHz, beginning `_LEAD_SECONDS` before the speech"

    @property
    def pauses(self) -> list[tuple[float, float]]:
        """Silences between words, from 0.25 s: begin and end."""
        pairs = itertools.pairwise(self.speech.words)
        gaps = [(before.ended_seconds, after.started_seconds) for before, after in pairs]
        return [gap for gap in gaps if gap[1] - gap[0] >= 0.25]


# --- what is heard: pure ---


def voice_events(
    probabilities: Sequence[float], settings: VoiceSettings = VoiceSettings(), *, began: float = 0.0
) -> list[Event]:
    """What the framework hears from the voice detector, window by window as `inference.VAD` counts."""
    events: list[Event] = []
    speaking = asked = False
    speech = silence = 0.0
    for count, probability in enumerate(probabilities, start=1):
        now = began + count * _WINDOW_SECONDS
        # the durations that an event carries are those before its window
        if speech > 0 and speaking and asked:
            events.append(Event(now, "blip"))
            asked = False
        if speaking and not asked and silence >= settings.predict_seconds:
            events.append(Event(now, "hush"))
            asked = True
        if probability >= settings.activation or (speaking and probability > settings.deactivation):
            speech, silence = speech + _WINDOW_SECONDS, 0.0
            if not speaking and speech >= settings.speech_seconds:
                speaking, asked = True, False
                events.append(Event(now, "sound"))
        else:
            speech, silence = 0.0, silence + _WINDOW_SECONDS
            if speaking and silence >= settings.silence_seconds:
                speaking = False
                events.append(Event(now, "end"))
    return events


def noise_events(samples: Samples, voice: Iterable[Event], *, began: float = 0.0) -> list[Event]:
    """The frames of 20 ms in which something begins to sound in a silence; `voice` are the detector's events."""
    events: list[Event] = []
    pending, onset, size = sorted(voice, key=lambda event: event.at), Onset(), SAMPLE_RATE // 50
    for start in range(0, len(samples) - size + 1, size):
        now = began + (start + size) / SAMPLE_RATE
        while pending and pending[0].at <= now:
            match pending.pop(0).kind:
                case "hush":
                    onset.silence_began()
                case "sound" | "blip":
                    onset.silence_ended()
        if onset.hear(samples[start : start + size], SAMPLE_RATE):
            events.append(Event(now, "noise"))
    return events


def word_events(words: Sequence[SpokenWord], delays: Delays = Delays()) -> list[Event]:
    """What a streaming recogniser says of these words, and when."""
    events: list[Event] = []
    for segment in _segments(words, delays.shortest_pause_seconds):
        began, ended = segment[0].started_seconds, segment[-1].ended_seconds
        moment = began + delays.first_interim_seconds
        while moment < ended + delays.final_seconds:
            known = [
                w.text for w in segment if min(w.ended_seconds, w.started_seconds + delays.word_known_seconds) <= moment
            ]
            if known:
                events.append(Event(moment, "words", " ".join(known)))
            moment += delays.interim_every_seconds
        events.append(Event(ended + delays.final_seconds, "final", " ".join(word.text for word in segment)))
    return events


def _segments(words: Sequence[SpokenWord], pause: float) -> list[list[SpokenWord]]:
    segments: list[list[SpokenWord]] = []
    for word in words:
        if segments and word.started_seconds - segments[-1][-1].ended_seconds < pause:
            segments[-1].append(word)
        else:
            segments.append([word])
    return segments


# --- who decides ---


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
    delays: Delays = Delays()
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
    delays: Delays = Delays()
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
    return float(np.ceil(seconds / _WINDOW_SECONDS)) * _WINDOW_SECONDS


# --- what comes of it: pure ---


@dataclass(frozen=True, slots=True)
class Outcome:
    speech: str
    pauses: int
    cut_pauses: int
    "in which the turn was taken"
    end_delay: float | None
    "from the last sample of the speech; None when nobody took the turn in time"


def outcome(trace: Trace, moments: Sequence[float]) -> Outcome:
    end = trace.speech.seconds
    # a voice is known to be back about 0.1 s after its onset: until then the turn can still be taken
    cut = sum(any(begin < at < back + 0.1 for at in moments) for begin, back in trace.pauses)
    after = [at - end for at in moments if at >= end]
    return Outcome(trace.speech.name, len(trace.pauses), cut, after[0] if after else None)


@dataclass(frozen=True, slots=True)
class Summary:
    rule: str
    speeches: int
    pauses: int
    cut_pauses: float
    "share of the pauses in which the turn was taken"
    cut_speeches: float
    "share of the speeches with pauses in which it was taken at least once"
    delays: tuple[float, float, float, float]
    "after the end: p50, p90, p95, longest"
    unanswered: int


def summary(rule: str, outcomes: Sequence[Outcome]) -> Summary:
    paused = [one for one in outcomes if one.pauses]
    pauses = sum(one.pauses for one in paused)
    delays = [one.end_delay for one in outcomes if one.end_delay is not None]
    p50, p90, p95, longest = np.percentile(delays or [float("nan")], [50, 90, 95, 100])
    return Summary(
        rule,
        len(outcomes),
        pauses,
        sum(one.cut_pauses for one in paused) / max(1, pauses),
        sum(one.cut_pauses > 0 for one in paused) / max(1, len(paused)),
        (float(p50), float(p90), float(p95), float(longest)),
        len(outcomes) - len(delays),
    )


# --- the real detector and the real model ---


def trace(speech: Speech) -> Trace:
    """Runs the voice detector over the file, and makes the model ready to be asked."""
    heard = _in_a_room(read_speech(speech.path))
    samples = _at_model_rate(heard)
    detector = VAD()
    windows = (samples[start : start + VAD_WINDOW_SAMPLES] for start in range(0, len(samples), VAD_WINDOW_SAMPLES))
    probabilities = tuple(float(detector.predict(w)) for w in windows if len(w) == VAD_WINDOW_SAMPLES)
    model = EOT()

    @cache
    def score(at: float) -> float:
        end = round((at + _LEAD_SECONDS) * _MODEL_RATE)
        return float(model.predict(np.ascontiguousarray(samples[max(0, end - EOT_MAX_SAMPLES) : end])))

    return Trace(speech, probabilities, score, heard)


def _in_a_room(samples: Samples) -> Samples:
    """With noise before, under and after the speech."""
    lead, tail = (np.zeros(int(seconds * SAMPLE_RATE), np.int16) for seconds in (_LEAD_SECONDS, _TAIL_SECONDS))
    whole = np.concatenate([lead, samples, tail]).astype(np.int32)
    return np.clip(whole + np.resize(room_noise(), len(whole)), -32768, 32767).astype(np.int16)


def _at_model_rate(samples: Samples) -> Samples:
    resampled: Samples = np.round(soxr.resample(samples / 32768, SAMPLE_RATE, _MODEL_RATE) * 32767).astype(np.int16)
    return resampled


def judge(
    traces: Iterable[Trace],
    name: str,
    make: Callable[[Trace], Rule],
    voice: VoiceSettings = VoiceSettings(),
    delays: Delays = Delays(),
) -> Summary:
    outcomes = []
    for one in traces:
        heard = voice_events(one.probabilities, voice, began=-_LEAD_SECONDS)
        noises = noise_events(one.samples, heard, began=-_LEAD_SECONDS)
        events = [*heard, *noises, *word_events(one.speech.words, delays)]
        moments = taken_at(events, make(one), one.speech.seconds + _TAIL_SECONDS)
        outcomes.append(outcome(one, moments))
    return summary(name, outcomes)


def table(summaries: Iterable[Summary]) -> str:
    """As Markdown; delays in ms."""
    lines = [
        "| rule | pauses taken | speeches cut | delay p50 | p90 | p95 | longest | unanswered |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for one in summaries:
        delays = " | ".join(f"{delay * 1000:.0f}" for delay in one.delays)
        cut = f"{one.cut_pauses:.1%} of {one.pauses} | {one.cut_speeches:.1%}"
        lines.append(f"| {one.rule} | {cut} | {delays} | {one.unanswered} |")
    return "\n".join(lines)


_EAGERNESSES: tuple[Eagerness, ...] = ("patient", "balanced", "eager")


def compare(traces: Sequence[Trace], delays: Delays = Delays()) -> list[Summary]:
    """The framework's rule and ours; each eagerness, and ours without the model and without the words."""
    summaries = [judge(traces, "framework, model", lambda t: FrameworkRule(t.score, delays=delays), delays=delays)]
    for name, threshold in (("framework, VAD only", 0.0), ("framework, always its maximum", 2.0)):
        stock = lambda t, limit=threshold: FrameworkRule(t.score, threshold=limit, delays=delays)  # noqa: E731
        summaries.append(judge(traces, name, stock, delays=delays))
    for eagerness in _EAGERNESSES:
        settings = EndOfTurnSettings().paced(turn_timing(eagerness).pace)
        ours = lambda t, chosen=settings: OurRule(t.score, chosen, delays=delays)  # noqa: E731
        summaries.append(judge(traces, f"ours, {eagerness}", ours, delays=delays))
    once = replace(EndOfTurnSettings(), ask_after_seconds=(0.2,))
    never = replace(EndOfTurnSettings(), ask_after_seconds=())
    summaries.append(
        judge(traces, "ours, model asked once", lambda t: OurRule(t.score, once, delays=delays), delays=delays)
    )
    summaries.append(
        judge(traces, "ours, without the model", lambda t: OurRule(t.score, never, delays=delays), delays=delays)
    )
    return summaries


def main(directories: Sequence[str]) -> None:
    from voiceworker.lab.material import load_material  # large, and not needed by the rest

    traces = [trace(one) for path in directories for one in load_material(Path(path)).of_kind("turn")]
    sys.stdout.write(table(compare(traces)) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
