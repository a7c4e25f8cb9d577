"""Is a provider worth another request? One breaker for each model of a role; pure.

Closed: every request may go there. Open: none may, until a deadline. Half-open: the deadline has passed, one trial may
go there, a probe that costs nothing or else a real request, and decides. A trial that succeeds closes the breaker; one
that fails opens it again, for twice as long. After a probe the breaker is on probation: the provider answers the door,
but has not worked yet, so the first real failure opens it again and the time goes on doubling.

Moments are seconds of a clock that all calls share (`time.time`): what one call learns, the next begins with.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from enum import Enum


class State(Enum):
    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half-open"


class Severity(Enum):
    """What a failure says about the next request."""

    PASSING = "passing"
    "the next one may well succeed: a broken connection, a 503, a stall"
    BUSY = "busy"
    "the next one will fail as well, for a while: 429"
    LASTING = "lasting"
    "the next one will fail as well, until somebody does something: a wrong key, an unknown model"


@dataclass(frozen=True, slots=True)
class BreakerSettings:
    failures_in_a_row: int = 2
    "a caller has waited for each of them"
    window_seconds: float = 60.0
    least_requests: int = 4
    "in the window, before a share of them says anything"
    share_of_failures: float = 0.3
    first_open_seconds: float = 5.0
    longest_open_seconds: float = 120.0
    lasting_open_seconds: float = 300.0
    "after a failure that will repeat itself until an operator acts"
    longest_retry_after_seconds: float = 3600.0
    "a provider that asks for more is asked again all the same"
    trial_seconds: float = 15.0
    "a trial that has told nothing by then was lost with its call: another may be made"
    forget_seconds: float = 120.0
    "closed for so long, the next opening is a first one. A success alone does not make an unreliable provider reliable"


@dataclass(frozen=True, slots=True)
class Attempt:
    """A request that was let through; tell the breaker what became of it."""

    number: int
    began_at: float
    is_trial: bool = False


@dataclass(frozen=True, slots=True)
class Remembered:
    """What the next call has to know of a breaker."""

    told_at: float
    "when this was so"
    open_until: float | None
    openings: int
    "one after the other"


@dataclass(slots=True)
class Breaker:
    settings: BreakerSettings = field(default_factory=BreakerSettings)
    _open_until: float | None = None
    "None: closed"
    _opened_at: float = 0.0
    _closed_at: float = float("-inf")
    _openings: int = 0
    _in_a_row: int = 0
    _recent: deque[tuple[float, bool]] = field(default_factory=deque)
    "when a request ended, and whether it failed"
    _trial: Attempt | None = None
    _on_probation: bool = False
    _attempts: int = 0

    # --- questions ---

    def state(self, now: float) -> State:
        if self._open_until is None:
            return State.CLOSED
        return State.OPEN if now < self._opens_at(self._open_until, now) else State.HALF_OPEN

    def deadline(self, now: float) -> float | None:
        """The next moment at which something may be tried that may not now; always after `now`. None: it may now."""
        if self._open_until is None:
            return None
        opens_at = self._opens_at(self._open_until, now)
        if now < opens_at:
            return opens_at
        trial_ends_at = self._trial_ends_at(now)
        return trial_ends_at if trial_ends_at > now else None

    def remembered(self, now: float) -> Remembered:
        return Remembered(now, self._open_until, self._openings)

    # --- a request ---

    def admit(self, now: float, *, forced: bool = False) -> Attempt | None:
        """A request may be made: None when not. `forced`: whatever the breaker thinks, as there is nobody else."""
        state = self.state(now)
        may_try = state is State.CLOSED or (state is State.HALF_OPEN and self._trial_ends_at(now) <= now)
        if not may_try and not forced:
            return None
        self._attempts += 1
        attempt = Attempt(self._attempts, now, is_trial=state is not State.CLOSED)
        if may_try and attempt.is_trial:
            self._trial = attempt
        return attempt

    def succeeded(self, attempt: Attempt, now: float) -> None:
        if self._is_stale(attempt):
            return
        self._note(now, failed=False)
        self._close(now)
        self._in_a_row, self._on_probation = 0, False

    def answered_a_probe(self, attempt: Attempt, now: float) -> None:
        """A trial that was no real request has succeeded."""
        if self._is_stale(attempt):
            return
        self._close(now)
        self._on_probation, self._in_a_row = True, 0

    def failed(
        self,
        attempt: Attempt,
        now: float,
        severity: Severity = Severity.PASSING,
        retry_after_seconds: float | None = None,
    ) -> None:
        if self._is_stale(attempt):
            return
        self._note(now, failed=True)
        self._in_a_row += 1
        if severity is not Severity.PASSING or attempt.is_trial or self._on_probation or self._is_enough(now):
            self._open(now, severity, retry_after_seconds)

    def abandoned(self, attempt: Attempt) -> None:
        """The request was given up for reasons of our own; it has said nothing."""
        if self._trial is not None and self._trial.number == attempt.number:
            self._trial = None

    def recall(self, remembered: Remembered, now: float) -> None:
        """What another call has learnt, later than what this one knows."""
        self._openings = max(0, remembered.openings)
        self._trial = None
        if remembered.open_until is None:
            self._close(now)
            self._in_a_row = 0
        else:
            self._opened_at = min(remembered.told_at, now)
            self._opens_at(remembered.open_until, now)

    # --- how ---

    def _is_stale(self, attempt: Attempt) -> bool:
        """It began before the breaker opened: the opening knew of its time already."""
        return self._open_until is not None and not attempt.is_trial and attempt.began_at <= self._opened_at

    def _is_enough(self, now: float) -> bool:
        if self._in_a_row >= self.settings.failures_in_a_row:
            return True
        failures = sum(failed for _, failed in self._recent)
        count = len(self._recent)
        return count >= self.settings.least_requests and failures >= self.settings.share_of_failures * count

    def _note(self, now: float, *, failed: bool) -> None:
        self._recent.append((now, failed))
        while self._recent and self._recent[0][0] < now - self.settings.window_seconds:
            self._recent.popleft()

    def _open(self, now: float, severity: Severity, retry_after_seconds: float | None) -> None:
        settings = self.settings
        if now - max(self._closed_at, self._open_until or self._opened_at) > settings.forget_seconds:
            self._openings = 0
        doubled = settings.first_open_seconds * 2.0 ** min(self._openings, 30)
        seconds = min(doubled, settings.longest_open_seconds)
        if severity is Severity.LASTING:
            seconds = max(seconds, settings.lasting_open_seconds)
        if retry_after_seconds is not None and retry_after_seconds >= 0:
            asked = min(retry_after_seconds, settings.longest_retry_after_seconds)
            seconds = asked if severity is Severity.BUSY else max(seconds, asked)
        self._open_until, self._opened_at = now + seconds, now
        self._openings += 1
        self._in_a_row, self._on_probation, self._trial = 0, False, None
        self._recent.clear()

    def _close(self, now: float) -> None:
        if self._open_until is not None:
            self._closed_at = now
        self._open_until, self._trial = None, None

    def _trial_ends_at(self, now: float) -> float:
        """`now` or earlier when none is under way; a clock that was set back does not make it longer."""
        if self._trial is None:
            return now
        return min(self._trial.began_at, now) + self.settings.trial_seconds

    def _opens_at(self, moment: float, now: float) -> float:
        """A clock that was set back, or a file of another machine, does not lock a provider out for good."""
        settings = self.settings
        longest = max(
            settings.longest_open_seconds, settings.lasting_open_seconds, settings.longest_retry_after_seconds
        )
        self._open_until = min(moment, now + longest)
        return self._open_until
