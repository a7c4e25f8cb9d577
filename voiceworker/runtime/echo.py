"""Is what the microphone hears the agent's own voice, come back from the caller's loudspeaker?

It replaces the framework's three seconds of deafness at the beginning of the agent's speech: the worker knows every
sample that it plays, so it can compare.

How: both sides are brought to 6 kHz (where speech has its energy, and Opus keeps the waveform), the delay is the peak
of their normalised cross-correlation, and a filter of 64 ms (loudspeaker, room, microphone) is fitted by conjugate
gradients. What the filter leaves is looked at in tiles of 16 ms and 11 bands: where more is left than late
reverberation, coding and noise account for, somebody else speaks. The share of the energy in such tiles is the score,
so that a caller over an echo (double talk) is found by what the echo does not explain.

Figures, by simulation: flite's voices at random, the same one on both sides among them, delays of 50 to 450 ms, rooms
that reverberate 0.1 to 0.45 s, a distorting loudspeaker in half the cases, Opus both ways, noise at -62 dB; 60 scenes
in each cell. Taken for a caller / for an echo, by the length that was heard (`ECHO_EXPLAINED` was 0.5 then: somewhat
less is taken for an echo now):

                                       0.25 s         0.4 s          0.6 s
    echo at -6 dB                      2 % / 95 %     0 % / 97 %     0 % / 98 %
    echo at -12 dB                     0 % / 97 %     0 % / 98 %     0 % / 100 %
    echo at -20 dB                     0 % / 98 %     0 % / 98 %     0 % / 98 %
    caller alone                       92 % / 3 %     100 % / 0 %    100 % / 0 %
    caller 6 dB over an echo           95 % / 2 %     100 % / 0 %    100 % / 0 %
    caller as loud as an echo          73 % / 10 %    95 % / 0 %     97 % / 0 %
    caller 6 dB under an echo          30 % / 40 %    30 % / 33 %    not run

The rest is UNKNOWN. An echo at -30 dB is mostly too soft to be judged. So an echo is known as one from 0.25 s, and what
0.25 s called an echo has to be asked again: a caller who talks on over it is found within 0.4 s unless he is much
softer than the echo, and ducking the agent by 12 dB makes him the louder one.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from enum import Enum
from statistics import median

import numpy as np
import numpy.typing as npt

Samples = npt.NDArray[np.int16]
"int16[samples], mono"
_Signal = npt.NDArray[np.float64]

_RATE = 6000
_TAPS = 384
"of the filter, 64 ms: direct sound and the first reflections"
_LEAD_TAPS = 12
"of them before the peak of the correlation"
_ITERATIONS = 8
_LONGEST_DELAY_SECONDS = 0.58
_LONGEST_WINDOW_SECONDS = 0.6
_SHORTEST_WINDOW_SECONDS = 0.2
"in less a filter of 64 ms explains anything"
_LEARNING_SECONDS = 0.5
"in less a caller may be explained as well, and make the echo seem louder than it is"
_KEPT_GAINS = 5
_STALE_SECONDS = 0.3
"without a frame from the caller: his network is gone, and nothing can be said of now"
_EDGE = 12
"samples at either end that resampling a piece of a signal spoils"
_KEPT_SECONDS = 1.5
_QUIET = 1e-5
"mean square, -50 dB of full scale: too soft to be judged"

_TILE = 192
_HOP = 96
_WINDOW = np.hanning(_TILE)
_BANDS = (2, 5, 8, 12, 16, 21, 27, 34, 42, 52, 64, 80)
"bins of 31 Hz: 60 Hz to 2.5 kHz"
_LEFT_BY_ECHO = 0.16
"-8 dB: of the echo's energy in a tile, what the filter may leave"
_DECAY = 10 ** (-0.24)
"a room's reverberation from one tile to the next: 60 dB in 0.4 s"
_LEAKAGE = 0.2
"into the neighbouring band"


class Verdict(Enum):
    ECHO = "echo"
    "what was heard is the agent's own voice"
    CALLER = "caller"
    "somebody speaks there, with or without echo under it"
    UNKNOWN = "unknown"
    "too little, too soft, or in between: ask again when more was heard"


@dataclass(frozen=True, slots=True)
class EchoScore:
    verdict: Verdict
    caller_share: float
    "share of the heard energy that the agent's voice does not account for, 0 to 1"
    explained: float
    "share of the heard energy that the fitted filter explains, 0 to 1"
    delay_seconds: float
    "from leaving the worker to being heard by it, transit both ways included"
    gain_db: float
    "of the echo against what was played, in the band of speech"


_NOTHING = EchoScore(Verdict.UNKNOWN, 0.0, 0.0, 0.0, 0.0)


class EchoGuard:
    """Feed it what is played and what is heard; ask it while the caller's voice detector fires.

    Moments are seconds of one monotonic clock. Feeding costs nothing; a verdict 1.3 to 1.8 ms.
    """

    ECHO_BELOW = 0.04
    CALLER_ABOVE = 0.10
    ECHO_EXPLAINED = 0.8
    "a filter of 64 ms explains half of anything that lasts no longer than 0.25 s"
    GONE_EXPLAINED = 0.2
    "an echo that should be half of what was heard, and explains no more than this, is not there any more"

    def __init__(self, *, played_rate: int = 24_000, heard_rate: int = 24_000) -> None:
        self._played_rate = played_rate
        self._heard_rate = heard_rate
        self._played: deque[tuple[float, Samples]] = deque()
        self._heard: deque[tuple[float, Samples]] = deque()
        self._gains: deque[float] = deque(maxlen=_KEPT_GAINS)
        "of power, of the echo when it was alone"
        self._delay_seconds = 0.0

    def played(self, samples: Samples, at: float) -> None:
        """`samples` left for the network, the first of them at `at`."""
        self._played.append((at, samples))
        while self._played[0][0] < at - _KEPT_SECONDS:
            self._played.popleft()

    def heard(self, samples: Samples, at: float) -> None:
        """`samples` of the caller's microphone arrived, the last of them at `at`. Frames follow one another."""
        self._heard.append((at, samples))
        while self._heard[0][0] < at - _KEPT_SECONDS:
            self._heard.popleft()

    def verdict(self, since: float, now: float) -> EchoScore:
        """Whose voice was heard from `since` to `now`; of more than 0.6 s, in the last 0.6 s."""
        if not self._heard or self._heard[-1][0] < now - _STALE_SECONDS:
            return _NOTHING
        ended_at = self._heard[-1][0]
        begun_at = max(since, ended_at - _LONGEST_WINDOW_SECONDS)
        sound = self._last_heard(ended_at - begun_at)
        heard = _resampled(sound, self._heard_rate)[_EDGE:-_EDGE]
        if len(heard) < _SHORTEST_WINDOW_SECONDS * _RATE - 2 * _EDGE or np.mean(heard**2) < _QUIET:
            return _NOTHING
        before = round(_LONGEST_DELAY_SECONDS * _RATE)
        seconds = (len(heard) + 2 * _EDGE + before) / _RATE
        played = _resampled(self._last_played(ended_at - seconds, seconds), self._played_rate)[:-_EDGE]
        if np.mean(played**2) < _QUIET / 100:
            return EchoScore(Verdict.CALLER, 1.0, 0.0, 0.0, 0.0)  # nothing was played that could come back
        score = _judge(_emphasised(heard), _emphasised(played))
        self._learn(score, sound, ended_at)
        return score

    def _learn(self, score: EchoScore, sound: Samples, ended_at: float) -> None:
        seconds = len(sound) / self._heard_rate
        if score.explained >= self.ECHO_EXPLAINED and score.verdict is not Verdict.CALLER:
            if seconds < _LEARNING_SECONDS:
                return
            played = mean_square(self._last_played(ended_at - score.delay_seconds - seconds, seconds))
            if played:  # in the whole band: a small loudspeaker has no bass, of which speech has most
                self._gains.append(score.explained * mean_square(sound) / played)
                self._delay_seconds = score.delay_seconds
        elif score.explained < self.GONE_EXPLAINED and self.echo_power(ended_at, seconds) > mean_square(sound) / 2:
            self._gains.clear()

    def echo_power(self, ended_at: float, seconds: float) -> float:
        """Mean square of the agent's voice, in units of int16, within what was heard for `seconds` up to `ended_at`; by
        the echo that was judged lately, 0 without one."""
        if not self._gains:
            return 0.0
        return median(self._gains) * mean_square(self._last_played(ended_at - self._delay_seconds - seconds, seconds))

    def _last_heard(self, seconds: float) -> Samples:
        wanted = round(seconds * self._heard_rate)
        parts: list[Samples] = []
        for _, samples in reversed(self._heard):
            if wanted <= 0:
                break
            parts.append(samples[-wanted:])
            wanted -= len(samples)
        return np.concatenate(parts[::-1]) if parts else np.zeros(0, np.int16)

    def _last_played(self, begin: float, seconds: float) -> Samples:
        """By the clock: silence where nothing was played."""
        track = np.zeros(round(seconds * self._played_rate), np.int16)
        for at, samples in self._played:
            place = round((at - begin) * self._played_rate)
            first, last = max(0, place), min(len(track), place + len(samples))
            if first < last:
                track[first:last] = samples[first - place : last - place]
        return track


