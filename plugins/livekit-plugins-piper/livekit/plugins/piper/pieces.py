"""Cutting a stream of text into what is spoken at one go: the first clause, then sentences."""

from __future__ import annotations

import re

from livekit.agents import tokenize

SHORTEST_PIECE = 12
"characters: less would be over before what follows it is synthesised"

LONGEST_PIECE = 400
"characters: a run without punctuation is cut here, at a space: bounds memory and the time to its first audio"

_CLAUSE_END = re.compile(r"""[,;:–—]["'”’)\]]*(?=\s)""")

_LONE_SURROGATE = re.compile(r"[\ud800-\udfff]")
"half a character, which the tokenizer does not take"


class PieceCutter:
    """Text in parts of any size in, pieces to be spoken out; all of them joined are the input.

    A sentence leaves when the next one begins, since "Dr." may yet be followed by a name; the first clause at once.
    """

    def __init__(self) -> None:
        self._pending = ""
        self._begun = False
        self._sentences = tokenize.blingfire.SentenceTokenizer(min_sentence_len=SHORTEST_PIECE, retain_format=True)

    def push(self, text: str) -> list[str]:
        self._pending += _LONE_SURROGATE.sub("\ufffd", text)
        pieces = []
        while (end := self._end()) is not None:
            pieces.append(self._pending[:end])
            self._pending = self._pending[end:]
            self._begun = True
        return pieces

    def flush(self) -> list[str]:
        """What is left; what comes after it begins anew, with a clause."""
        rest, self._pending = self._pending, ""
        self._begun = False
        return [rest] if rest else []

    def _end(self) -> int | None:
        """Where the first piece of what is pending ends; None while it may go on."""
        sentences = self._sentences.tokenize(self._pending)
        ends = [len(sentences[0])] if len(sentences) > 1 and sentences[1].strip() else []
        if not self._begun:
            clause = next((mark for mark in _CLAUSE_END.finditer(self._pending) if mark.end() >= SHORTEST_PIECE), None)
            ends += [clause.end()] if clause else []
        if len(self._pending) > LONGEST_PIECE:
            space = self._pending.rfind(" ", 0, LONGEST_PIECE)
            ends.append(space if space > 0 else LONGEST_PIECE)
        return min(ends, default=None)
