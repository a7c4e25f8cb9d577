"""One stream of streaming speech recognition, without a socket: received audio in, Deepgram's messages out."""

from __future__ import annotations

import itertools
import math
import random
import re
from dataclasses import dataclass, field
from typing import Any

from voiceworker.lab.audio import Samples
from voiceworker.lab.emulators.delays import Delays
from voiceworker.lab.emulators.hearing import AudioClock, Bound, Ear, Expectations, Moved
from voiceworker.lab.emulators.listening import ListenOptions
from voiceworker.lab.speech import Speech

Message = dict[str, Any]

_SHORTEST_PAUSE_SECONDS = 0.1
"between words, below which the recogniser sees no end of speech, whatever `endpointing` says"
_OWN_PAUSE_SECONDS = 1.0
"after which it closes a segment by itself when `endpointing` is off"
_KNOWN_AFTER_SECONDS = 0.2
"of a longer word, it is recognised before it is complete"
_ONSET_SECONDS = 0.05
"that a recording may have before its first word"
_SPEECH_STARTED_SECONDS = 0.15
"from the onset to the message SpeechStarted"
_FILLERS = frozenset({"uh", "um", "mhm", "mhmm", "mmhmm", "mmmm", "uhuh", "uhhuh", "nuhuh", "hmm", "hm", "mm"})


@dataclass(slots=True)
class _Word:
    text: str
    started: float
    "in the stream's time, as all below"
    ended: float
    confidence: float
    speech: Speech
    begins_segment: bool
    ends_segment: bool
    "a pause follows that closes the segment, or the end of the speech"

    @property
    def known_at(self) -> float:
        return min(self.ended, self.started + _KNOWN_AFTER_SECONDS)


@dataclass(slots=True)
class _Final:
    """A final transcript that is due at a moment, if by then the audio that it needs is there."""

    words: list[_Word]
    due_at: float
    needs_seconds: float
    speech_final: bool
    from_finalize: bool = False


@dataclass(slots=True)
class Sent:
    """A message and what the log wants to know of it."""

    message: Message
    speech: str = ""
    text: str = ""
    is_final: bool = False
    speech_final: bool = False


