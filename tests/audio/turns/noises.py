"""Sounds that are no words, made of shaped noise, glottal pulses and struck modes: float64[samples], 16 kHz mono.

A cough is built as it is measured on people: an explosive burst of 30 to 50 ms, a decaying stream of air, and often a
voiced end (Korpáš and others, "Analysis of the cough sound: an overview"). A laugh is a train of voiced notes of some
75 ms, one every 210 ms, falling in pitch and level (Provine and Yong, "Laughter: a stereotyped human vocalization").
Everything else likewise: air through the formants of an open mouth or a nose, or things that are hit and ring.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

RATE = 16_000

Signal = npt.NDArray[np.float64]
Formants = Sequence[tuple[float, float]]
"centre and bandwidth in Hz"


@dataclass(frozen=True)
class Mouth:
    """Who makes the sound."""

    dice: np.random.Generator
    pitch: float
    "Hz, when he speaks"
    size: float
    "factor on formants: below 1 for a long vocal tract"

    def between(self, low: float, high: float) -> float:
        return float(self.dice.uniform(low, high))

    def formants(self, *centres: float, width: float = 0.07) -> Formants:
        return [(centre * self.size * self.between(0.95, 1.05), 40 + centre * width) for centre in centres]

    def air(self, seconds: float) -> Signal:
        return self.dice.normal(0, 1, round(seconds * RATE))

    def voice(self, seconds: float, start: float, end: float, roughness: float = 0.02) -> Signal:
        """Glottal pulses from one pitch in Hz to another; roughness: jitter, and thrice as much shimmer."""
        pulses = np.zeros(round(seconds * RATE))
        moment = 0.0
        while (place := round(moment * RATE)) < len(pulses):
            pulses[place] += max(0.1, 1 + 3 * roughness * self.dice.normal())
            pitch = start + (end - start) * moment / seconds
            moment += max(0.3, 1 + roughness * self.dice.normal()) / pitch
        # the flow falls by 12 dB an octave, the lips give 6 of them back
        voiced = _shape(pulses, lambda hertz: np.minimum(hertz, 3000) / 100 / (1 + (hertz / 120) ** 2))
        return voiced / max(1e-9, float(np.sqrt(np.mean(voiced**2))))


def _shape(signal: Signal, gain: Callable[[npt.NDArray[Any]], npt.NDArray[Any]]) -> Signal:
    """The signal through the minimum-phase filter of a gain over frequency: it rings after a pulse, as mouths do."""
    size = 2 ** int(np.ceil(np.log2(2 * len(signal) + 4096)))
    wanted = np.maximum(gain(np.fft.rfftfreq(size, 1 / RATE)), 1e-4)
    cepstrum = np.fft.irfft(np.log(wanted), size)
    cepstrum[1 : size // 2] *= 2
    cepstrum[size // 2 + 1 :] = 0
    response = np.exp(np.fft.rfft(cepstrum))
    return np.fft.irfft(np.fft.rfft(signal, size) * response, size)[: len(signal)]


def through(signal: Signal, formants: Formants, breath: float = 0.15) -> Signal:
    """The signal as resonances colour it; `breath` is what passes beside them. Its level stays as it was."""

    def gain(hertz: Signal) -> npt.NDArray[np.float64]:
        peaks = [
            1 / (1 + ((hertz - centre) / (width / 2)) ** 2) / (1 + i) for i, (centre, width) in enumerate(formants)
        ]
        return np.asarray(np.sqrt(np.sum(peaks, axis=0) + breath**2 / (1 + (hertz / 5000) ** 4)))

    loud = float(np.sqrt(np.mean(signal**2)))
    coloured = _shape(signal, gain)
    return coloured * loud / max(1e-9, float(np.sqrt(np.mean(coloured**2))))


def band(signal: Signal, low: float, high: float) -> Signal:
    """The signal between two frequencies, falling by 12 dB an octave beyond them."""
    return _shape(signal, lambda hertz: 1 / (1 + (low / np.maximum(hertz, 1)) ** 2) / (1 + (hertz / high) ** 2))


def envelope(seconds: float, *points: tuple[float, float]) -> Signal:
    """Gain over time from (second, dB) points, straight lines between them."""
    times = np.arange(round(seconds * RATE)) / RATE
    return np.asarray(10 ** (np.interp(times, [at for at, _ in points], [level for _, level in points]) / 20))


def mixed(*parts: tuple[float, Signal]) -> Signal:
    """Parts that begin at their seconds, added up."""
    total = np.zeros(max(round(at * RATE) + len(part) for at, part in parts))
    for at, part in parts:
        begin = round(at * RATE)
        total[begin : begin + len(part)] += part
    return total


def cough(mouth: Mouth) -> Signal:
    parts: list[tuple[float, Signal]] = []
    at = 0.0
    open_throat = mouth.formants(650, 1350, 2500, 3700, width=0.2)
    for number in range(int(mouth.dice.integers(1, 4))):
        burst, stream = mouth.between(0.03, 0.05), mouth.between(0.14, 0.24)
        whole = burst + stream
        loud = -3.0 * number + mouth.between(-1.5, 1.5)
        shape = envelope(
            whole, (0, loud - 34), (0.004, loud), (burst, loud - 6), (burst + 0.03, loud - 12), (whole, loud - 34)
        )
        parts.append((at, through(mouth.air(whole), open_throat, breath=0.35) * shape))
        at += whole * 0.75
        if mouth.dice.random() < 0.75:
            voiced = mouth.between(0.09, 0.16)
            source = mouth.voice(voiced, mouth.pitch * 1.5, mouth.pitch * 1.1, 0.05) + 0.4 * mouth.air(voiced)
            fade = envelope(voiced, (0, loud - 30), (0.025, loud - 9), (0.06, loud - 11), (voiced, loud - 40))
            parts.append((at, through(source, mouth.formants(550, 1300, 2500)) * fade))
            at += voiced
        at += mouth.between(0.06, 0.22)
    return mixed(*parts)


def laugh(mouth: Mouth) -> Signal:
    parts: list[tuple[float, Signal]] = []
    vowel = mouth.formants(*((750, 1250, 2600), (560, 1750, 2500), (500, 950, 2450))[int(mouth.dice.integers(3))])
    notes, period = int(mouth.dice.integers(4, 9)), mouth.between(0.19, 0.23)
    high = mouth.pitch * mouth.between(1.5, 2.1)
    for number in range(notes):
        done = number / notes
        loud = -9 * done - (3 if number == 0 else 0) + mouth.between(-1, 1)
        length = period * mouth.between(0.36, 0.48)
        pitch = high * (1 - 0.35 * done)
        breathy = 0.3 + 0.3 * done
        source = mouth.voice(length, pitch * 1.06, pitch * 0.9, 0.015) + breathy * mouth.air(length)
        note = envelope(length, (0, loud - 25), (0.015, loud), (length * 0.6, loud - 3), (length, loud - 26))
        aspirated = period - length
        breath = envelope(aspirated, (0, loud - 26), (aspirated * 0.5, loud - 16), (aspirated, loud - 19))
        at = number * period * mouth.between(0.98, 1.02)
        parts.append((at, through(mouth.air(aspirated), vowel, breath=0.3) * breath))
        parts.append((at + aspirated, through(source, vowel, breath=0.05) * note))
    if mouth.dice.random() < 0.5:  # and draws breath
        seconds = mouth.between(0.2, 0.35)
        gasp = envelope(seconds, (0, -34), (seconds * 0.7, -20), (seconds, -32))
        parts.append((notes * period + 0.05, through(mouth.air(seconds), mouth.formants(900, 2100, 3600)) * gasp))
    return mixed(*parts)


def throat(mouth: Mouth) -> Signal:
    parts: list[tuple[float, Signal]] = []
    at = 0.0
    for number in range(int(mouth.dice.integers(2, 4))):
        seconds = mouth.between(0.18, 0.36)
        pitch = mouth.pitch * mouth.between(0.65, 0.85)
        source = mouth.voice(seconds, pitch, pitch * 0.85, 0.06) + 0.4 * mouth.air(seconds)
        # the folds flutter: 25 to 40 beats a second
        beat = 2 * np.pi * mouth.between(25, 40) * np.arange(len(source)) / RATE
        fluttering = source * (1 + 0.4 * np.sin(beat + 0.5 * np.sin(beat / 7)))
        shape = envelope(seconds, (0, -24), (0.03, -2.0 * number), (seconds * 0.7, -4 - 2.0 * number), (seconds, -34))
        parts.append((at, through(fluttering, mouth.formants(620, 1150, 2400, 3400), breath=0.12) * shape))
        at += seconds + mouth.between(0.04, 0.16)
    return mixed(*parts)


def sneeze(mouth: Mouth) -> Signal:
    parts: list[tuple[float, Signal]] = []
    at = 0.0
    if mouth.dice.random() < 0.75:  # ah ...
        inward = mouth.between(0.2, 0.35)
        source = mouth.air(inward) + 0.5 * mouth.voice(inward, mouth.pitch, mouth.pitch * 1.5, 0.03)
        gasp = envelope(inward, (0, -36), (inward * 0.8, -17), (inward, -30))
        parts.append((at, through(source, mouth.formants(750, 1300, 2600)) * gasp))
        at += inward + mouth.between(0.03, 0.12)
    hiss = mouth.between(0.14, 0.24)  # ... tshh ...
    spray = envelope(hiss, (0, -30), (0.006, 0), (0.05, -3), (hiss * 0.7, -9), (hiss, -34))
    parts.append((at, band(mouth.air(hiss), 1800, 6000) * 2 * spray))
    vowel = mouth.between(0.14, 0.26)  # ... oo
    source = mouth.voice(vowel, mouth.pitch * 1.8, mouth.pitch * 1.1, 0.04) + 0.4 * mouth.air(vowel)
    shape = envelope(vowel, (0, -26), (0.03, -3), (vowel * 0.5, -8), (vowel, -40))
    parts.append((at + hiss * 0.45, through(source, mouth.formants(420, 1100, 2300)) * shape))
    return mixed(*parts)


def sniff(mouth: Mouth) -> Signal:
    parts: list[tuple[float, Signal]] = []
    at = 0.0
    nose = mouth.formants(1000, 2200, 3900, width=0.25)
    for _ in range(int(mouth.dice.integers(1, 4))):
        seconds = mouth.between(0.14, 0.32)
        shape = envelope(seconds, (0, -30), (seconds * 0.6, 0), (seconds * 0.9, -4), (seconds, -30))
        parts.append((at, through(mouth.air(seconds), nose, breath=0.3) * shape))
        at += seconds + mouth.between(0.08, 0.25)
    return mixed(*parts)


def sigh(mouth: Mouth) -> Signal:
    seconds = mouth.between(0.7, 1.1)
    source = mouth.air(seconds) + mouth.between(0, 0.5) * mouth.voice(seconds, mouth.pitch, mouth.pitch * 0.7, 0.04)
    shape = envelope(seconds, (0, -28), (0.12, 0), (seconds * 0.5, -7), (seconds, -34))
    return through(source, mouth.formants(600, 1150, 2500, 3500, width=0.2), breath=0.25) * shape


def struck(dice: np.random.Generator, modes: Sequence[tuple[float, float]], contact: float) -> Signal:
    """Something hit once: modes of (Hz, seconds to fall by 60 dB), and the contact's own click, in seconds."""
    times = np.arange(round(max(decay for _, decay in modes) * RATE)) / RATE
    rings = [
        dice.uniform(0.5, 1) / (1 + i) * np.exp(-6.9 * times / decay) * np.sin(2 * np.pi * hertz * times)
        for i, (hertz, decay) in enumerate(modes)
    ]
    click = dice.normal(0, 0.5, len(times)) * np.exp(-times / contact)
    return np.asarray(np.sum(rings, axis=0) + click)


