"""What an end-of-turn rule would have done on recorded speech: no network, no waiting.

The voice detector and the turn model are the real ones, on the samples of the file with a room's noise around it; the
recogniser is the words of the file at given delays. The framework's own rule and ours then decide over the same
events. The trade-off that comes out is between turns taken inside a speech (its pauses) and the delay after its end.

    python -m voiceworker.lab.turn_simulation tests/audio/turns
"""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np
import soxr
from livekit.local_inference import EOT, EOT_MAX_SAMPLES, VAD, VAD_WINDOW_SAMPLES

from voiceworker.lab.audio import SAMPLE_RATE, Samples, read_speech, room_noise
from voiceworker.lab.speech import Speech, SpokenWord
from voiceworker.lab.turn_rules import TYPICAL, WINDOW_SECONDS, Delays, Event, FrameworkRule, OurRule, Rule, taken_at
from voiceworker.policy.eagerness import Eagerness, turn_timing
from voiceworker.policy.end_of_turn import EndOfTurnSettings
from voiceworker.policy.onset import Onset

_MODEL_RATE = 16_000
_LEAD_SECONDS = 0.5
_TAIL_SECONDS = 4.0
"longer than the framework's longest wait"


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
        now = began + count * WINDOW_SECONDS
        # the durations that an event carries are those before its window
        if speech > 0 and speaking and asked:
            events.append(Event(now, "blip"))
            asked = False
        if speaking and not asked and silence >= settings.predict_seconds:
            events.append(Event(now, "hush"))
            asked = True
        if probability >= settings.activation or (speaking and probability > settings.deactivation):
            speech, silence = speech + WINDOW_SECONDS, 0.0
            if not speaking and speech >= settings.speech_seconds:
                speaking, asked = True, False
                events.append(Event(now, "sound"))
        else:
            speech, silence = 0.0, silence + WINDOW_SECONDS
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


def word_events(words: Sequence[SpokenWord], delays: Delays = TYPICAL) -> list[Event]:
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
    delays: Delays = TYPICAL,
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


def compare(traces: Sequence[Trace], delays: Delays = TYPICAL) -> list[Summary]:
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
