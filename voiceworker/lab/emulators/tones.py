"""Speech that can be read back exactly: each word of a small vocabulary is a tone of its own."""

from __future__ import annotations

import functools
import itertools
import re
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from voiceworker.lab.audio import SAMPLE_RATE, Samples

_WORDS = """
amber anchor apple arrow autumn basket beacon berry blossom bridge button candle canyon castle cedar circle
clover copper coral cotton cradle crystal desert dolphin dragon ember feather fiddle forest garden ginger granite
harbor hazel island ivory jacket jasmine kettle ladder lantern lemon linen magnet maple marble meadow mirror
morning mountain needle ocean olive orchard paper pepper pillow planet pocket ribbon river saddle silver spider
"""
VOCABULARY: tuple[str, ...] = tuple(_WORDS.split())
"64 words; none is a word of the callers' or of the frameworks' lexicons"
OTHER_WORD = "?"
"what any other word is heard as: they share one tone"
WORD_SECONDS = 0.25

_LOWEST_HERTZ = 400.0
_STEP_HERTZ = 54.0
"a cut word of 60 ms still stands out from its neighbour; 64 words end below 4 kHz, which 8 kHz audio can carry"
_EDGE_SECONDS = 0.015
_AMPLITUDE = 0.35 * 32767

_HOP_SECONDS = 0.005
_FRAME_SECONDS = 0.04
_LEAST_SECONDS = 0.03
"a shorter piece of a word is not taken for one"
_LONGEST_HOLE_SECONDS = 0.15
"within a word: of a packet or more that came late, and what the receiver's own concealment puts there"
_ONE_WORD = 1.25
"of its length: pieces of a word that are together longer were said twice"
_QUIETEST_DB = -36.0
"against the level of `encode`; below, comfort noise and what a canceller leaves"
_LEAST_PURITY = 0.35
"share of a frame's energy that lies at its tone"

_INDEX = {word: index + 1 for index, word in enumerate(VOCABULARY)}


@dataclass(frozen=True, slots=True)
class HeardWord:
    text: str
    "a word of the vocabulary, or OTHER_WORD"
    started_seconds: float
    "from the first sample given"
    level_db: float
    "against the level of `encode`: 0 is unchanged, -12 is ducked. The median over the word"
    seconds: float
    "how much of its WORD_SECONDS was heard"


def words_of(text: str) -> list[str]:
    """The words of a text as they are spoken, in lower case."""
    return re.findall(r"\w(?:[\w'’-]*\w)?", text.lower())


def encode(text: str, sample_rate: int = SAMPLE_RATE) -> Samples:
    """The text spoken: WORD_SECONDS of tone for each word, without pauses. Empty for a text without words."""
    tones = [_tone(_INDEX.get(word, 0), sample_rate) for word in words_of(text)]
    return np.concatenate(tones) if tones else np.zeros(0, np.int16)


@functools.lru_cache(maxsize=256)
def _tone(index: int, sample_rate: int) -> Samples:
    length = round(WORD_SECONDS * sample_rate)
    edge = 0.5 - 0.5 * np.cos(np.pi * np.arange(round(_EDGE_SECONDS * sample_rate)) / (_EDGE_SECONDS * sample_rate))
    envelope = np.full(length, _AMPLITUDE)
    envelope[: len(edge)] *= edge
    envelope[length - len(edge) :] *= edge[::-1]
    time = np.arange(length) / sample_rate
    return np.round(envelope * np.sin(2 * np.pi * _hertz(index) * time)).astype(np.int16)


def _hertz(index: int) -> float:
    return _LOWEST_HERTZ + _STEP_HERTZ * index


def decode(samples: Samples, sample_rate: int = SAMPLE_RATE) -> list[HeardWord]:
    """The words that are heard in int16[samples], in their order; nothing in silence, noise or speech.

    Works on words that are cut off or softened, down to 30 ms and -36 dB. The same word twice without a pause is told
    by its length, and so is a word with a hole in it, which is one word.
    """
    indices, levels = _read_frames(samples, sample_rate)
    words: list[HeardWord] = []
    for pieces in _pieces(indices, levels):
        begin, seconds = pieces[0][0], sum(end - begin for begin, end in pieces) * _HOP_SECONDS
        if seconds < _LEAST_SECONDS:
            continue
        index = int(indices[begin])
        text = OTHER_WORD if index == 0 else VOCABULARY[index - 1]
        level = round(float(np.median(np.concatenate([levels[begin:end] for begin, end in pieces]))), 1)
        count = max(1, round(seconds / WORD_SECONDS))
        for nth in range(count):
            started = begin * _HOP_SECONDS + nth * seconds / count
            words.append(HeardWord(text, round(started, 4), level, round(seconds / count, 4)))
    return words


