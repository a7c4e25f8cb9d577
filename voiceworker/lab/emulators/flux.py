"""One stream of Deepgram's Flux, without a socket: received audio in, the messages of its state machine out.

What holds (developers.deepgram.com/docs/flux/state): an Update for every quarter of a second or so of audio, unless the
state changes; an EagerEndOfTurn has words; only it can be followed by TurnResumed, and EndOfTurn repeats its text; the
turn's index grows after each EndOfTurn.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Any

from voiceworker.lab.audio import Samples
from voiceworker.lab.emulators.delays import Delays
from voiceworker.lab.emulators.hearing import AudioClock, Bound, Ear, Expectations
from voiceworker.lab.emulators.listening import FluxOptions
from voiceworker.lab.emulators.transcribing import Message, Sent
from voiceworker.lab.speech import Speech

_USUAL_THRESHOLD = 0.7
"of the end of a turn: it is passed `final_seconds` after the end of the speech, a lower one sooner"
_SHORTEST_PAUSE_SECONDS = 0.1
_KNOWN_AFTER_SECONDS = 0.2
"of a longer word, it is recognised before it is complete"
_SURE, _UNSURE = (0.92, 0.98), (0.25, 0.62)
"how confident it becomes that the turn has ended: at the end of the speech, and in a pause amid it"


@dataclass(slots=True)
class _Word:
    text: str
    started: float
    "in the stream's time, as all below"
    ended: float
    confidence: float
    speech: Speech
    peak: float
    "the confidence that silence after it ends the turn comes no higher than this"

    @property
    def known_at(self) -> float:
        return min(self.ended, self.started + _KNOWN_AFTER_SECONDS)


@dataclass(frozen=True, slots=True)
class _End:
    """Of the turn that is open."""

    words: list[_Word]
    at: float
    "in the stream's time"
    due_at: float | None
    "None: the audio up to its last word is not there yet"
    trigger: str


@dataclass(slots=True)
class FluxTranscriber:
    """Sans-IO: it is told the time; `send_due` gives what has to be sent by now."""

    options: FluxOptions
    delays: Delays
    expectations: Expectations
    api_key: str
    opened_at: float
    request_id: str
    late_final_seconds: float = 0.0
    clock: AudioClock = field(init=False)
    _ear: Ear = field(init=False)
    _words: list[_Word] = field(default_factory=list)
    "of this turn and of those that follow, in order"
    _now: float = 0.0
    "in the stream's time: what comes later has not been looked at"
    _turn: int = 0
    _turn_began: float = 0.0
    _is_open: bool = False
    "StartOfTurn was sent, EndOfTurn not"
    _eager: list[_Word] | None = None
    "the words of the EagerEndOfTurn that awaits its end"
    _next_update: float = 0.0
    _sequence: int = 0
    _out: list[Sent] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.clock = AudioClock(self.options.sample_rate)
        self._ear = Ear(self.expectations, self.clock, self.api_key, self.opened_at)
        self._next_update = self.delays.interim_every_seconds
        self._say({"type": "Connected"})

    # --- what comes in ---

    def receive(self, samples: Samples, data: bytes, now: float) -> None:
        """int16[samples], mono, at the rate that was asked for."""
        self.clock.receive(len(samples), now)
        for bound in self._ear.hear(samples, now):
            self._bind(bound)

    def obey(self, order: Message, now: float) -> None:
        if order["type"] in ("ForceEndTurn", "CloseStream"):
            self._force_end_turn()
        elif order["type"] == "Configure":
            self._configure(order)

    def _force_end_turn(self) -> None:
        """What is known by now is the turn."""
        known = self._known(self.clock.seconds)
        if known:
            self._now = max(self._now, self.clock.seconds)
            self._end_turn(_End(known, self._now, None, "manual"))

    def _configure(self, order: Message) -> None:
        """Changes what the message holds; a value out of its range changes nothing."""
        try:
            self.options = self.options.changed(order)
        except ValueError as error:
            self._say({"type": "ConfigureFailure", "code": "INVALID_CONFIGURATION", "description": str(error)})
            return
        self._say({"type": "ConfigureSuccess", **self.options.as_configured()})

    # --- what goes out ---

    @property
    def is_idle(self) -> bool:
        return not self._known(self.clock.seconds)

    def next_due_at(self) -> float | None:
        end = self._next_end()
        return end.due_at if end is not None and end.at <= self.clock.seconds else None

    def send_due(self, now: float) -> list[Sent]:
        heard = self.clock.seconds
        while (end := self._next_end()) is not None and end.at <= heard and end.due_at is not None:
            self._look_at(end.at)
            if now < end.due_at:
                break
            self._end_turn(end)
        else:
            self._look_at(heard)
        out, self._out = self._out, []
        return out

    # --- how ---

    @property
    def _final_seconds(self) -> float:
        return max(self.delays.final_seconds + self.late_final_seconds, 1e-6)

    def _silence_for(self, threshold: float) -> float:
        """How much silence brings the confidence there, if it can come so high."""
        return threshold / _USUAL_THRESHOLD * self._final_seconds

    def _bind(self, bound: Bound) -> None:
        speech, offset = bound.speech, bound.started_seconds
        chance = random.Random(f"{self.options.seed}/{speech.name}")
        for index, spoken in enumerate(speech.words):
            is_last = index + 1 == len(speech.words)
            pause = 0.0 if is_last else speech.words[index + 1].started_seconds - spoken.ended_seconds
            confidence = round(chance.uniform(0.93, 0.999), 4)
            peak = chance.uniform(*(_SURE if is_last else _UNSURE))
            if not is_last and pause < _SHORTEST_PAUSE_SECONDS:
                peak = 0.1
            begin, end = spoken.started_seconds + offset, spoken.ended_seconds + offset
            if begin + end > 0:  # less than half of it was cut off before the stream was opened
                self._words.append(_Word(spoken.text, begin, end, confidence, speech, round(peak, 4)))

    def _known(self, until: float) -> list[_Word]:
        return [word for word in self._words if word.known_at <= until]

    def _next_end(self) -> _End | None:
        """Where the open turn will end, so far as the words that were found tell."""
        for index, word in enumerate(self._words):
            following = self._words[index + 1].started if index + 1 < len(self._words) else float("inf")
            by_model = word.peak >= self.options.eot_threshold
            silence = self._silence_for(self.options.eot_threshold) if by_model else float("inf")
            silence = min(silence, self.options.eot_timeout_seconds)
            if word.ended + silence > following:
                continue
            arrived = self.clock.arrival_of(word.ended)
            due_at = None if arrived is None else arrived + silence
            trigger = "model" if silence < self.options.eot_timeout_seconds else "timeout"
            return _End(self._words[: index + 1], word.ended + silence, due_at, trigger)
        return None

    def _look_at(self, until: float) -> None:
        """The audio up to there: at most one message, for a burst of audio gives none that it has overtaken."""
        self._now = max(self._now, until)
        known = self._known(self._now)
        if not self._is_open:
            if not self._words or self._now < max(self._words[0].started, 0.0) + self.delays.first_interim_seconds:
                self._update([])
            else:
                self._start_turn(known or self._words[:1])
            return
        known = known or self._words[:1]
        if self._eager is not None:
            if len(known) > len(self._eager):
                self._eager = None
                self._tell("TurnResumed", known)
            return
        if self._is_eager(known):
            self._eager = known
            self._tell("EagerEndOfTurn", known)
        else:
            self._update(known)

    def _is_eager(self, known: list[_Word]) -> bool:
        threshold = self.options.eager_eot_threshold
        return threshold is not None and self._confidence(known) >= threshold

    def _confidence(self, known: list[_Word]) -> float:
        """That the turn has ended with these words."""
        last = known[-1]
        goes_on = any(last.ended <= word.started < self._now for word in self._words)
        if goes_on or self._now <= last.ended:
            return 0.02
        passed = _USUAL_THRESHOLD * (self._now - last.ended) / self._final_seconds
        return round(min(last.peak, max(passed, 0.02)), 4)

    def _start_turn(self, words: list[_Word]) -> None:
        self._is_open = True
        self._tell("StartOfTurn", words)

    def _end_turn(self, end: _End) -> None:
        if not self._is_open:
            self._start_turn(end.words)
        if self._eager is not None and len(self._eager) != len(end.words):
            self._eager = None
            self._tell("TurnResumed", end.words)
        if self._eager is None and self._is_eager(end.words):
            self._tell("EagerEndOfTurn", end.words)
        self._tell("EndOfTurn", end.words, trigger=end.trigger)
        self._words = self._words[len(end.words) :]
        self._is_open, self._eager, self._turn, self._turn_began = False, None, self._turn + 1, self._now

    def _update(self, words: list[_Word]) -> None:
        if self._now >= self._next_update:
            self._tell("Update", words)

    def _tell(self, event: str, words: list[_Word], **more: Any) -> None:
        self._next_update = self._now + self.delays.interim_every_seconds
        text = " ".join(word.text for word in words)
        message = {
            "type": "TurnInfo",
            "event": event,
            "turn_index": self._turn,
            "audio_window_start": round(self._turn_began, 3),
            "audio_window_end": round(self._now, 3),
            "transcript": text,
            "words": [_shown(word) for word in words],
            "end_of_turn_confidence": self._confidence(words) if words else 0.0,
        } | more
        if self.options.language_hints:
            message["languages_hinted"] = list(self.options.language_hints)
        if self.options.model == "flux-general-multi" and words:
            message["languages"] = ["en"]
        is_final = event == "EndOfTurn"
        self._say(message, words[0].speech.name if words else "", text, is_final=is_final)

    def _say(self, message: Message, speech: str = "", text: str = "", *, is_final: bool = False) -> None:
        head = {"type": message["type"], "request_id": self.request_id, "sequence_id": self._sequence}
        self._sequence += 1
        self._out.append(Sent(head | message, speech, text, is_final, speech_final=is_final))

    def farewell(self) -> None:
        return None

    def error(self, status: int) -> Message:
        description = f"The service failed ({status})."
        return {
            "type": "Error",
            "sequence_id": self._sequence,
            "code": "INTERNAL_SERVER_ERROR",
            "description": description,
        }


def _shown(word: _Word) -> Message:
    return {
        "word": word.text,
        "confidence": word.confidence,
        "start": round(max(0.0, word.started), 3),
        "end": round(word.ended, 3),
    }
