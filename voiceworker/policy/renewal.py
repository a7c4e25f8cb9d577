"""When the connection to a speech-to-speech model is renewed, ahead of the provider's cap on it; pure.

In a silence as soon as the connection is middle-aged; at any moment that loses nothing when its cap is near.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RenewalSettings:
    cap_seconds: float
    "after which the provider ends a connection"
    middle_age: float = 0.6
    "share of the cap from which on any silence is used"
    near_share: float = 0.15
    "of the cap, before its end, in which no silence is waited for"
    near_seconds: float = 60.0
    "the most of that"
    silence_seconds: float = 0.3
    "of both, that is one"

    def __post_init__(self) -> None:
        if self.cap_seconds <= 0:
            raise ValueError("a cap is above 0")
        if not 0 < self.middle_age < 1 - self.near_share:
            raise ValueError("middle age comes before the end is near")


class Renewal:
    """Moments are seconds of any monotonic clock."""

    def __init__(self, settings: RenewalSettings, now: float) -> None:
        self._settings = settings
        self._opened_at = now
        self._sounds: set[str] = set()
        self._quiet_since = now
        self._pending = False

    def opened(self, now: float) -> None:
        """A new connection has taken over."""
        self._opened_at = now

    def sound(self, who: str, now: float, *, on: bool) -> None:
        """Somebody begins or ceases to speak, or to prepare what he will say."""
        was_quiet = not self._sounds
        (self._sounds.add if on else self._sounds.discard)(who)
        if not self._sounds and not was_quiet:
            self._quiet_since = now

    def pending(self, *, on: bool) -> None:
        """Something is under way that a renewal would lose: a response, a transcript."""
        self._pending = on

    def due(self, now: float) -> bool:
        if self._pending:
            return False
        if now >= self._near_at:
            return True
        return now >= self._middle_at and self.is_quiet(now)

    def is_quiet(self, now: float) -> bool:
        return not self._sounds and now >= self._quiet_since + self._settings.silence_seconds

    def deadline(self, now: float) -> float | None:
        """When to ask again, unless something is told before; None when only that can make it due."""
        if self._pending:
            return None
        if self._sounds:
            return self._near_at
        return min(self._near_at, max(self._middle_at, self._quiet_since + self._settings.silence_seconds))

    @property
    def _middle_at(self) -> float:
        return self._opened_at + self._settings.cap_seconds * self._settings.middle_age

    @property
    def _near_at(self) -> float:
        settings = self._settings
        return (
            self._opened_at
            + settings.cap_seconds
            - min(settings.cap_seconds * settings.near_share, settings.near_seconds)
        )
