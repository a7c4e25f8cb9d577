"""What kind of sentence is the agent saying? Known by phrases that the agent's file gives; pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Literal

Marked = Literal["reading_back", "important"]
"""reading_back: what was understood is said again, to be confirmed. important: a sentence that has to be finished."""

_SENTENCE_END = re.compile(r"(?<=[.!?…。！？])\s+|(?<=[。！？])")
_WORD = re.compile(r"\w+(?:['’]\w+)*")


class Situations:
    def __init__(self, phrases: Mapping[Marked, Sequence[str]]) -> None:
        """`phrases`: a sentence with one of them in it, in whatever case and with whatever marks, is of that kind."""
        self._phrases = [(kind, words) for kind, texts in phrases.items() for text in texts if (words := _words(text))]

    def of(self, heard: str, upcoming: str) -> Marked | None:
        """The kind of the sentence that is being said: `heard` of the speech so far, `upcoming` to follow."""
        if not self._phrases:
            return None
        begun = _SENTENCE_END.split(heard)[-1]
        rest = _SENTENCE_END.split(upcoming.lstrip(), maxsplit=1)[0] if not _ends(heard) else ""
        sentence = f" {' '.join(_words(f'{begun} {rest}'))} "
        return next((kind for kind, words in self._phrases if f" {' '.join(words)} " in sentence), None)


def _ends(text: str) -> bool:
    return bool(re.search(r"[.!?…。！？]\s*$", text))


def _words(text: str) -> list[str]:
    return [word.casefold().replace("’", "'") for word in _WORD.findall(text)]