@dataclass(slots=True)
class Transcriber:
    """Sans-IO: `receive`, `finalize` and `send_due` are told the time; `send_due` gives what has to be sent by now."""

    options: ListenOptions
    delays: Delays
    expectations: Expectations
    api_key: str
    opened_at: float
    request_id: str
    late_final_seconds: float = 0.0
    clock: AudioClock = field(init=False)
    _ear: Ear = field(init=False)
    _words: list[_Word] = field(default_factory=list)
    "that no final transcript holds yet, in order"
    _finals: list[_Final] = field(default_factory=list)
    _interims: list[float] = field(default_factory=list)
    "when they are due, in the stream's time"
    _starts: list[float] = field(default_factory=list)
    "of segments whose SpeechStarted is to come"
    _finalizing: bool = False
    _final_until: float = 0.0
    _last_word_ended: float | None = None

    def __post_init__(self) -> None:
        self.clock = AudioClock(self.options.sample_rate)
        self._ear = Ear(self.expectations, self.clock, self.api_key, self.opened_at)

    # --- what comes in ---

    def receive(self, samples: Samples, now: float) -> None:
        """int16[samples], mono, at the rate that was asked for."""
        self.clock.receive(len(samples), now)
        for bound in self._ear.hear(samples, now):
            self._bind(bound)
        for moved in self._ear.moved():
            self._move(moved)

    def finalize(self, now: float) -> None:
        """Everything heard up to here becomes final, without waiting for a pause."""
        self._schedule_finals()
        known = [word for word in self._words if word.known_at <= self.clock.seconds]
        taken = {id(word) for final in self._finals for word in final.words}
        rest = [word for word in known if id(word) not in taken]
        if rest:
            arrived = self.clock.arrival_of(min(rest[-1].ended, self.clock.seconds))
            due_at = max(now, (now if arrived is None else arrived) + self._final_delay)
            self._finals.append(_Final(rest, due_at, 0.0, speech_final=True))
        for final in self._finals:
            final.needs_seconds = 0.0
        self._finalizing = True

    @property
    def is_idle(self) -> bool:
        """Nothing is owed to the client."""
        return not self._finals and not self._finalizing

    # --- what goes out ---

    def next_due_at(self) -> float | None:
        """The next moment at which `send_due` may have something though no audio came."""
        waiting = [final.due_at for final in self._finals if final.needs_seconds <= self.clock.seconds]
        return min(waiting, default=None)

    def send_due(self, now: float) -> list[Sent]:
        heard = self.clock.seconds
        self._schedule_finals()
        out: list[Sent] = []
        while self._starts and self._starts[0] + _SPEECH_STARTED_SECONDS <= heard:
            out.append(Sent({"type": "SpeechStarted", "channel": [0], "timestamp": round(self._starts.pop(0), 3)}))
        while self._finals and self._finals[0].due_at <= now and self._finals[0].needs_seconds <= heard:
            out.append(self._send_final(self._finals.pop(0)))
        if self._finalizing and not self._finals:
            if not (out and out[-1].message.get("from_finalize")):
                out.append(self._results([], is_final=True, speech_final=True, from_finalize=True))
            self._finalizing = False
        out.extend(self._send_interims(heard))
        end = self.options.utterance_end_seconds
        ended = self._last_word_ended
        if end is not None and ended is not None and not self._words and heard >= ended + end:
            self._last_word_ended = None
            out.append(Sent({"type": "UtteranceEnd", "channel": [0, 1], "last_word_end": round(ended, 3)}))
        return out

    # --- how ---

    @property
    def _final_delay(self) -> float:
        return self.delays.final_seconds + self.late_final_seconds

    def _bind(self, bound: Bound) -> None:
        speech, offset = bound.speech, bound.started_seconds
        pause = self.options.endpointing_seconds
        pause = _OWN_PAUSE_SECONDS if pause is None else max(pause, _SHORTEST_PAUSE_SECONDS)
        chance = random.Random(f"{self.options.seed}/{speech.name}")
        words: list[_Word] = []
        for index, spoken in enumerate(speech.words):
            following = speech.words[index + 1].started_seconds if index + 1 < len(speech.words) else float("inf")
            confidence = round(chance.uniform(0.93, 0.999), 4)
            begin, end = spoken.started_seconds + offset, spoken.ended_seconds + offset
            is_last = following - spoken.ended_seconds >= pause
            begins_segment = not words or words[-1].ends_segment
            word = _Word(spoken.text, begin, end, confidence, speech, begins_segment, is_last)
            if word.started + word.ended > 0:  # less than half of it was cut off before the stream was opened
                words.append(word)
        if not words:
            return
        self._words.extend(words)
        onsets = [word.started for word in words if word.begins_segment]
        onsets[0] = max(offset, 0.0)
        if self.options.vad_events:
            self._starts.extend(onsets)
        if self.options.interim_results:
            last = words[-1].ended + self._final_delay + 1.0
            for onset, next_onset in itertools.pairwise([*onsets, last]):
                self._interims.extend(self._interims_of(onset, next_onset))

    def _move(self, moved: Moved) -> None:
        """A pause was shorter than announced: what follows it is earlier, and so is what is said of it."""
        since = moved.expected_seconds - _ONSET_SECONDS
        for word in self._words:
            if word.speech == moved.speech and word.started >= since:
                word.started += moved.by_seconds
                word.ended += moved.by_seconds
        before = [moment for moment in self._interims if moment < since + moved.by_seconds]
        after = [moment + moved.by_seconds for moment in self._interims if moment >= since]
        self._interims = before + after
        self._starts = [start + moved.by_seconds if start >= since else start for start in self._starts]

    def _interims_of(self, onset: float, until: float) -> list[float]:
        """From the onset of a segment to that of the next; in the stream's time."""
        first, step = self.delays.first_interim_seconds, self.delays.interim_every_seconds
        count = math.ceil((until - onset - first) / step)
        return [onset + first + nth * step for nth in range(count)]

    def _schedule_finals(self) -> None:
        """For each segment whose end has been received."""
        taken = {id(word) for final in self._finals for word in final.words}
        open_words = [word for word in self._words if id(word) not in taken]
        segment: list[_Word] = []
        for word in open_words:
            segment.append(word)
            if not word.ends_segment:
                continue
            arrived = self.clock.arrival_of(word.ended)
            if arrived is None:
                return
            endpointing = self.options.endpointing_seconds
            silence = _OWN_PAUSE_SECONDS if endpointing is None else endpointing
            due_at = arrived + max(self._final_delay, silence)
            speech_final = endpointing is not None
            self._finals.append(_Final(segment, due_at, word.ended + silence, speech_final))
            segment = []

    def _send_final(self, final: _Final) -> Sent:
        done = {id(word) for word in final.words}
        self._words = [word for word in self._words if id(word) not in done]
        self._last_word_ended = final.words[-1].ended
        if not self._words:
            self._interims.clear()
        last_of_finalize = self._finalizing and not self._finals
        return self._results(
            final.words, is_final=True, speech_final=final.speech_final, from_finalize=last_of_finalize
        )

    def _send_interims(self, heard: float) -> list[Sent]:
        """One at most: a burst of audio gives one, not those that it has overtaken."""
        later = [moment for moment in self._interims if moment > heard]
        if len(later) == len(self._interims):
            return []
        self._interims = later
        known = [word for word in self._words if word.known_at <= heard]
        next_word = self._words[0] if self._words else None
        if not known and next_word is not None and next_word.begins_segment:
            heard_of_it = heard - next_word.started + _ONSET_SECONDS
            if heard_of_it >= self.delays.first_interim_seconds:
                known = [next_word]  # the first interim is not empty, however early it comes
        return [self._results(known, is_final=False)] if known else []

    def _results(
        self, words: list[_Word], *, is_final: bool, speech_final: bool = False, from_finalize: bool = False
    ) -> Sent:
        spoken = [word for word in words if self.options.filler_words or _bare(word.text) not in _FILLERS]
        shown = [self._shown(word) for word in spoken]
        key = "punctuated_word" if self.options.punctuate else "word"
        text = " ".join(word[key] for word in shown)
        start, until = self._final_until, self.clock.seconds
        if is_final:
            until = words[-1].ended if words else until
            self._final_until = until
        confidence = sum(word.confidence for word in spoken) / len(spoken) if spoken else 0.0
        message = {
            "type": "Results",
            "channel_index": [0, 1],
            "start": round(start, 3),
            "duration": round(max(0.0, until - start), 3),
            "is_final": is_final,
            "speech_final": speech_final,
            "from_finalize": from_finalize,
            "channel": {"alternatives": [{"transcript": text, "confidence": round(confidence, 4), "words": shown}]},
            "metadata": {
                "request_id": self.request_id,
                "model_info": {"name": self.options.model, "version": "emulated", "arch": "nova-3"},
                "model_uuid": "00000000-0000-4000-8000-000000000000",
            },
        }
        speech = words[0].speech.name if words else ""
        return Sent(message, speech, text, is_final, speech_final)

    def _shown(self, word: _Word) -> Message:
        bare = re.sub(r"[^\w'’-]", "", word.text).lower()
        shown: Message = {
            "word": bare,
            "start": round(max(0.0, word.started), 3),
            "end": round(word.ended, 3),
            "confidence": word.confidence,
        }
        if self.options.punctuate:
            shown["punctuated_word"] = word.text
        return shown


def _bare(text: str) -> str:
    return re.sub(r"[^a-z]", "", text.lower())
