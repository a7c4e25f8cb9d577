"""Which announced speech a stream of received audio holds, and from which sample on."""

from __future__ import annotations

import bisect
import functools
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soxr

from voiceworker.lab.audio import SAMPLE_RATE, Samples, read_speech
from voiceworker.lab.speech import Speech

WINDOW_SECONDS = 1.5
"how long after it was sent speech may begin to arrive"
_EARLY_SECONDS = 0.05
"clocks are the same, but a frame is stamped when it has been handed over"
RATE = 8000
"of the comparison: speech has its energy there, and codecs keep its waveform"
_BEGINNING_SECONDS = 0.4
"of the speech, by which it is known"
_LATER_SECONDS = (0.25, 0.5)
"""where the pieces begin by which it is known when its beginning is not: a receiver whose buffer has run low or full
stretches or squeezes what it plays, mostly where a voice sets in, and a few times 10 ms are another waveform"""
_ENOUGH_SECONDS = 0.12
"of it must have been heard"
SURE_SECONDS = 0.3
"of it, after which less likeness will do: by then chance gives little"
_ALIKE, ALIKE_WHEN_SURE = 0.55, 0.38
"""Likeness, 0 to 1, from which it is that speech. Tried on 90 recordings through Opus at 24 kbit/s, clean, in noise as
loud as the softest of them, and under an agent's echo of tones at -6 and -12 dB: all were found, all within 10 ms of
their place, and none was taken for another's."""
_WHITENING = 0.65
"of the comparison, 0 none, 1 all: what is loud and narrow, as an echo of tones, does not decide"
_QUIET = 50
"a sample; where none is louder nobody speaks, and nothing is compared"
_STEP_SECONDS = 0.03
"of new audio, after which it is looked at again"
_PAUSE_SECONDS = 0.5
"within a speech, from which on what follows it is looked for anew: a client that sends no silence cuts it short"
_MOVED_SECONDS = 0.02
"earlier than it would be after the whole pause, it was cut short"
_REPLAYED_LATER_SECONDS = 15.0
"than it would be heard live: so long a client may take to find out that it has to send it again"
_REPLAYED_SECONDS = 0.25
"of audio beyond the time since the stream's beginning: a client sends again what another stream has heard"

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class _Piece:
    offset: int
    "in the speech, at RATE"
    samples: Floats
    "at RATE"


@dataclass(slots=True)
class Expected:
    speech: Speech
    started_at: float
    "when the caller sent its first sample"
    api_key: str | None
    pieces: tuple[_Piece, ...]
    "its beginning, and what it is known by without"
    heard_at: dict[str, float] = field(default_factory=dict)
    "by API key: when its first sample arrived there"

    def is_late(self, now: float) -> bool:
        """Speech that begins to arrive at this moment is not it."""
        return now > self.started_at + WINDOW_SECONDS

    def is_over(self, now: float) -> bool:
        """No stream can find it any more."""
        return self.is_late(now - _BEGINNING_SECONDS)

    def is_past(self, now: float) -> bool:
        """It has been said."""
        return self.is_late(now - self.speech.seconds)


class Expectations:
    """What callers have announced, for all streams."""

    def __init__(self) -> None:
        self._all: list[Expected] = []

    def add(self, speech: Speech, started_at: float, api_key: str | None = None) -> None:
        """Raises AudioError when the file cannot be read."""
        self._all.append(Expected(speech, started_at, api_key, _pieces_of(speech.path)))

    def for_stream(self, api_key: str, now: float) -> Iterator[Expected]:
        """Those with words that may be heard now, whoever has heard them already."""
        mine = (one for one in self._all if one.api_key in (None, api_key) and not one.is_past(now))
        return (one for one in mine if one.speech.words)

    def said(self, api_key: str, since: float, now: float) -> list[Expected]:
        """Those with words that began within that time, in their order: a recording made then may hold them."""
        mine = (one for one in self._all if one.api_key in (None, api_key) and one.speech.words)
        return sorted((one for one in mine if since <= one.started_at <= now), key=lambda one: one.started_at)

    def forget(self, now: float) -> None:
        """What has been said by then."""
        self._all = [one for one in self._all if not one.is_past(now)]

    def unheard(self, now: float | None = None) -> list[Speech]:
        moment = time.perf_counter() if now is None else now
        return [one.speech for one in self._all if one.speech.words and one.is_over(moment) and not one.heard_at]


@functools.lru_cache(maxsize=1024)
def _pieces_of(path: Path) -> tuple[_Piece, ...]:
    speech = read_speech(path)
    pieces = []
    for begin in (0.0, *_LATER_SECONDS):
        samples = speech[round(begin * SAMPLE_RATE) :][: round(_BEGINNING_SECONDS * SAMPLE_RATE)]
        if begin == 0 or len(samples) >= SURE_SECONDS * SAMPLE_RATE:
            comparable = np.asarray(soxr.resample(samples.astype(np.float32), SAMPLE_RATE, RATE), np.float32)
            pieces.append(_Piece(round(begin * RATE), comparable))
    return tuple(pieces)