def mean_square(samples: Samples) -> float:
    """0 of no samples."""
    return float(np.mean(np.square(samples.astype(np.float32)))) if samples.size else 0.0


def _resampled(samples: Samples, rate: int) -> _Signal:
    """float64 at 6 kHz, full scale 1; by leaving out the upper bins, which spoils some samples at the ends."""
    unit = 120 * rate // math.gcd(rate, _RATE)  # a multiple with small factors: a prime length would cost tenfold
    length = len(samples) // unit * unit
    kept = length * _RATE // rate
    if not kept:
        return np.zeros(0)
    spectrum = np.fft.rfft(samples[-length:] / 32768.0)
    return np.fft.irfft(spectrum[: kept // 2 + 1], kept) * (kept / length)


def _emphasised(signal: _Signal) -> _Signal:
    return signal - 0.9 * np.concatenate([[0.0], signal[:-1]])


def _judge(heard: _Signal, played: _Signal) -> EchoScore:
    """`played` ends with `heard` and begins the longest delay before it."""
    shift = _best_shift(heard, played)
    fitted, reference = _fitted(heard, played, shift)
    left = heard - fitted
    share = _caller_share(fitted, left, heard)
    explained = 1 - float(np.sum(left**2) / np.sum(heard**2))
    if share >= EchoGuard.CALLER_ABOVE:
        verdict = Verdict.CALLER
    elif share <= EchoGuard.ECHO_BELOW and explained >= EchoGuard.ECHO_EXPLAINED:
        verdict = Verdict.ECHO
    else:
        verdict = Verdict.UNKNOWN
    delay = (len(played) - len(heard) - shift) / _RATE
    gain = 10 * math.log10((np.mean(fitted**2) + 1e-12) / (np.mean(reference**2) + 1e-12))
    return EchoScore(verdict, share, explained, delay, gain)


def _best_shift(heard: _Signal, played: _Signal) -> int:
    """Where in `played` the piece begins that resembles `heard` most."""
    size = 1 << (len(played) + 1).bit_length()
    places = len(played) - len(heard) + 1
    products = np.fft.irfft(np.conj(np.fft.rfft(heard, size)) * np.fft.rfft(played, size), size)[:places]
    energy = np.concatenate([[0.0], np.cumsum(played**2)])
    energy = energy[len(heard) :] - energy[: len(energy) - len(heard)]
    return int(np.argmax(np.abs(products) / np.sqrt(energy + 1e-6 * energy.max() + 1e-12)))


def _fitted(heard: _Signal, played: _Signal, shift: int) -> tuple[_Signal, _Signal]:
    """The best that a filter of `_TAPS` makes of `played` around `shift`, and the piece of `played` it used.

    Least squares by preconditioned conjugate gradients (Chan and Ng, SIAM Review 38, 1996): stopping early also keeps
    the filter from explaining what is not there.
    """
    length = len(heard)
    end = min(shift + _LEAD_TAPS, len(played) - length)
    begin = end - (_TAPS - 1)
    piece = np.concatenate([np.zeros(max(0, -begin)), played[max(0, begin) : end + length]])
    size = 1 << (len(piece) - 1).bit_length()
    spectrum = np.fft.rfft(piece, size)
    padded = np.zeros(size)

    def filtered(taps: _Signal) -> _Signal:
        return np.fft.irfft(spectrum * np.fft.rfft(taps, size), size)[_TAPS - 1 : _TAPS - 1 + length]

    def correlated(signal: _Signal) -> _Signal:
        padded[_TAPS - 1 : _TAPS - 1 + length] = signal
        return np.fft.irfft(np.conj(spectrum) * np.fft.rfft(padded), size)[:_TAPS]

    loading = 2e-4 * float(np.sum(piece**2)) + 1e-9
    autocorrelation = np.fft.irfft(np.abs(spectrum) ** 2, size)[:_TAPS] * np.linspace(1, 0, _TAPS)
    circulant = np.concatenate([autocorrelation, [0.0], autocorrelation[:0:-1]])
    power = np.maximum(np.fft.rfft(circulant).real, 0.0) + loading

    def preconditioned(residual: _Signal) -> _Signal:
        return np.fft.irfft(np.fft.rfft(residual, 2 * _TAPS) / power, 2 * _TAPS)[:_TAPS]

    taps = np.zeros(_TAPS)
    residual = correlated(heard)
    step = direction = preconditioned(residual)
    progress = float(residual @ step)
    for _ in range(_ITERATIONS):
        image = correlated(filtered(direction)) + loading * direction
        pace = progress / (float(direction @ image) + 1e-20)
        taps = taps + pace * direction
        residual = residual - pace * image
        step = preconditioned(residual)
        last, progress = progress, float(residual @ step)
        direction = step + progress / (last + 1e-20) * direction
    return filtered(taps), piece


def _tiles(signal: _Signal) -> _Signal:
    """float64[frames, 11]: energy."""
    padded = np.pad(signal, _HOP)
    frames = np.lib.stride_tricks.sliding_window_view(padded, _TILE)[::_HOP]
    power = np.abs(np.fft.rfft(frames * _WINDOW, axis=1)) ** 2
    energies: _Signal = np.add.reduceat(power[:, : _BANDS[-1]], _BANDS[:-1], axis=1)
    return energies


def _caller_share(fitted: _Signal, left: _Signal, heard: _Signal) -> float:
    echo, rest, everything = _tiles(fitted), _tiles(left), _tiles(heard)
    reverberant = np.empty_like(echo)
    tail = np.zeros(echo.shape[1])
    for place, tile in enumerate(echo):
        tail = np.maximum(tile, tail * _DECAY)
        reverberant[place] = tail
    spread = reverberant.copy()
    spread[:, 1:] += _LEAKAGE * reverberant[:, :-1]
    spread[:, :-1] += _LEAKAGE * reverberant[:, 1:]
    noise = 4 * np.quantile(rest, 0.1, axis=0)
    unexplained = np.maximum(0.0, rest - _LEFT_BY_ECHO * spread - noise)
    return float(unexplained.sum() / (everything.sum() + 1e-12))
