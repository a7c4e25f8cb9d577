"""A script in memory: what a caller may want, what is asked, called and said."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from .dates import DateOrder
from .phrases import Phrase
from .slots import Slot
from .wording import DEFAULTS

Templates = tuple[str, ...]
"""Ways to say one thing, used in turn."""


@dataclass(frozen=True)
class ToolUse:
    """A call of a tool."""

    tool: str
    arguments: Mapping[str, str]
    "Argument to template; one that needs a value which is not there is left out."


@dataclass(frozen=True)
class Lookup:
    """Something asked of a tool on the way, before anything is confirmed."""

    into: str
    "Name of what is found, for templates: `{appointment.starts_at}`."
    needs: tuple[str, ...]
    "Slots that must be known first."
    use: ToolUse
    pick: str
    "Key of the list in the tool's answer; empty for the whole answer."
    found: Templates
    "Said when one is found; may be empty."
    which: Templates
    "Question when several are found, with {choices}."
    none: Templates
    "Said when nothing is found."
    must_include: str
    "Template of a value that the list must hold; otherwise the nearest of the list are offered."
    forget: tuple[str, ...]
    "Slots asked for again when nothing was found, or the value is not in the list."


@dataclass(frozen=True)
class Intent:
    """One thing that a caller may want."""

    name: str
    phrases: tuple[Phrase, ...] = ()
    keywords: tuple[Phrase, ...] = ()
    say: Templates = ()
    start: Templates = ()
    slots: tuple[Slot, ...] = ()
    lookups: tuple[Lookup, ...] = ()
    confirm: Templates = ()
    call: ToolUse | None = None
    done: Templates = ()
    failed: Templates = ()
    forget: tuple[str, ...] = ()
    then: str = ""
    "Intent that a yes, or a value, begins when this one is done."
    offers: str = ""
    "Key of the list in the tool's answer from which the caller may choose."

    @property
    def is_answer(self) -> bool:
        """Whether it only says something."""
        return self.call is None

    @property
    def has_effect(self) -> bool:
        """Whether it changes something, so that it takes a yes."""
        return bool(self.confirm)

    def slot(self, name: str) -> Slot | None:
        return next((slot for slot in self.slots if slot.name == name), None)


@dataclass(frozen=True)
class Goodbye:
    say: Templates = DEFAULTS["goodbye"]
    tool: str = "end_call"


@dataclass(frozen=True)
class Definition:
    """A whole script."""

    help: str
    intents: tuple[Intent, ...]
    slots: tuple[Slot, ...] = ()
    "Slots that intents share, and that phrases of every intent may name."
    date_order: DateOrder = "MDY"
    goodbye: Goodbye = field(default_factory=Goodbye)
    wording: Mapping[str, Templates] = field(default_factory=lambda: dict(DEFAULTS))

    def intent(self, name: str) -> Intent | None:
        return next((intent for intent in self.intents if intent.name == name), None)

    def all_slots(self) -> tuple[Slot, ...]:
        """Every slot once by its name."""
        own = {slot.name: slot for intent in self.intents for slot in intent.slots}
        return tuple((own | {slot.name: slot for slot in self.slots}).values())
