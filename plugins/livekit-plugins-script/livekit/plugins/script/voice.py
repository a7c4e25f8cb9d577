"""Chooses among ways to say a thing, so that nothing is said twice in a row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from .definition import Definition
from .slots import Slot, Value
from .spoken import say_list
from .state import State
from .templates import Missing, Values, describe, speak


class Voice:
    """Words for one conversation; what was used is kept in its state."""

    def __init__(self, definition: Definition, state: State, today: date) -> None:
        self._definition = definition
        self._state = state
        self._today = today
        self._slots: dict[str, Slot] = {slot.name: slot for slot in definition.all_slots()}

    def wording(self, key: str, **others: Any) -> str:
        """The next way to say something of `wording:`."""
        return self.choose(f"wording.{key}", self._definition.wording[key], {}, others)

    def choose(self, key: str, templates: Sequence[str], filled: Mapping[str, Value], others: Mapping[str, Any]) -> str:
        """The next of `templates` whose values are all there; empty if there is none."""
        values = Values(
            self._slots, filled, {"help": self._definition.help, "last": self._state.last, **others}, self._today
        )
        count = self._state.used.get(key, 0)
        self._state.used[key] = count + 1
        for turn in range(len(templates)):
            try:
                return speak(templates[(count + turn) % len(templates)], values)
            except Missing:
                continue
        return ""

    def compose(self, *parts: str) -> str:
        """One reply of several sentences, never the same as the last one."""
        text = " ".join(part for part in parts if part)
        if text and text == self._state.last:
            text = f"As I said, {text[0].lower() if not text.startswith('I ') else text[0]}{text[1:]}"
        return text

    def choice_words(self, choices: Sequence[Mapping[str, Any]]) -> str:
        """What was found, told apart: `the haircut on Tuesday the first of December at ten o'clock, or the ...`."""
        return say_list([f"the {describe(choice, self._today)}" for choice in choices[:4]], "or")
