"""What every rule of a conversation shares: the script, the state, and words for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from .definition import Definition
from .numbers import say_cardinal
from .results import spread
from .slots import Context, Slot, Value
from .spoken import say_date, say_moments
from .state import Call, Frame, Pending, Plan, State
from .templates import Values
from .understanding import Understanding
from .voice import Voice


@dataclass
class Scene:
    """One conversation's state and its script."""

    definition: Definition
    today: date
    tools: frozenset[str]
    "Names of the tools that may be called now."
    state: State = field(default_factory=State)
    voice: Voice = field(init=False)
    slots: Mapping[str, Slot] = field(init=False)

    def __post_init__(self) -> None:
        self.voice = Voice(self.definition, self.state, self.today)
        self.slots = {slot.name: slot for slot in self.definition.all_slots()}

    def asked(self) -> str | None:
        """The slot that the pending question asks for."""
        state = self.state
        if state.pending is Pending.SLOT:
            return state.slot
        if state.pending in (Pending.OFFER, Pending.THEN) and state.offers:
            return next((slot.name for slot in self.slots.values() if slot.kind == "time"), None)
        return None

    def context(self) -> Context:
        """How the next utterance is to be read."""
        part = self.state.frame.part if self.state.frame else None
        refused = self.state.frame.refused.get(self.asked() or "", ()) if self.state.frame else ()
        order = self.definition.date_order
        return Context(self.today, order, self.asked(), part, refused, self.state.moment)

    def values(self, frame: Frame) -> Values:
        return Values(self.slots, frame.values, frame.found, self.today)

    def forget(self, frame: Frame, *kinds: str) -> None:
        """Drops a frame's values of these kinds."""
        for slot in frame.intent.slots:
            if slot.kind in kinds:
                frame.values.pop(slot.name, None)

    def leave(self) -> None:
        """Nothing is being done any more."""
        state = self.state
        state.frame, state.pending, state.offers, state.choices, state.finished = None, Pending.NOTHING, [], [], None

    def remembered(self, names: tuple[Slot, ...]) -> dict[str, Value]:
        """Values that earlier wishes left for these slots."""
        return {slot.name: self.state.memory[slot.name] for slot in names if slot.name in self.state.memory}

    # Words

    def tell(self, *parts: str, call: Call | None = None) -> Plan:
        """A reply of several sentences, which is counted as heard until the chat context says otherwise."""
        self.state.heard = True
        return Plan(self.voice.compose(*parts), call)

    def words(self, frame: Frame, key: str, templates: tuple[str, ...], **others: Any) -> str:
        """The next of a frame's templates."""
        name = f"{frame.intent.name}.{key}"
        return self.voice.choose(name, templates, frame.values, {**frame.found, **others})

    def anything_else(self) -> str:
        return self.voice.wording("anything_else")

    def question(self) -> str:
        """The question that is pending, in its next wording; empty if there is none."""
        state, frame = self.state, self.state.frame
        if frame is None:
            return ""
        match state.pending:
            case Pending.CONFIRM:
                return self.words(frame, "confirm", frame.intent.confirm)
            case Pending.SLOT:
                return self._ask(frame, self.slots[state.slot])
            case Pending.OFFER:
                return self.voice.wording("offer", offers=self._say_offers(frame))
            case Pending.CHANGE:
                return self.voice.wording("what_to_change")
            case Pending.WHICH:
                return self._ask_which(frame)
        return ""

    def _ask(self, frame: Frame, slot: Slot) -> str:
        if slot.kind == "time" and frame.part is not None:
            return self.voice.wording("day_part", part=frame.part)
        if slot.name in frame.refused:
            return self.voice.wording("spell")
        own = frame.intent.slot(slot.name) or slot
        return self.words(frame, f"ask.{slot.name}", own.ask)

    def _ask_which(self, frame: Frame) -> str:
        choices = self.voice.choice_words(self.state.choices)
        lookup = frame.intent.lookups[self.state.lookup or 0]
        count = say_cardinal(len(self.state.choices))
        words = self.words(frame, f"{lookup.into}.which", lookup.which, choices=choices, count=count)
        return words or self.voice.wording("which", choices=choices)

    def _say_offers(self, frame: Frame) -> str:
        """The offered moments; their day is said unless it is the one that was spoken of."""
        days = {offer.date() for offer in self.state.offers}
        words = say_moments(spread(self.state.offers), self.today, "or")
        if len(days) == 1 and not days & {value for value in frame.values.values() if type(value) is date}:
            return f"{say_date(days.pop(), self.today)} at {words}"
        return words

    def missed(self, said: Understanding) -> Plan:
        """Nothing of it could be used: honest, each time in other words."""
        state = self.state
        state.misses += 1
        if state.frame is None and state.pending is Pending.NOTHING:
            if said.is_empty or (state.misses > 1 and len(said.words) < 3):
                return self.tell(self.voice.wording("unclear"), self.voice.wording("help"))
            return self.tell(self.voice.wording("out_of_domain"))
        parts = [self.voice.wording("unclear"), self.question() or self.anything_else()]
        if state.misses >= 3:
            parts.append(self.voice.wording("unclear_last"))
        return self.tell(*parts)
