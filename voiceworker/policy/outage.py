"""The models of a role are all out of order: is an excuse enough, or has the call to end? Pure.

One failure is mostly over when the caller has said it again, so the agent asks for that. When it fails again with no
success between, the caller is not kept any longer: he is told that there is a fault, and the call ends.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Literal

Role = Literal["stt", "llm", "tts"]


class Reaction(Enum):
    EXCUSE = "ask the caller to say it again"
    PART = "say goodbye, once; the call is over"
    TOLD = "it is the same failure again: the caller was asked just now"
    PARTING = "the goodbye is being said already"


@dataclass(frozen=True, slots=True)
class OutageSettings:
    in_a_row: Mapping[Role, int] = field(default_factory=lambda: {"stt": 3, "llm": 2, "tts": 2})
    "so many failures end the call; what was said to nobody who hears may have been a noise"


class Outage:
    """Of one call."""

    def __init__(self, settings: OutageSettings | None = None) -> None:
        self._settings = settings or OutageSettings()
        self._failures: dict[Role, int] = {}
        self._told: set[Role] = set()
        "in this turn"
        self._parted: Role | None = None

    def turn_began(self) -> None:
        """The caller's words were taken for a turn. Until the next one a role fails once: a voice may fail for each
        second sentence of a reply."""
        self._told.clear()

    def answered(self, role: Role) -> None:
        """One of its models has done its work."""
        self._failures.pop(role, None)

    def failed(self, role: Role) -> Reaction:
        """No model of the role has done what was asked. A recogniser fails anew with each thing that is said."""
        if self._parted is not None:
            return Reaction.PARTING
        if role in self._told:
            return Reaction.TOLD
        if role != "stt":
            self._told.add(role)
        self._failures[role] = self._failures.get(role, 0) + 1
        if self._failures[role] < self._settings.in_a_row[role]:
            return Reaction.EXCUSE
        self._parted = role
        return Reaction.PART

    @property
    def is_mute(self) -> bool:
        """The call ends because no voice answers: the goodbye has to come from a file."""
        return self._parted == "tts"