def _read_frames(samples: Samples, sample_rate: int) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.float64]]:
    """For each hop the index of the word that sounds there (-1: none) and its level; centred on the hop."""
    length, hop = round(_FRAME_SECONDS * sample_rate), round(_HOP_SECONDS * sample_rate)
    size = 1 << (2 * length - 1).bit_length()
    padded = np.pad(samples.astype(np.float32), length // 2)
    if len(samples) == 0:
        return np.zeros(0, np.intp), np.zeros(0)
    frames = np.lib.stride_tricks.sliding_window_view(padded, length)[::hop]
    window = np.hanning(length).astype(np.float32)
    indices = np.full(len(frames), -1, np.intp)
    levels = np.full(len(frames), -np.inf)
    for begin in range(0, len(frames), 512):  # in blocks, so that an hour needs no more memory than a minute
        block = frames[begin : begin + 512] * window
        spectrum = np.abs(np.fft.rfft(block, size))
        found, level = _loudest_tone(spectrum, sample_rate / size, float(window.sum()), length)
        indices[begin : begin + 512], levels[begin : begin + 512] = found, level
    return indices, levels


def _loudest_tone(
    spectrum: npt.NDArray[np.floating], hertz_per_bin: float, gain: float, length: int
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.float64]]:
    rows = np.arange(len(spectrum))
    low = int((_LOWEST_HERTZ - _STEP_HERTZ) / hertz_per_bin)
    high = int((_hertz(len(VOCABULARY)) + _STEP_HERTZ) / hertz_per_bin)
    peak = low + np.argmax(spectrum[:, low:high], axis=1)
    left, middle, right = (np.log(spectrum[rows, np.minimum(peak + d, high)] + 1e-9) for d in (-1, 0, 1))
    bend = left - 2 * middle + right
    shift = np.where(bend < 0, 0.5 * (left - right) / np.where(bend < 0, bend, 1), 0)
    position = ((peak + shift) * hertz_per_bin - _LOWEST_HERTZ) / _STEP_HERTZ
    nearest = np.clip(np.round(position), 0, len(VOCABULARY)).astype(np.intp)

    # a Hann window's main lobe is 4 / frame length wide
    lobe = int(np.ceil(2 / (length * hertz_per_bin / (hertz_per_bin * len(spectrum[0]) * 2))))
    energy = np.cumsum(np.pad(spectrum.astype(np.float64) ** 2, ((0, 0), (1, 0))), axis=1)
    upper, lower = np.minimum(peak + lobe + 1, energy.shape[1] - 1), np.maximum(peak - lobe, 0)
    purity = (energy[rows, upper] - energy[rows, lower]) / (energy[:, -1] + 1e-9)

    level = 20 * np.log10(2 * spectrum[rows, peak] / gain / _AMPLITUDE + 1e-9)
    heard = (level > _QUIETEST_DB) & (purity > _LEAST_PURITY) & (np.abs(position - nearest) < 0.4)
    return np.where(heard, nearest, -1), np.where(heard, level, -np.inf)


def _pieces(indices: npt.NDArray[np.intp], levels: npt.NDArray[np.float64]) -> list[list[tuple[int, int]]]:
    """For each word where it sounds, as [begin, end); more than one where it has holes."""
    words: list[list[tuple[int, int]]] = []
    for begin, end in (_trim(levels, *run) for run in _runs(indices)):
        last = words[-1] if words else []
        if (
            last
            and indices[last[-1][0]] == indices[begin]
            and begin - last[-1][1] <= _LONGEST_HOLE_SECONDS / _HOP_SECONDS
        ):
            together = sum(stop - start for start, stop in (*last, (begin, end)))
            if together * _HOP_SECONDS <= _ONE_WORD * WORD_SECONDS:
                last.append((begin, end))
                continue
        words.append([(begin, end)])
    return words


def _runs(indices: npt.NDArray[np.intp]) -> list[tuple[int, int]]:
    """Where one word sounds, as [begin, end); a gap of up to two frames within it is bridged."""
    runs: list[tuple[int, int]] = []
    for begin, end in _stretches(indices):
        if runs and indices[runs[-1][0]] == indices[begin] and begin - runs[-1][1] <= 2:
            runs[-1] = (runs[-1][0], end)
        else:
            runs.append((begin, end))
    return runs


def _stretches(indices: npt.NDArray[np.intp]) -> list[tuple[int, int]]:
    edges = np.flatnonzero(np.diff(indices)) + 1
    borders = [0, *edges.tolist(), len(indices)]
    return [(a, b) for a, b in itertools.pairwise(borders) if b > a and indices[a] >= 0]


def _trim(levels: npt.NDArray[np.float64], begin: int, end: int) -> tuple[int, int]:
    """Without the frames that see the word from outside: half of the window in it means -6 dB."""
    ahead = round(_FRAME_SECONDS / _HOP_SECONDS)
    while end - begin > 2 and levels[begin] < levels[min(begin + ahead, end - 1)] - 6:
        begin += 1
    while end - begin > 2 and levels[end - 1] < levels[max(end - 1 - ahead, begin)] - 6:
        end -= 1
    return begin, end
