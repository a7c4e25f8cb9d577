"""Where a conversation stands. Rebuilt from the chat context for every reply; nothing of it outlives one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Any

from .definition import Intent
from .results import moments_in
from .slots import Value
from .times import DayPart


class Pending(Enum):
    """What the agent waits for."""

    NOTHING = "nothing"
    SLOT = "slot"
    CONFIRM = "confirm"
    "A yes or a no to the read-back."
    CHANGE = "change"
    "Which part of the read-back was wrong."
    OFFER = "offer"
    "One of the offered moments, or another."
    WHICH = "which"
    "One of several things that were found."
    THEN = "then"
    "Whether the caller wants what follows on (free times: book one?)."
    TOOL = "tool"
    "A tool's answer."


@dataclass(frozen=True)
class Call:
    """A tool that must be called now."""

    tool: str
    arguments: Mapping[str, str]


@dataclass(frozen=True)
class Plan:
    """The agent's next step: words, a call, or both."""

    text: str = ""
    call: Call | None = None


@dataclass
class Frame:
    """One thing that the caller wants, as far as it is known."""

    intent: Intent
    values: dict[str, Value] = field(default_factory=dict)
    found: dict[str, Any] = field(default_factory=dict)
    "What lookups found, by `into`."
    passed: dict[str, str] = field(default_factory=dict)
    "Lookups that were answered, with the question they answered."
    doubted: dict[str, Value] = field(default_factory=dict)
    "Values that the caller called wrong."
    refused: dict[str, tuple[str, ...]] = field(default_factory=dict)
    "Names that were heard and refused, by slot; the caller is asked to spell it."
    part: DayPart | None = None
    hints: list[Value] = field(default_factory=list)
    "Values that tell which of several things is meant: `move it from tuesday to friday`."

    def doubt(self, slot: str) -> None:
        """Drops a value that the caller called wrong."""
        if slot in self.values:
            self.doubted[slot] = self.values.pop(slot)

    def missing(self) -> list[str]:
        """Slots that must still be asked for."""
        return [slot.name for slot in self.intent.slots if not slot.optional and slot.name not in self.values]


@dataclass
class State:
    """All of it."""

    frame: Frame | None = None
    parked: list[Frame] = field(default_factory=list)
    "Frames that wait until the present one is done."
    pending: Pending = Pending.NOTHING
    slot: str = ""
    "Pending.SLOT: which one."
    offers: list[datetime] = field(default_factory=list)
    choices: list[Mapping[str, Any]] = field(default_factory=list)
    "Pending.WHICH: what was found."
    lookup: int | None = None
    "Pending.TOOL: index of the lookup; None for the intent's own call."
    finished: Frame | None = None
    "Pending.THEN: the frame whose values are carried on."
    heard: bool = True
    "Whether the caller heard the question that is pending."
    misses: int = 0
    "Utterances in a row that could not be used."
    memory: dict[str, Value] = field(default_factory=dict)
    "Remembered values, by slot."
    used: dict[str, int] = field(default_factory=dict)
    "How often each set of templates was used."
    moment: datetime | None = None
    "The appointment that was spoken of last."
    last: str = ""
    "What the agent said last."
    repeating: str = ""
    "What is said again as long as the caller asks for it; empty if he did not."
    turns: int = 0
    "How often the caller spoke."

    def speak_of(self, thing: object) -> None:
        """Remembers the moment of something that a tool found, for `the same day`."""
        moments = moments_in(str(thing)) if isinstance(thing, Mapping) else []
        self.moment = moments[0] if moments else self.moment
