"""Which stretches of a call a paid recogniser is sent: speech, a little ahead of it and a little after; pure.

Time is counted in samples of the caller's audio since the stream began, whatever the clock says: audio that comes in a
burst is cut as it would have been cut live.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class GateSettings:
    """The two probabilities were tried on tests/audio/turns, clean, and soft in noise: at `opening_probability` every
    speech is noticed, most within 60 ms and the worst 340 ms after its first sample; no noise of a room opens."""

    pre_roll_seconds: float = 0.3
    "sent of what came before the first evidence: a soft beginning is noticed late"
    opening_probability: float = 0.3
    "of speech in one window of the detector; less than turns are begun with: a needless opening costs a second's price"
    staying_probability: float = 0.15
    "below it is silence while the gate is open: vowels that fade away stay above"
    hang_over_seconds: float = 0.2
    "of silence until it closes: longer than the pause after which the recogniser ends an utterance by itself"
    patience_seconds: float = 0.0
    "how much longer for a recogniser that is in the midst of an utterance and cannot be told to end it"
    keep_alive_seconds: float | None = None
    "after so much silence a recogniser that needs it gets a little audio; None: it keeps its connection by itself"
    ahead_seconds: float = 1.0
    "an open gate lets so much pass that the detector has not judged yet: it must not hold up speech, nor trust a burst"
    blind_seconds: float = 3.0
    "a detector that lags by so much has failed, for all that is known: everything passes until it has caught up"
    replay_seconds: float = 10.0
    "the longest stretch that a recogniser is sent again which lost its connection before it was final"

    def __post_init__(self) -> None:
        if not 0 < self.staying_probability <= self.opening_probability <= 1:
            raise ValueError("0 < staying_probability <= opening_probability <= 1")


@dataclass(frozen=True, slots=True)
class Send:
    """Audio for the recogniser."""

    since: int
    until: int
    "the sample after the last"


@dataclass(frozen=True, slots=True)
class Finalize:
    """The recogniser is to say now what it has heard: no more audio comes for the present."""


Command = Send | Finalize

_SETTLED_SECONDS = 0.25
"of what sounded like speech after the last final word, at most: a detector's tail, and no word of its own"


class Gate:
    """Shut at first. Everything that happens is told by a method, which returns what is to be done, in its order."""

    def __init__(self, settings: GateSettings, sample_rate: int) -> None:
        self._settings = settings
        self._rate = sample_rate
        self._open = False
        self._received = 0
        self._judged = 0
        self._window = 0
        "the length of the last that was judged"
        self._spoke_until = 0
        "the end of the last window with speech"
        self._sent = 0
        "the end of what was sent last, or the beginning of what comes next"
        self._opened_at = 0
        self._settled = 0
        "words up to here are final"
        self._engine_busy = False

    @property
    def is_open(self) -> bool:
        return self._open

    @property
    def lag_seconds(self) -> float:
        """Of audio that no verdict has come for yet: a window and a frame as a rule, more when the machine is busy."""
        return (self._received - self._judged) / self._rate

    @property
    def all_sent(self) -> bool:
        """Nothing is held back."""
        return self._open and self._sent == self._received

    @property
    def needed_since(self) -> int:
        """What came before this sample will never be asked for."""
        needed = self._judged - self._samples(self._settings.pre_roll_seconds)
        if self._open:
            needed = min(needed, self._sent)
        if self._open or self._is_unsettled:  # while it is open, more may be said that is not final yet
            needed = min(needed, self._replay_since)
        return max(0, needed)

    # --- what happens ---

    def received(self, until: int) -> list[Command]:
        """The caller's audio is there up to this sample."""
        self._received = until
        if self.lag_seconds > self._settings.blind_seconds:
            self._open_gate(self._judged)
            return self._advance_to(until)
        keep_alive = self._settings.keep_alive_seconds
        if self._open or keep_alive is None or until - self._sent < self._samples(keep_alive):
            return self._advance()
        # the caller's own silence: no shorter than a pre-roll, so that a beginning right after it lacks nothing
        since = max(self._sent, until - self._samples(self._settings.pre_roll_seconds))
        self._sent = until
        return [Send(since, until)]

    def judged(self, until: int, probability: float) -> list[Command]:
        """The detector's verdict on the window that ends here, and begins where the last one ended."""
        settings, began = self._settings, self._judged
        self._judged, self._window = until, until - began
        if probability >= (settings.staying_probability if self._open else settings.opening_probability):
            self._spoke_until = until
            self._open_gate(began)
        elif self._is_holding:
            if until < self._sent:
                return []  # words may have begun in what has gone ahead of the verdicts
            self._open = False
            return [Finalize()]
        return self._advance()

    def has_judged(self, until: int) -> bool:
        """But for a window that is not complete yet."""
        return self._judged + self._window > until

    def engine_began(self) -> None:
        """The recogniser has noticed an utterance."""
        self._engine_busy = True

    def engine_ended(self) -> None:
        self._engine_busy = False

    def settled(self, until: int | None) -> None:
        """Its words are final up to this sample; None: up to the last that it was sent."""
        self._settled = max(self._settled, self._sent if until is None else min(until, self._sent))

    def reconnected(self) -> list[Command]:
        """The recogniser has forgotten what was not final: it is sent again."""
        self._engine_busy = False
        if not self._is_unsettled:
            return []
        again = Send(self._replay_since, self._sent)
        if again.since >= again.until:
            return []
        return [again] if self._open else [again, Finalize()]

    def ended(self) -> list[Command]:
        """No more audio comes, and no verdict."""
        return self._advance_to(self._received) if self._open else []

    # --- how ---

    def _open_gate(self, since: int) -> None:
        if not self._open:
            self._open = True
            self._sent = self._opened_at = max(self._sent, since - self._samples(self._settings.pre_roll_seconds))

    @property
    def _is_holding(self) -> bool:
        """It has been silent for long enough: nothing more is sent until a verdict says otherwise."""
        more = self._settings.patience_seconds if self._engine_busy else 0.0
        silence = self._samples(self._settings.hang_over_seconds + more)
        return self._open and self._judged - self._spoke_until >= silence

    @property
    def _replay_since(self) -> int:
        return max(self._settled, self._opened_at, self._sent - self._samples(self._settings.replay_seconds))

    @property
    def _is_unsettled(self) -> bool:
        """There was speech that may still have to be sent again."""
        if self._received - self._spoke_until > self._samples(self._settings.replay_seconds):
            return False  # whatever it was, it has been answered by now, or was no word
        return self._spoke_until - self._settled > self._samples(_SETTLED_SECONDS)

    def _advance(self) -> list[Command]:
        if not self._open or self._is_holding:
            return []
        return self._advance_to(min(self._received, self._judged + self._samples(self._settings.ahead_seconds)))

    def _advance_to(self, until: int) -> list[Command]:
        until = min(until, self._received)
        if until <= self._sent:
            return []
        since, self._sent = self._sent, until
        return [Send(since, until)]

    def _samples(self, seconds: float) -> int:
        return round(seconds * self._rate)