class AudioClock:
    """When which sample of a stream arrived. A stream's own time is the number of samples received."""

    _KEPT = 20_000
    "chunks: minutes of 10 ms"

    def __init__(self, rate: int) -> None:
        self.rate = rate
        self.samples = 0
        self._ends: list[int] = []
        self._times: list[float] = []

    def receive(self, count: int, now: float) -> None:
        self.samples += count
        self._ends.append(self.samples)
        self._times.append(now)
        if len(self._ends) > self._KEPT:
            del self._ends[: self._KEPT // 2], self._times[: self._KEPT // 2]

    @property
    def seconds(self) -> float:
        return self.samples / self.rate

    def arrival_of(self, second: float) -> float | None:
        """When the audio up to `second` of the stream was there; None: not yet."""
        index = bisect.bisect_left(self._ends, second * self.rate)
        return self._times[index] if index < len(self._times) else None

    def seconds_at(self, moment: float) -> float:
        """The stream's time when the first chunk after `moment` began."""
        index = bisect.bisect_right(self._times, moment)
        return self._ends[index - 1] / self.rate if index else 0.0


@dataclass(frozen=True, slots=True)
class Bound:
    """Announced speech that was found."""

    speech: Speech
    started_seconds: float
    "its first sample, in the stream's time; negative when the stream was opened in the midst of it"


@dataclass(frozen=True, slots=True)
class Moved:
    """Of a speech that was found, what follows a pause came earlier than it was to come."""

    speech: Speech
    expected_seconds: float
    "the beginning of its first word, in the stream's time, had the pause been whole"
    by_seconds: float
    "less than 0"


@dataclass(frozen=True, slots=True)
class _Part:
    """What follows a long pause."""

    pause_began_seconds: float
    "from the beginning of the speech, as below"
    begins_seconds: float
    beginning: Floats


@dataclass(slots=True)
class _Following:
    """A speech that was found, with the parts of it that are still to come."""

    speech: Speech
    started_seconds: float
    parts: list[_Part]


class Ear:
    """Finds announced speech in one stream, by the waveform of its beginning, and again after each long pause."""

    def __init__(self, expectations: Expectations, clock: AudioClock, api_key: str, opened_at: float) -> None:
        self._expectations = expectations
        self._clock = clock
        self._api_key = api_key
        self._opened_at = opened_at
        self._resampler = soxr.ResampleStream(clock.rate, RATE, 1, dtype="float32", quality="LQ")
        self._audio = np.zeros(0, np.float32)
        self._forgotten = 0
        "samples at RATE before those in `_audio`"
        self._looked_at = 0
        self._voice_since: int | None = None
        "sample at RATE: before it nobody spoke"
        self._bound: list[Expected] = []
        self._following: list[_Following] = []
        self._moved: list[Moved] = []

    def hear(self, samples: Samples, now: float) -> list[Bound]:
        """What begins to be recognised with these samples, which the clock has counted already."""
        resampled = self._resampler.resample_chunk(samples.astype(np.float32))
        if self._voice_since is None and (loud := np.flatnonzero(np.abs(resampled) > _QUIET)).size:
            self._voice_since = self._forgotten + len(self._audio) + int(loud[0])
        self._audio = np.concatenate([self._audio, resampled])
        surplus = len(self._audio) - round((WINDOW_SECONDS + 2 * _BEGINNING_SECONDS) * RATE)
        if surplus > 0:
            self._audio = self._audio[surplus:]
            self._forgotten += surplus
        end = self._forgotten + len(self._audio)
        if end - self._looked_at < _STEP_SECONDS * RATE:
            return []
        self._looked_at = end
        found = []
        for expected in self._expectations.for_stream(self._api_key, now - _REPLAYED_LATER_SECONDS):
            if expected in self._bound:
                continue
            is_again = self._api_key in expected.heard_at and self._is_replay(now)
            started = self._found(expected) if is_again or not expected.is_over(now) else None
            if started is None and not is_again and self._has_heard_enough(end):
                started = self._resumed(expected)
            if started is not None:
                self._bound.append(expected)
                found.append(Bound(expected.speech, started))
                self._following.append(_Following(expected.speech, started, list(_parts_of(expected.speech))))
        self._following = [one for one in self._following if self._follow(one)]
        return found

    def moved(self) -> list[Moved]:
        """What has been noticed of pauses that were cut short, once."""
        noticed, self._moved = self._moved, []
        return noticed

    def _is_replay(self, now: float) -> bool:
        first_at = self._clock.arrival_of(0)
        return first_at is not None and self._clock.seconds > now - first_at + _REPLAYED_SECONDS

    def _has_heard_enough(self, end: int) -> bool:
        """Of a voice, to know that it is not the beginning of what was announced."""
        return self._voice_since is not None and end - self._voice_since >= _BEGINNING_SECONDS * RATE

    def _follow(self, following: _Following) -> bool:
        """Looks for the next part; whether there is one to look for."""
        if not following.parts:
            return False
        part = following.parts[0]
        expected = following.started_seconds + part.begins_seconds
        begin = max(0, round((following.started_seconds + part.pause_began_seconds) * RATE) - self._forgotten)
        place = _place_of(part.beginning, self._audio[begin:])
        if place is not None:
            by = (self._forgotten + begin + place) / RATE - expected
            if by < -_MOVED_SECONDS:
                self._moved.append(Moved(following.speech, expected, by))
                following.started_seconds += by
        if place is not None or self._clock.seconds > expected + _BEGINNING_SECONDS:
            following.parts.pop(0)
        return True

    def _found(self, expected: Expected) -> float | None:
        earliest = self._clock.seconds_at(expected.started_at - _EARLY_SECONDS)
        begin = max(0, round(earliest * RATE) - self._forgotten)
        place = _place_in(expected.pieces, self._audio[begin:])
        if place is None:
            return None
        started = (self._forgotten + begin + place) / RATE
        arrived_at = self._clock.arrival_of(started)
        if arrived_at is None or (expected.is_late(arrived_at) and self._api_key not in expected.heard_at):
            return None
        expected.heard_at.setdefault(self._api_key, arrived_at)
        return started

    def _resumed(self, expected: Expected) -> float | None:
        """A stream that was opened anew in the midst of the speech hears the rest of it, placed by the clock."""
        heard_at = expected.heard_at.get(self._api_key)
        if heard_at is None or not heard_at < self._opened_at < heard_at + expected.speech.seconds:
            return None
        first_at = self._clock.arrival_of(0)
        return None if first_at is None else heard_at - first_at


@functools.lru_cache(maxsize=1024)
def _parts_of(speech: Speech) -> tuple[_Part, ...]:
    samples = read_speech(speech.path)
    parts = []
    for word, following in pairwise(speech.words):
        if following.started_seconds - word.ended_seconds < _PAUSE_SECONDS:
            continue
        begin = round(following.started_seconds * SAMPLE_RATE)
        piece = samples[begin : begin + round(_BEGINNING_SECONDS * SAMPLE_RATE)]
        beginning = np.asarray(soxr.resample(piece.astype(np.float32), SAMPLE_RATE, RATE), np.float32)
        parts.append(_Part(word.ended_seconds, following.started_seconds, beginning))
    return tuple(parts)


def _place_in(pieces: tuple[_Piece, ...], audio: Floats) -> int | None:
    """Where in `audio` the speech begins, by the first of its pieces that is found; a later one when it is whole, and
    surely that one: it is tried only where the beginning was not found, and may be much like another piece."""
    for piece in pieces:
        rest = audio[piece.offset :]
        if piece.offset and len(rest) < len(piece.samples):
            return None
        place = _place_of(piece.samples, rest, _ALIKE if piece.offset else ALIKE_WHEN_SURE)
        if place is not None:
            return place
    return None


def _place_of(beginning: Floats, audio: Floats, alike_when_sure: float = ALIKE_WHEN_SURE) -> int | None:
    """Where in `audio` the beginning of the speech begins; its end may be still to come.

    A matched filter, normalised over what has been heard of the beginning at each place.
    """
    enough = min(round(_ENOUGH_SECONDS * RATE), len(beginning))
    places = len(audio) - enough + 1
    if places < 1 or float(np.abs(audio).max()) < _QUIET:
        return None
    heard_audio, known, product = correlated(audio, beginning)
    product = product[:places]
    heard = np.minimum(len(audio) - np.arange(places), len(known))
    audio_energy = np.concatenate([[0.0], np.cumsum(heard_audio**2)])
    known_energy = np.concatenate([[0.0], np.cumsum(known**2)])
    energy = (audio_energy[np.arange(places) + heard] - audio_energy[:places]) * known_energy[heard]
    likeness = product / np.sqrt(energy + 1e-9 * energy.max() + 1e-30)
    best = int(np.argmax(likeness))
    sure = heard[best] >= min(round(SURE_SECONDS * RATE), len(known))
    return best if likeness[best] >= (alike_when_sure if sure else _ALIKE) else None


def correlated(audio: Floats, speech: Floats) -> tuple[Doubles, Doubles, Doubles]:
    """Both whitened, and their correlation by the place in `audio` where the speech begins; negative places last."""
    size = 1 << (len(audio) + len(speech) - 1).bit_length()
    spectrum = np.fft.rfft(audio, size)
    loudness = np.abs(spectrum)
    weight = (loudness + 0.05 * loudness.mean()) ** -_WHITENING
    heard = np.fft.irfft(spectrum * weight, size)[: len(audio)]
    known = np.fft.irfft(np.fft.rfft(speech, size) * weight, size)[: len(speech)]
    return heard, known, np.fft.irfft(np.fft.rfft(heard, size) * np.conj(np.fft.rfft(known, size)), size)
