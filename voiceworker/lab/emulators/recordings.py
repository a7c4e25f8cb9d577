"""Which announced speech a recording holds: what is transcribed at once and not as a stream."""

from __future__ import annotations

import functools
import io
import random
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import soxr

from voiceworker.lab.audio import SAMPLE_RATE, read_speech
from voiceworker.lab.emulators.hearing import ALIKE_WHEN_SURE, RATE, SURE_SECONDS, Expectations, Floats, correlated
from voiceworker.lab.speech import Speech

_BEFORE_SECONDS = 10.0
"a recording may have been sent this long after its end"
_QUIET = 50


@dataclass(frozen=True, slots=True)
class RecordedWord:
    text: str
    started: float
    "in the recording"
    ended: float
    confidence: float
    speech: Speech


@dataclass(frozen=True, slots=True)
class Recording:
    seconds: float
    channels: int
    words: tuple[RecordedWord, ...]

    @property
    def text(self) -> str:
        return " ".join(word.text for word in self.words)

    @property
    def speech_name(self) -> str:
        return self.words[0].speech.name if self.words else ""


def transcribed(data: bytes, expectations: Expectations, api_key: str, now: float) -> Recording:
    """A file (WAV, FLAC, Ogg, MP3) that came at `now` (`time.perf_counter`). Raises ValueError when it is none."""
    try:
        samples, rate = soundfile.read(io.BytesIO(data), dtype="float32", always_2d=True)
    except soundfile.LibsndfileError as error:
        raise ValueError(f"not a file of audio: {error}") from None
    seconds = len(samples) / rate
    audio = np.asarray(soxr.resample(samples[:, 0] * 32768, rate, RATE), np.float32)
    words: list[RecordedWord] = []
    for expected in expectations.said(api_key, now - seconds - _BEFORE_SECONDS, now):
        offset = _offset_of(_whole(expected.speech.path), audio)
        if offset is None:
            continue
        expected.heard_at.setdefault(api_key, now)
        chance = random.Random(expected.speech.name)
        for spoken in expected.speech.words:
            confidence = round(chance.uniform(0.93, 0.999), 4)
            begin, end = spoken.started_seconds + offset, spoken.ended_seconds + offset
            if 0 <= (begin + end) / 2 < seconds:  # a recording that was cut between words has the others in its next
                words.append(RecordedWord(spoken.text, max(0.0, begin), min(end, seconds), confidence, expected.speech))
    return Recording(seconds, samples.shape[1], tuple(words))


@functools.lru_cache(maxsize=256)
def _whole(path: Path) -> Floats:
    return np.asarray(soxr.resample(read_speech(path).astype(np.float32), SAMPLE_RATE, RATE), np.float32)


def _offset_of(speech: Floats, audio: Floats) -> float | None:
    """Where in the audio the speech begins, in seconds; negative when it begins before. None: it is not there."""
    enough = min(round(SURE_SECONDS * RATE), len(speech))
    if len(audio) < enough or float(np.abs(audio).max()) < _QUIET:
        return None
    heard, known, product = correlated(audio, speech)
    places = np.arange(enough - len(speech), len(audio) - enough + 1)
    begin, end = np.maximum(places, 0), np.minimum(places + len(speech), len(audio))
    known_begin = np.maximum(-places, 0)
    audio_energy = np.concatenate([[0.0], np.cumsum(heard.astype(np.float64) ** 2)])
    known_energy = np.concatenate([[0.0], np.cumsum(known.astype(np.float64) ** 2)])
    energy = (audio_energy[end] - audio_energy[begin]) * (
        known_energy[known_begin + end - begin] - known_energy[known_begin]
    )
    likeness = product[places % len(product)] / np.sqrt(energy + 1e-3 * energy.max() + 1e-30)
    best = int(np.argmax(likeness))
    return float(places[best] / RATE) if likeness[best] >= ALIKE_WHEN_SURE else None
