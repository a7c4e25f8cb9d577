"""Which words were heard, beside those that were written: lost, doubled, stale, remembered wrongly. Pure."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any

from voiceworker.lab.audio import Samples
from voiceworker.lab.emulators.requests import text_of
from voiceworker.lab.emulators.tones import WORD_SECONDS, decode, words_of

_PART_SECONDS = 0.8 * WORD_SECONDS
"a word that was cut off within may count as heard or not"


@dataclass(frozen=True, slots=True)
class HeardText:
    words: tuple[str, ...]
    last_is_part: bool
    "the last word was cut off within: to have heard it and not to have heard it are both true"


def heard_text(samples: Samples) -> HeardText:
    """The words of the emulated voice in int16[samples] (24 kHz mono)."""
    found = decode(samples)
    return HeardText(tuple(word.text for word in found), bool(found) and found[-1].seconds < _PART_SECONDS)


def told_of(messages: Sequence[Mapping[str, Any]]) -> list[str]:
    """The words that a chat request says the agent spoke last, before the caller's last message."""
    last_user = max((place for place, message in enumerate(messages) if message.get("role") == "user"), default=-1)
    before = [message for message in messages[: max(0, last_user)] if message.get("role") == "assistant"]
    return words_of(text_of(dict(before[-1]))) if before else []


def remembered_wrongly(told: Sequence[str], heard: HeardText) -> int:
    """Words that the model believes were heard and were not, plus words that were heard and it does not know of."""
    errors = [_difference(told, heard.words)]
    if heard.last_is_part:
        errors.append(_difference(told, heard.words[:-1]))
    return min(errors)


def _difference(one: Sequence[str], other: Sequence[str]) -> int:
    same = sum(block.size for block in SequenceMatcher(None, one, other, autojunk=False).get_matching_blocks())
    return len(one) + len(other) - 2 * same


def stale_words(heard: HeardText, reply: Sequence[str]) -> list[str]:
    """What was heard after a silence and is not part of the reply that was due."""
    matcher = SequenceMatcher(None, heard.words, reply, autojunk=False)
    return [
        word
        for tag, begin, end, _, _ in matcher.get_opcodes()
        if tag in ("delete", "replace")
        for word in heard.words[begin:end]
    ]


def is_whole(heard: HeardText, reply: Sequence[str]) -> bool:
    """Whether what was heard is a run of the reply without a word lost or said twice; its edges may lie anywhere."""
    words = list(heard.words)
    for run in (words, words[1:], words[:-1], words[1:-1]):
        if run and any(list(reply[place : place + len(run)]) == run for place in range(len(reply) - len(run) + 1)):
            return True
    return not words


def alternates(messages: Sequence[Mapping[str, Any]]) -> bool:
    """Whether caller and agent speak in turn in a history, whatever stands before as instructions."""
    roles = [message.get("role") for message in messages if message.get("role") in ("user", "assistant")]
    return all(first != second for first, second in itertools.pairwise(roles))
