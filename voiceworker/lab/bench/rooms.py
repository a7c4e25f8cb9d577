"""Rooms that a caller may sit in: a loudspeaker that the microphone hears, and noise."""

from __future__ import annotations

from typing import Literal

import numpy as np

from voiceworker.lab.audio import SAMPLE_RATE, Samples
from voiceworker.lab.bench.line import FRAME_SAMPLES, QuietRoom, Room

Arm = Literal["quiet", "echo", "noise"]
ARMS: tuple[Arm, ...] = ("quiet", "echo", "noise")
ECHO_DECIBEL = -12.0
ECHO_SECONDS = 0.12
"from the loudspeaker to the samples that the microphone gives: a phone's own buffers, mostly"
NOISE_DECIBEL = -42.0
"of full scale; 20 dB below the callers' speech"
_NOISE_SECONDS = 10


class EchoRoom:
    """What the agent says comes back, softer and later."""

    def __init__(self, decibel: float = ECHO_DECIBEL, delay_seconds: float = ECHO_SECONDS) -> None:
        self._quiet = QuietRoom()
        self._gain = 10 ** (decibel / 20)
        self._delay = round(delay_seconds * SAMPLE_RATE)
        self._coming = np.zeros(0, np.int16)

    def hear(self, samples: Samples) -> None:
        if not self._coming.size:  # the beginning, or a gap of the network: the way takes its time again
            self._coming = np.zeros(self._delay, np.int16)
        self._coming = np.concatenate([self._coming, samples])[-2 * self._delay - SAMPLE_RATE // 10 :]

    def next_frame(self) -> Samples:
        frame = self._quiet.next_frame().astype(np.float64)
        echo, self._coming = self._coming[:FRAME_SAMPLES], self._coming[FRAME_SAMPLES:]
        frame[: len(echo)] += echo * self._gain
        return np.clip(frame, -32768, 32767).astype(np.int16)


class NoisyRoom:
    """Pink noise, the same every time."""

    def __init__(self, decibel: float = NOISE_DECIBEL, seed: int = 5) -> None:
        self._noise, self._place = pink_noise(_NOISE_SECONDS, decibel, seed), 0

    def hear(self, samples: Samples) -> None:
        pass

    def next_frame(self) -> Samples:
        frame = self._noise[self._place : self._place + FRAME_SAMPLES]
        self._place = (self._place + FRAME_SAMPLES) % len(self._noise)
        return frame


def pink_noise(seconds: float, decibel: float, seed: int) -> Samples:
    """int16[samples] whose power falls by 3 dB an octave from 50 Hz on; `decibel` of full scale, mean."""
    count = round(seconds * SAMPLE_RATE)
    spectrum = np.fft.rfft(np.random.default_rng(seed).normal(size=count))
    hertz = np.fft.rfftfreq(count, 1 / SAMPLE_RATE)
    pink = np.fft.irfft(np.where(hertz < 50, 0, spectrum / np.sqrt(np.maximum(hertz, 1))), count)
    level = 10 ** (decibel / 20) * 32768
    noise: Samples = np.clip(pink * level / np.sqrt(np.mean(pink**2)), -32768, 32767).astype(np.int16)
    return noise


def room(arm: Arm) -> Room:
    match arm:
        case "echo":
            return EchoRoom()
        case "noise":
            return NoisyRoom()
        case "quiet":
            return QuietRoom()
