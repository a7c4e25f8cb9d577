"""What tools answered becomes words and the next step."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from .definition import Lookup
from .offers import the_one
from .pursuit import Pursuit
from .results import as_moments, moments_in, nearest, of_part, read_output, within, without_moments
from .scene import Scene
from .state import Frame, Pending, Plan

_BROKEN = ("internal error", "unknown function", "invalid output")
"""What the framework answers in a tool's stead; no words for a caller."""


class Outcomes:
    """The rules for a tool's answer."""

    def __init__(self, scene: Scene, pursuit: Pursuit) -> None:
        self._scene = scene
        self._state = scene.state
        self._pursuit = pursuit

    def returned(self, frame: Frame, output: str, *, is_error: bool) -> Plan:
        """The tool that was called for this frame answered."""
        index = self._state.lookup
        lookup = None if index is None else frame.intent.lookups[index]
        if is_error:
            return self._failed(frame, lookup.forget if lookup else frame.intent.forget, output)
        if lookup is not None:
            return self._looked_up(frame, lookup, read_output(output))
        return self._done(frame, read_output(output))

    def _looked_up(self, frame: Frame, lookup: Lookup, result: Any) -> Plan:
        items = result.get(lookup.pick) if lookup.pick and isinstance(result, Mapping) else result
        if lookup.must_include:
            return self._check(frame, lookup, items, result)
        if items is None or items == []:
            return self._nothing_found(frame, lookup)
        frame.passed[lookup.into] = self._pursuit.question_of(frame, lookup)
        things = [item for item in items if isinstance(item, Mapping)] if isinstance(items, list) else []
        thing = things[0] if len(things) == 1 else the_one(things, frame.hints)
        if things and thing is None:
            self._state.choices = things
            self._state.pending, self._state.lookup = Pending.WHICH, frame.intent.lookups.index(lookup)
            return self._scene.tell(self._scene.question())
        return self._pursuit.found(frame, lookup, thing or items)

    def _nothing_found(self, frame: Frame, lookup: Lookup) -> Plan:
        words = self._scene.words(frame, f"{lookup.into}.none", lookup.none)
        for name in lookup.forget:
            frame.values.pop(name, None)
            self._state.memory.pop(name, None)
        if not frame.missing():
            self._scene.leave()
            return self._scene.tell(words, self._scene.anything_else())
        return self._pursuit.advance(frame, words)

    def _check(self, frame: Frame, lookup: Lookup, items: Any, result: Any) -> Plan:
        """Whether the wanted moment is in the list that the tool gave; if not, its neighbours are offered."""
        moments = as_moments(items, _day(frame))
        wanted = self._pursuit.wanted_moment(frame, lookup)
        if wanted is None or within(moments, wanted):
            frame.passed[lookup.into] = self._pursuit.question_of(frame, lookup)
            return self._pursuit.advance(frame)
        words = self._scene.words(frame, f"{lookup.into}.none", lookup.none, result=result)
        return self._offer(frame, lookup.forget, words, nearest(moments, wanted))

    def _offer(self, frame: Frame, forget: tuple[str, ...], words: str, offers: list[datetime]) -> Plan:
        """Says what was not possible and offers moments instead, or asks again."""
        for name in forget:
            frame.values.pop(name, None)
        if not offers:
            return self._pursuit.advance(frame, words)
        self._state.frame, self._state.offers, self._state.pending = frame, offers, Pending.OFFER
        return self._scene.tell(words, self._scene.question())

    def _failed(self, frame: Frame, forget: tuple[str, ...], output: str) -> Plan:
        """A tool said that it cannot: its words, and what it offers instead."""
        offers = moments_in(output)
        spoken = without_moments(output) if offers else output.strip()
        if not spoken or any(mark in spoken.lower() for mark in _BROKEN):
            self._scene.leave()
            return self._scene.tell(self._scene.voice.wording("broken"), self._scene.anything_else())
        error = spoken if spoken.startswith("I ") else spoken[0].lower() + spoken[1:]
        words = self._scene.words(frame, "failed", frame.intent.failed, error=error)
        words = words or self._scene.voice.wording("failed", error=error)
        frame.passed.clear()
        if not forget:
            self._scene.leave()
            return self._scene.tell(words, self._scene.anything_else())
        if offers and _day(frame) not in {offer.date() for offer in offers}:
            self._scene.forget(frame, "date")
        return self._offer(frame, forget, words, offers[:3])

    def _done(self, frame: Frame, result: Any) -> Plan:
        state, intent = self._state, frame.intent
        offers: list[datetime] = []
        if intent.offers and isinstance(result, Mapping):
            offers = of_part(as_moments(result.get(intent.offers), _day(frame)), frame.part)
            result = {**result, intent.offers: [offer.isoformat() for offer in offers]}
        words = self._scene.words(frame, "done", intent.done, result=result)
        state.memory |= {name: value for name, value in frame.values.items() if self._scene.slots[name].remember}
        state.speak_of(result)
        self._scene.leave()
        if state.parked:
            return self._resume(frame, offers, words)
        if intent.then:
            state.pending, state.finished, state.offers = Pending.THEN, frame, offers
        return self._scene.tell(words)

    def _resume(self, done: Frame, offers: list[datetime], words: str) -> Plan:
        """Goes on with what was interrupted by a question that is now answered."""
        parked = self._state.parked.pop()
        for name, value in done.values.items():
            if parked.intent.slot(name):
                parked.values.setdefault(name, value)
        # The question that ends the answer would stand beside the one that is open.
        words = re.sub(r"(?<=[.!]) [^.!?]*\?$", "", words)
        if offers and any(self._scene.slots[name].kind == "time" for name in parked.missing()):
            self._state.frame, self._state.offers, self._state.pending = parked, offers, Pending.OFFER
            return self._scene.tell(words, self._scene.voice.wording("which_offer"))
        return self._pursuit.advance(parked, words)


def _day(frame: Frame) -> date | None:
    return next((value for value in frame.values.values() if type(value) is date), None)
