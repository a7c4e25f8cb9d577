"""Whether a provider that owes an answer still lives; pure.

A connection that is open says nothing: one that hangs is open, too. What counts is whether anything comes while
something is owed.
"""

from __future__ import annotations


class Liveness:
    """Moments are seconds of any monotonic clock."""

    def __init__(self, patience_seconds: float) -> None:
        """`patience_seconds`: of silence while something is owed, after which it is given up."""
        if patience_seconds <= 0:
            raise ValueError("patience is above 0")
        self._patience_seconds = patience_seconds
        self._owed: set[str] = set()
        self._heard_at = 0.0

    def owes(self, what: str, now: float) -> None:
        if not self._owed:
            self._heard_at = now
        self._owed.add(what)

    def settled(self, what: str) -> None:
        self._owed.discard(what)

    def heard(self, now: float) -> None:
        """Something came, whatever it is."""
        self._heard_at = now

    def forget(self) -> None:
        """Nothing is owed any more: whoever owed it is gone."""
        self._owed.clear()

    def is_dead(self, now: float) -> bool:
        return bool(self._owed) and now >= self._heard_at + self._patience_seconds

    def deadline(self) -> float | None:
        return self._heard_at + self._patience_seconds if self._owed else None
