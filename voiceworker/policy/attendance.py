"""Is anybody there? Decides when a call asks, says goodbye and ends; pure.

A call waits for its caller, forgives a lost network for a while, asks a silent caller once whether he is still there,
and has a longest duration. What happens is told by the methods, each with `now` in seconds of any monotonic clock;
what is to be done comes out of `due(now)`, and `deadline()` says when to ask again.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Literal

EndReason = Literal[
    "caller_left",
    "caller_silent",
    "caller_never_joined",
    "agent_hung_up",
    "time_limit",
    "budget_spent",
    "models_down",
    "room_closed",
    "worker_shutdown",
    "error",
]


@dataclass(frozen=True, slots=True)
class AttendanceSettings:
    first_join_seconds: float = 120
    "how long the caller may take to join: a browser asks for the microphone first"
    return_seconds: float = 15
    "how long a caller who has left may take to come back"
    silence_seconds: float = 15
    "silence of both before the question, and again before the goodbye"
    longest_sound_seconds: float = 30
    "sound without a single recognised word counts as a caller's turn for this long, then as noise"
    farewell_seconds: float = 25
    "longest time for a goodbye to be said"
    max_seconds: float = 1800
    "longest duration of a call, from the first join"


@dataclass(frozen=True, slots=True)
class AskStillThere:
    """Say the question; the call goes on."""


@dataclass(frozen=True, slots=True)
class SayGoodbye:
    """Say the farewell of this reason, then tell `farewell_said`."""

    reason: EndReason


@dataclass(frozen=True, slots=True)
class EndCall:
    """Leave the room and close it."""

    reason: EndReason


Command = AskStillThere | SayGoodbye | EndCall


class _Phase(Enum):
    WAITING = "waiting for the first join"
    PRESENT = "present"
    AWAY = "left, may come back"
    PARTING = "the farewell is being said"
    ENDED = "ended"


class Attendance:
    def __init__(self, settings: AttendanceSettings, now: float) -> None:
        self._settings = settings
        self._phase = _Phase.WAITING
        self._since = now
        self._joined_at: float | None = None
        self._quiet_since = now
        self._sound_since: float | None = None
        self._wordless_since: float | None = None
        "when sound first began after the last words of either side"
        self._agent_busy = False
        self._asked = False
        self._dismissed: EndReason | None = None
        self._reason: EndReason = "caller_never_joined"

    # --- what happens ---

    def caller_joined(self, now: float) -> None:
        if self._phase in (_Phase.WAITING, _Phase.AWAY, _Phase.PARTING):
            self._enter(_Phase.PRESENT, now)
            self._joined_at = now if self._joined_at is None else self._joined_at
            self._heard_from_caller(now)

    def caller_left(self, now: float) -> None:
        if self._phase in (_Phase.PRESENT, _Phase.PARTING):
            self._reason = self._reason if self._phase is _Phase.PARTING else "caller_left"
            self._enter(_Phase.AWAY if self._phase is _Phase.PRESENT else _Phase.ENDED, now)

    def caller_sound(self, now: float, *, started: bool) -> None:
        """The voice detector heard sound begin or end. It may be noise."""
        self._sound_since = now if started else None
        if self._wordless_since is None:
            self._wordless_since = now
        noise = now >= self._wordless_since + self._settings.longest_sound_seconds
        if not started and not noise and not self._asked:
            self._quiet_since = now

    def caller_words(self, now: float) -> None:
        """The caller said or typed something that was understood as words."""
        self._heard_from_caller(now)

    def agent_busy(self, now: float, *, busy: bool) -> None:
        """The agent thinks or speaks (busy), or listens."""
        if self._agent_busy and not busy:
            self._quiet_since, self._wordless_since = now, None
        self._agent_busy = busy

    def farewell_said(self, now: float) -> None:
        if self._phase is _Phase.PARTING:
            self._enter(_Phase.ENDED, now)

    def end(self, reason: EndReason, now: float) -> None:
        """It is over from outside: the agent hung up, the room was closed, a model failed. The first reason stands."""
        if self._phase is not _Phase.ENDED:
            self._reason = reason
            self._enter(_Phase.ENDED, now)

    def dismiss(self, reason: EndReason, now: float) -> None:
        """It has to come to an end, but politely: the farewell of this reason is the next command."""
        if self._phase is _Phase.PRESENT:
            self._dismissed = reason
        elif self._phase in (_Phase.WAITING, _Phase.AWAY):
            self.end(reason, now)

    # --- what is to be done ---

    def due(self, now: float) -> list[Command]:
        """The commands whose time has come; each is given once, EndCall for ever after the end."""
        at = self.deadline()
        if self._phase is _Phase.ENDED:
            return [EndCall(self._reason)]
        if self._phase is _Phase.PRESENT and self._dismissed is not None:
            return [self._part(self._dismissed, now)]
        if at is None or now < at:
            return []
        if self._phase in (_Phase.WAITING, _Phase.AWAY, _Phase.PARTING):
            self._enter(_Phase.ENDED, now)
            return [EndCall(self._reason)]
        if self._joined_at is not None and now >= self._joined_at + self._settings.max_seconds:
            return [self._part("time_limit", now)]
        if self._asked:
            return [self._part("caller_silent", now)]
        self._asked = True
        self._quiet_since = now
        return [AskStillThere()]

    def deadline(self) -> float | None:
        """When `due` has to be asked next; None when nothing but an event can change anything."""
        settings = self._settings
        match self._phase:
            case _Phase.WAITING:
                return self._since + settings.first_join_seconds
            case _Phase.AWAY:
                return self._since + settings.return_seconds
            case _Phase.PARTING:
                return self._since + settings.farewell_seconds
            case _Phase.PRESENT:
                assert self._joined_at is not None
                limit = self._joined_at + settings.max_seconds
                silent = self._silent_at()
                return limit if silent is None else min(limit, silent)
            case _:
                return None

    @property
    def ever_joined(self) -> bool:
        return self._joined_at is not None

    def _silent_at(self) -> float | None:
        if self._agent_busy:
            return None
        quiet_at = self._quiet_since + self._settings.silence_seconds
        if self._sound_since is None or self._wordless_since is None:
            return quiet_at
        return max(quiet_at, self._wordless_since + self._settings.longest_sound_seconds)

    def _heard_from_caller(self, now: float) -> None:
        self._asked = False
        self._quiet_since, self._wordless_since = now, None

    def _part(self, reason: EndReason, now: float) -> SayGoodbye:
        self._reason = reason
        self._enter(_Phase.PARTING, now)
        return SayGoodbye(reason)

    def _enter(self, phase: _Phase, now: float) -> None:
        self._phase, self._since = phase, now