def knock(mouth: Mouth) -> Signal:
    door = [
        (mouth.between(95, 170), mouth.between(0.1, 0.16)),
        (mouth.between(230, 400), mouth.between(0.07, 0.12)),
        (mouth.between(550, 900), mouth.between(0.04, 0.07)),
    ]
    every = mouth.between(0.15, 0.24)
    hits = range(int(mouth.dice.integers(2, 6)))
    knocks = [
        (hit * every * mouth.between(0.97, 1.03), band(struck(mouth.dice, door, 0.0015), 60, 1800)) for hit in hits
    ]
    return mixed(*((at, sound * mouth.between(0.75, 1)) for at, sound in knocks))


def keyboard(mouth: Mouth) -> Signal:
    parts: list[tuple[float, Signal]] = []
    at = 0.0
    for _ in range(int(mouth.dice.integers(6, 15))):
        key = [(mouth.between(220, 330), 0.05), (mouth.between(1900, 3200), 0.012), (mouth.between(4000, 5500), 0.008)]
        parts.append((at, struck(mouth.dice, key, 0.0025) * mouth.between(0.5, 1)))
        released = at + mouth.between(0.06, 0.11)
        parts.append((released, band(struck(mouth.dice, key[1:], 0.0015), 1200, 7000) * mouth.between(0.15, 0.4)))
        at += float(np.clip(mouth.dice.lognormal(np.log(0.14), 0.4), 0.07, 0.4))
    return mixed(*parts)


