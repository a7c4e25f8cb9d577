"""A script, read and ready."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import date, datetime
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from livekit.agents import llm

from .conversation import Conversation
from .definition import Definition
from .grammar import write_grammar
from .matching import Matcher
from .replay import next_step
from .scene import Scene
from .schema import read_definition
from .slots import Context
from .state import Plan
from .understanding import Understanding, understand


class Script:
    """The rules of one agent. Immutable: any number of calls may share it."""

    def __init__(self, definition: Definition, *, clock: Callable[[], datetime], timezone: str | ZoneInfo) -> None:
        self.definition = definition
        self._clock = clock
        self._timezone = ZoneInfo(timezone) if isinstance(timezone, str) else timezone
        matcher = Matcher(definition)
        slots = definition.all_slots()

        # Every reply reads the whole conversation again; the same words mean the same, so they are read once.
        @lru_cache(maxsize=512)
        def read(text: str, context: Context) -> Understanding:
            return understand(text, slots, matcher, context)

        self.understand: Callable[[str, Context], Understanding] = read

    @classmethod
    def from_mapping(
        cls,
        mapping: Mapping[str, Any],
        *,
        clock: Callable[[], datetime],
        timezone: str | ZoneInfo,
        tools: Collection[str] | None = None,
    ) -> Script:
        """Reads the `script:` part of an agent's file.

        `clock` gives the present as an aware datetime, `timezone` is the business's own, in which days and times are
        meant. `tools`: names of the tools there are; with it, a call of another one is an error. Raises ScriptError,
        which carries the path of the wrong key.
        """
        return cls(read_definition(mapping, tools), clock=clock, timezone=timezone)

    def warm_up(self) -> None:
        """Does what is done once, ahead of the first caller: the first sentence takes far longer than others."""
        self.understand("book it for the fifth of december at half past two", Context(self._today()))

    def jsgf(self) -> str:
        """A JSGF 1.0 grammar of what a caller may say, for a speech recogniser."""
        return write_grammar(self.definition)

    def next_step(self, items: Sequence[llm.ChatItem], tools: Collection[str]) -> Plan:
        """What the agent says or calls next, from the whole chat context. Pure but for the clock."""
        scene = Scene(self.definition, self._today(), frozenset(tools))
        return next_step(Conversation(scene, self.understand), items)

    def _today(self) -> date:
        return self._clock().astimezone(self._timezone).date()
