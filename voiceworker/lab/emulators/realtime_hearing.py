"""The input of an emulated realtime session: its audio buffer, its voice detector, and the words that it hears."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import soxr

from voiceworker.lab.audio import SAMPLE_RATE, Samples, read_speech
from voiceworker.lab.emulators.hearing import Expectations, Expected

RATE = 24000
"the one rate of audio/pcm"
_LOUD = 250.0
"root mean square of a frame from which it is a voice"
_FRAME = RATE // 50
_ONSET_FRAMES = 4
"of voice, with which speech has started"
_COMPARED_RATE = 8000
_WHITENING = 0.65
_ALIKE = 0.45
"likeness, 0 to 1, of a piece of a speech with what was heard"
_PIECE_SECONDS = 0.3
_SHORTEST_COMMIT_SECONDS = 0.1
_SENT_AGAIN_SECONDS = 30.0
"after it was said, speech may come once more: another connection was lost"

_Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class SpeechStarted:
    at_seconds: float
    "of the session's audio, padding included"


@dataclass(frozen=True, slots=True)
class SpeechStopped:
    at_seconds: float


@dataclass(frozen=True, slots=True)
class Committed:
    text: str
    "the true words"
    speech: str
    "the name of the first `Speech` in it"
    seconds: float


class InputBuffer:
    """Sans-IO. Without turn detection it only collects, until it is committed or cleared."""

    def __init__(self, expectations: Expectations, api_key: str) -> None:
        self.turn_detection: dict[str, Any] | None = None
        self._expectations = expectations
        self._api_key = api_key
        self._candidates: list[Expected] = []
        "announced speech that may be in the buffer, or in what is committed later"
        self._heard: deque[Expected] = deque(maxlen=20)
        "announced speech that was heard to its end"
        self._audio = np.zeros(0, np.int16)
        self._dropped = 0
        "samples of the session ahead of those in the buffer"
        self._judged = 0
        "samples of the buffer that the voice detector has seen"
        self._voiced_frames = 0
        self._quiet_frames = 0
        self._is_speaking = False

    @property
    def seconds(self) -> float:
        return len(self._audio) / RATE

    def append(self, samples: Samples, now: float) -> list[SpeechStarted | SpeechStopped]:
        """What the voice detector makes of it; a SpeechStopped wants a commit."""
        for expected in self._expectations.for_stream(self._api_key, now - _SENT_AGAIN_SECONDS):
            if not any(expected is known for known in (*self._candidates, *self._heard)):
                self._candidates.append(expected)
        self._audio = np.concatenate([self._audio, samples])
        return [] if self.turn_detection is None else self._detect()

    def clear(self) -> None:
        self._drop(len(self._audio))

    def commit(self, now: float) -> Committed | None:
        """Takes the buffer; None when there is too little in it."""
        audio = self._audio
        if len(audio) < _SHORTEST_COMMIT_SECONDS * RATE:
            return None
        self._drop(len(audio))
        heard = self._recognise(audio, now)
        text = " ".join(words for _, words in heard)
        return Committed(text, heard[0][0] if heard else "", len(audio) / RATE)

    # --- the voice detector ---

    def _setting(self, name: str, default: float) -> float:
        value = (self.turn_detection or {}).get(name)
        return default if value is None else float(value)

    def _detect(self) -> list[SpeechStarted | SpeechStopped]:
        found: list[SpeechStarted | SpeechStopped] = []
        padding = round(self._setting("prefix_padding_ms", 300) / 1000 * RATE)
        silence_frames = round(self._setting("silence_duration_ms", 500) / 1000 * RATE / _FRAME)
        while self._judged + _FRAME <= len(self._audio):
            frame = self._audio[self._judged : self._judged + _FRAME].astype(np.float32)
            self._judged += _FRAME
            loud = float(np.sqrt(np.mean(frame**2))) > _LOUD
            self._voiced_frames = self._voiced_frames + 1 if loud else 0
            self._quiet_frames = 0 if loud else self._quiet_frames + 1
            if not self._is_speaking and self._voiced_frames >= _ONSET_FRAMES:
                self._is_speaking = True
                self._drop(max(0, self._judged - _ONSET_FRAMES * _FRAME - padding))
                found.append(SpeechStarted(self._dropped / RATE))
            elif self._is_speaking and self._quiet_frames >= silence_frames:
                self._is_speaking = False
                found.append(SpeechStopped((self._dropped + self._judged) / RATE))
                break
        if not self._is_speaking and not found:
            self._drop(max(0, self._judged - 2 * padding - _ONSET_FRAMES * _FRAME))
        return found

    def _drop(self, count: int) -> None:
        self._audio = self._audio[count:]
        self._dropped += count
        self._judged = max(0, self._judged - count)

    # --- recognition ---

    def _recognise(self, audio: Samples, now: float) -> list[tuple[str, str]]:
        """The speeches heard in the audio, in their order: name and the words that are whole in it."""
        if not self._candidates:
            return []
        heard = _resampled(audio, RATE)
        found: list[tuple[float, str, str]] = []
        end = len(audio) / RATE
        for expected in self._candidates:
            speech = expected.speech
            place = _place_of(_resampled(read_speech(speech.path), SAMPLE_RATE), heard)
            if place is None:
                continue
            begin = place / _COMPARED_RATE
            if any(name == speech.name and abs(other - begin) < 0.2 for other, name, _ in found):
                continue  # the same recording was announced twice, and said once
            middles = [(word.started_seconds + word.ended_seconds) / 2 + begin for word in speech.words]
            words = [word.text for word, middle in zip(speech.words, middles, strict=True) if 0 <= middle <= end]
            expected.heard_at.setdefault(self._api_key, now)
            if middles[-1] <= end:
                self._heard.append(expected)
            found.append((begin, speech.name, " ".join(words)))
        self._candidates = [
            one
            for one in self._candidates
            if not any(one is heard_one for heard_one in self._heard) and not one.is_past(now - _SENT_AGAIN_SECONDS)
        ]
        return [(name, words) for _, name, words in sorted(found) if words]


def _resampled(samples: Samples, rate: int) -> _Floats:
    return np.asarray(soxr.resample(samples.astype(np.float32), rate, _COMPARED_RATE, quality="LQ"), np.float32)


def _place_of(known: _Floats, heard: _Floats) -> int | None:
    """Where in `heard` the speech begins, in samples; negative when its beginning is missing. None: it is not there.

    Known by the piece of it that is heard best: a receiver stretches and shortens what it plays, so that no more than
    a piece keeps its waveform.
    """
    piece = round(_PIECE_SECONDS * _COMPARED_RATE)
    best, place = _ALIKE, None
    for begin in range(0, max(1, len(known) - piece + 1), piece // 2):
        likeness, found = _match(known[begin : begin + piece], heard)
        if likeness > best:
            best, place = likeness, found - begin
    return place


def _match(piece: _Floats, heard: _Floats) -> tuple[float, int]:
    """The likeness of the piece with what was heard where it fits best, and that place. A whitened matched filter."""
    if len(heard) < len(piece):
        return 0.0, 0
    size = 1 << (len(heard) + len(piece) - 1).bit_length()
    spectrum, own = np.fft.rfft(heard, size), np.fft.rfft(piece, size)
    loudness = np.abs(own)
    weight = (loudness + 0.05 * loudness.mean() + 1e-9) ** -_WHITENING
    heard_white = np.fft.irfft(spectrum * weight, size)[: len(heard)]
    own_white = np.fft.irfft(own * weight, size)[: len(piece)]
    product = np.fft.irfft(np.fft.rfft(heard_white, size) * np.conj(np.fft.rfft(own_white, size)), size)
    energy = np.concatenate([[0.0], np.cumsum(heard_white**2)])
    around = energy[len(piece) :] - energy[: -len(piece)]
    floor = 1e-3 * float(around.max()) + 1e-9
    likeness = product[: len(around)] / np.sqrt((around + floor) * float(np.sum(own_white**2)) + 1e-9)
    best = int(np.argmax(likeness))
    return float(likeness[best]), best