def cup(mouth: Mouth) -> Signal:
    base = mouth.between(1700, 2400)
    ratios = (1, 1.58, 2.24, 2.92)  # of a cylinder's bending modes, roughly
    china = [(min(7500, base * ratio), mouth.between(0.08, 0.3)) for ratio in ratios]
    touches = [(mouth.between(0.09, 0.14) * n, 0.6**n) for n in range(int(mouth.dice.integers(2, 4)))]
    return mixed(*((at, struck(mouth.dice, china, 0.002) * level) for at, level in touches))


def door(mouth: Mouth) -> Signal:
    slam = [(mouth.between(70, 110), 0.5), (mouth.between(170, 280), 0.4), (mouth.between(380, 650), 0.3)]
    latch = [(mouth.between(900, 1400), 0.03), (mouth.between(2300, 3200), 0.02)]
    boom = band(struck(mouth.dice, slam, 0.05), 60, 1500)
    return mixed((0.0, struck(mouth.dice, latch, 0.004) * 0.4), (0.07, boom))


def _in_a_room(dice: np.random.Generator, dry: Signal) -> Signal:
    """With the tail of a furnished room: 0.25 s to fall by 60 dB, 14 dB below what comes straight."""
    times = np.arange(round(0.25 * RATE)) / RATE
    tail = dice.normal(0, 1, len(times)) * np.exp(-6.9 * times / 0.25)
    tail *= 10 ** (-14 / 20) / np.sqrt(np.sum(tail**2))
    tail[: round(0.004 * RATE)] = 0
    tail[0] = 1
    size = len(dry) + len(tail)
    return np.fft.irfft(np.fft.rfft(dry, size) * np.fft.rfft(tail, size), size)


SOUNDS: dict[str, Callable[[Mouth], Signal]] = {
    sound.__name__: sound for sound in (cough, laugh, throat, sneeze, sniff, sigh, knock, keyboard, cup, door)
}


def make(sound: str, number: int) -> Signal:
    """The `number`th (from 0) sound of a name in SOUNDS; the same every time."""
    dice = np.random.default_rng([list(SOUNDS).index(sound), number])
    high = number % 2 == 1
    mouth = Mouth(dice, pitch=dice.uniform(185, 240) if high else dice.uniform(95, 135), size=1.13 if high else 0.97)
    return _in_a_room(dice, SOUNDS[sound](mouth))
