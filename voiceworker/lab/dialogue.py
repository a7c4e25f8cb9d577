"""Holding a call from its first line to its last: prepared lines, or a persona that answers what it hears."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from voiceworker.lab.audio import Samples, read_speech
from voiceworker.lab.caller import Caller, NoAnswerError
from voiceworker.lab.conversation import Turn


@dataclass(frozen=True, slots=True)
class Line:
    speech: Samples
    at_second: float | None = None
    "after the join, whatever the agent does then; None: when the agent has finished"


def read_line(text: str) -> Line:
    """The line that `f.wav` or `f.wav@12.5` means. Raises AudioError."""
    timed = re.fullmatch(r"(?P<path>.+)@(?P<second>\d+(?:\.\d+)?)", text)
    if timed is None or Path(text).exists():
        return Line(read_speech(Path(text)))
    return Line(read_speech(Path(timed["path"])), float(timed["second"]))


async def say_lines(
    caller: Caller,
    lines: Sequence[Line],
    *,
    answer_seconds: float = 20,
    on_answer: Callable[[], None] = lambda: None,
) -> None:
    """Speaks the lines, each in its turn or at its second, and waits for the answer to the last.

    `on_answer` is called whenever the agent has finished and nothing said before can change any more. Without lines it
    listens to the greeting. Raises NoAnswerError; what was said until then is in the caller.
    """
    if not lines:
        await caller.wait_for_greeting()
        if not caller.heard.stretches:
            raise NoAnswerError("the agent said nothing")
        return
    for number, line in enumerate(lines, start=1):
        if line.at_second is not None:
            await caller.until_second(line.at_second)
        elif number == 1:
            await caller.wait_for_greeting()
        else:
            await caller.wait_for_reply(answer_seconds)
        if caller.agent_left:
            raise NoAnswerError(f"the agent hung up before line {number}")
        if line.at_second is None:
            on_answer()
        await caller.say(line.speech)
    await caller.wait_for_reply(answer_seconds)


class Persona(Protocol):
    def reply(self, agent_text: str) -> str | None:
        """What a caller of this character says to it; None: he hangs up."""
        ...


async def converse(
    caller: Caller,
    persona: Persona,
    audio_for_line: Callable[[str], Awaitable[Samples]],
    *,
    most_turns: int = 30,
    answer_seconds: float = 20,
) -> list[Turn]:
    """Lets the persona talk to the agent until one of them hangs up. Raises NoAnswerError."""
    words = await caller.wait_for_greeting()
    for _ in range(most_turns):
        line = persona.reply(words)
        if line is None or caller.agent_left:
            break
        await caller.say(await audio_for_line(line))
        words = (await caller.wait_for_reply(answer_seconds)).agent
    return caller.conversation.turns()
