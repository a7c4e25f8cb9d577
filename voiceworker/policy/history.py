"""How much of a long conversation is kept, and told to the language model; pure.

When it has grown over its limit it is cut back well below it: providers keep the beginning of a prompt in a cache, and
a beginning that changed with every turn would be paid for in full, and waited for, with every turn.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Kind = Literal["instructions", "caller", "agent", "call", "output", "other"]
"""Who said it; call and output: of a tool. other: nothing that a model is told, as a change of settings."""

KEPT_SHARE = 0.75
"of the limit, that a cut leaves: with two items a turn, the default limit of 400 is cut every fifty turns"


@dataclass(frozen=True, slots=True)
class Item:
    kind: Kind
    call: str = ""
    "which call of a tool a call or an output is about"


def kept(items: Sequence[Item], limit: int) -> list[int]:
    """The places of those that stay, in their order: at most `limit`, which has to be 2 or more.

    What stays are the instructions that the conversation began with and its latest part, from a message of the
    caller's on. No call loses its output, nor an output its call: what would be halved goes as a whole.
    """
    if len(items) <= limit:
        return list(range(len(items)))
    instructions = _leading_instructions(items)[: limit - 1]
    room = max(1, int(limit * KEPT_SHARE) - len(instructions))
    return sorted({*instructions, *_whole(items, _latest(items, room))})


def _leading_instructions(items: Sequence[Item]) -> list[int]:
    begun = (place for place, item in enumerate(items) if item.kind not in ("instructions", "other"))
    return [place for place in range(next(begun, len(items))) if items[place].kind == "instructions"]


def _latest(items: Sequence[Item], room: int) -> list[int]:
    begin = len(items) - room
    callers = [place for place, item in enumerate(items) if item.kind == "caller"]
    within = next((place for place in callers if place >= begin), None)
    if within is not None and len(items) - within >= room // 2:
        return list(range(within, len(items)))
    before = next((place for place in reversed(callers) if place < begin), None)
    if before is not None:  # one turn fills most of it: its question stands for what is cut out behind it
        return [before, *range(begin + 1, len(items))]
    return list(range(begin if within is None else within, len(items)))


def _whole(items: Sequence[Item], places: Sequence[int]) -> list[int]:
    """Without the halves of calls. A call that nobody has answered yet is whole."""
    stay = set(places)
    calls = {items[place].call for place in places if items[place].kind == "call"}
    cut_outputs = {item.call for place, item in enumerate(items) if item.kind == "output" and place not in stay}

    def is_whole(item: Item) -> bool:
        if item.kind == "output":
            return item.call in calls
        return item.kind != "call" or item.call not in cut_outputs

    return [place for place in places if is_whole(items[place])]
