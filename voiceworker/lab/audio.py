"""Speech as samples: read from a file, heard in a stream, written as a stereo recording. All int16, mono, 24 kHz."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import numpy as np
import numpy.typing as npt
import soundfile
import soxr

Samples = npt.NDArray[np.int16]
"int16[samples], mono"

SAMPLE_RATE = 24_000
LOUD = 800
"a sample beyond this is speech: -32 dB of full scale, well over comfort noise and coding artefacts"
QUIET_SECONDS = 0.25
"silence that separates two stretches of speech; shorter gaps lie within a sentence"

_TRIM = 0.005
"-46 dB of the peak: what is softer at either end of a file is not speech"
_LONGEST_SECONDS = 600


class AudioError(Exception):
    """A file cannot be spoken. The text is one line for a person."""


def read_speech(path: Path) -> Samples:
    """The speech in a file of any rate, channels and format that libsndfile reads, without silence at its ends.

    Raises AudioError when the file is missing, no audio, silent, or longer than ten minutes.
    """
    try:
        with soundfile.SoundFile(path) as file:
            if file.frames > _LONGEST_SECONDS * file.samplerate:
                raise AudioError(f"{path}: is longer than {_LONGEST_SECONDS // 60} minutes")
            mixed = file.read(dtype="float32", always_2d=True).mean(axis=1)
            rate = file.samplerate
    except (OSError, soundfile.LibsndfileError) as error:
        reason = "no such file" if not path.exists() else "not audio that can be read (WAV, FLAC, OGG, MP3)"
        raise AudioError(f"{path}: {reason}") from error
    resampled = soxr.resample(mixed, rate, SAMPLE_RATE)
    speech = trim(np.round(np.clip(resampled, -1, 1) * 32767).astype(np.int16))
    if not speech.size:
        raise AudioError(f"{path}: holds no sound")
    return speech


def trim(samples: Samples) -> Samples:
    """Without what is softer than -46 dB of the peak at both ends; empty when all is silence."""
    level = np.abs(samples.astype(np.int32))
    peak = int(level.max(initial=0))
    if peak < 32:
        return samples[:0]
    speech = np.flatnonzero(level > peak * _TRIM)
    return samples[speech[0] : speech[-1] + 1]


def room_noise(seconds: float = 2.0) -> Samples:
    """Faint noise (-74 dB), the same every time: a live microphone never gives digital zero."""
    noise = np.random.default_rng(seed=7).normal(0, 6, int(seconds * SAMPLE_RATE))
    return noise.astype(np.int16)


@dataclass(slots=True)
class Stretch:
    """Speech between two silences, in seconds of the clock of whoever feeds the detector."""

    started_at: float
    last_loud_at: float
    over: bool = False
    "followed by silence of QUIET_SECONDS"


class SpeechDetector:
    """Hears when somebody speaks in a stream of frames.

    Onset: the first loud sample after 250 ms of quiet. End: the last loud sample before 250 ms of quiet.
    """

    def __init__(self) -> None:
        self.stretches: list[Stretch] = []

    def hear(self, samples: Samples, ended_at: float) -> None:
        """`samples` of a frame whose last sample was received at `ended_at`; frames come in their order."""
        loud = np.flatnonzero(np.abs(samples.astype(np.int32)) > LOUD)
        current = self.stretches[-1] if self.stretches and not self.stretches[-1].over else None
        if loud.size:
            first, last = (ended_at - (len(samples) - int(loud[edge])) / SAMPLE_RATE for edge in (0, -1))
            if current is not None and first - current.last_loud_at > QUIET_SECONDS:
                current.over = True
                current = None
            if current is None:
                self.stretches.append(Stretch(first, last))
            else:
                current.last_loud_at = last
        elif current is not None and ended_at - current.last_loud_at > QUIET_SECONDS:
            current.over = True

    @property
    def last_loud_at(self) -> float | None:
        return self.stretches[-1].last_loud_at if self.stretches else None

    def onset_after(self, moment: float) -> float | None:
        """When speech next began after `moment`."""
        return next((stretch.started_at for stretch in self.stretches if stretch.started_at > moment), None)

    def heard_after(self, moment: float) -> bool:
        """Whether any speech was heard after `moment`, begun before or after it."""
        return self.last_loud_at is not None and self.last_loud_at > moment


class StereoRecorder:
    """Two live sides into one file, left and right, aligned by the clock; written as it goes.

    A side is a run of frames that follow one another. Where a side has a gap of more than `GAP_SECONDS` against the
    clock (not yet connected, network lost) it is put at its true place again; smaller jitter is left alone.
    """

    GAP_SECONDS = 0.1
    _BEHIND_SECONDS = 2.0

    def __init__(self, path: Path, started_at: float) -> None:
        """`started_at` is the moment of the file's first sample; it may be moved until the first frame comes.

        Raises AudioError when the file cannot be written.
        """
        try:
            self._file = soundfile.SoundFile(path, "w", samplerate=SAMPLE_RATE, channels=2, subtype="PCM_16")
        except (OSError, soundfile.LibsndfileError, ValueError, TypeError) as error:
            raise AudioError(f"{path}: cannot be written as audio: {error}") from error
        self.started_at = started_at
        self._written = 0
        "frames in the file"
        self._pending = np.zeros((0, 2), np.int16)
        self._ends = [0, 0]
        "where each side's next frame goes"

    def left(self, samples: Samples, ended_at: float) -> None:
        self._add(0, samples, ended_at)

    def right(self, samples: Samples, ended_at: float) -> None:
        self._add(1, samples, ended_at)

    def _add(self, side: int, samples: Samples, ended_at: float) -> None:
        place = round((ended_at - self.started_at) * SAMPLE_RATE) - len(samples)
        if place < 0:
            return  # heard before the recording begins
        if abs(place - self._ends[side]) > self.GAP_SECONDS * SAMPLE_RATE:
            self._ends[side] = place
        begin = max(self._ends[side], self._written) - self._written
        end = begin + len(samples)
        if end > len(self._pending):
            self._pending = np.pad(self._pending, ((0, end + SAMPLE_RATE - len(self._pending)), (0, 0)))
        self._pending[begin:end, side] = samples
        self._ends[side] = self._written + end
        if max(self._ends) - self._written > 2 * self._BEHIND_SECONDS * SAMPLE_RATE:
            self._write(int(self._BEHIND_SECONDS * SAMPLE_RATE))

    def _write(self, frames: int) -> None:
        self._file.write(self._pending[:frames])
        self._pending = self._pending[frames:]
        self._written += frames

    def close(self) -> None:
        self._write(max(self._ends) - self._written)
        self._file.close()

    def __enter__(self) -> StereoRecorder:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
