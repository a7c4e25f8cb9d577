"""The port between a call and the tools that agent.py hands in."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from livekit.agents import llm

from voiceworker.config import AgentDefinition, Settings


@dataclass(frozen=True, slots=True)
class ToolSurroundings:
    """What a toolbox may know of the call it is made for."""

    definition: AgentDefinition
    settings: Settings
    clock: Callable[[], datetime]


Toolbox = Callable[[ToolSurroundings], Sequence[llm.Tool | llm.Toolset]]
"""makes the tools of one name for one call; raises pydantic.ValidationError when its settings are wrong"""