class SentAudio:
    """Where in the call each stretch lies that a recogniser was sent: its own time has no gaps."""

    def __init__(self, sample_rate: int, *, kept_stretches: int = 256) -> None:
        self._rate = sample_rate
        self._kept = kept_stretches
        self._begins: list[int] = []
        "of each stretch, in the recogniser's time"
        self._in_call: list[int] = []
        "the same moments in the call's"
        self._length = 0

    @property
    def samples(self) -> int:
        return self._length

    def add(self, sent: Send) -> None:
        if not self._begins or self._in_call[-1] - self._begins[-1] != sent.since - self._length:
            self._begins.append(self._length)
            self._in_call.append(sent.since)
            del self._begins[: -self._kept], self._in_call[: -self._kept]
        self._length += sent.until - sent.since

    def began(self, seconds: float) -> float:
        """When in the call that sounded which begins at this second of the recogniser's time."""
        return self._place(seconds, bisect_right(self._begins, round(seconds * self._rate)))

    def ended(self, seconds: float) -> float:
        """The same of an end: one that falls on a cut belongs to what came before it."""
        return self._place(seconds, bisect_left(self._begins, round(seconds * self._rate)))

    def _place(self, seconds: float, following: int) -> float:
        if not self._begins:
            return seconds
        index = max(0, following - 1)
        return seconds + (self._in_call[index] - self._begins[index]) / self._rate
