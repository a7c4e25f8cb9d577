"""Cutting a stream of text into clauses, the unit that espeak-ng gives an intonation of its own."""

from __future__ import annotations

import re
from dataclasses import dataclass

LONGEST_CLAUSE_CHARACTERS = 240
"a run without punctuation is cut here, at a space: bounds memory and the time to the first audio"

_BOUNDARY = re.compile(
    r"""
    (?P<mark> [.,;:!?…—]+ ) ["'”’)\]]* (?=\s)     # a mark is a boundary only before a space: 3:30, $1,000, a.b@c.d
    | [。！？、，；：]+                               # these need no space
    | \n
    """,
    re.VERBOSE,
)
_ABBREVIATION = re.compile(
    r"""(?: ^ | [\s("'“‘] )
    (?: dr | mr | mrs | ms | prof | st | rev | jr | sr | vs | approx | e\.g | i\.e | cf | tel | ext | no | [^\W\d_] )
    \. $""",
    re.VERBOSE | re.IGNORECASE,
)
_HALF_OF_DAY = re.compile(r"\b [ap]\.\s?m\. $", re.VERBOSE | re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Clause:
    text: str
    "as it was written, with the space that follows it"
    complete: bool
    "it ends where a speaker pauses; False: it was cut for length"


class ClauseCutter:
    """Text in pieces of any size in, whole clauses out. Nothing is lost: the texts of all clauses joined are the input.

    A clause leaves as soon as the space after its mark is seen; only `p.m.` and the like wait for the letter after it.
    """

    def __init__(self) -> None:
        self._pending = ""

    def push(self, text: str) -> list[Clause]:
        self._pending += text
        clauses = []
        while (clause := self._next()) is not None:
            clauses.append(clause)
        return clauses

    def flush(self) -> list[Clause]:
        """What is left, as one clause; empty when nothing is."""
        rest, self._pending = self._pending, ""
        return [Clause(rest, complete=True)] if rest else []

    def _next(self) -> Clause | None:
        for match in _BOUNDARY.finditer(self._pending):
            if match.end() > LONGEST_CLAUSE_CHARACTERS:
                break
            end = match.end() + (match["mark"] is not None)
            if not self._pending[:end].strip():
                continue
            verdict = self._is_boundary(match)
            if verdict is None:
                return self._take_if_too_long()
            if verdict:
                return self._take(end, complete=True)
        return self._take_if_too_long()

    def _is_boundary(self, match: re.Match[str]) -> bool | None:
        """None: the letter that decides has not come yet."""
        if match["mark"] != ".":
            return True
        before = self._pending[: match.end("mark")]
        if _HALF_OF_DAY.search(before):
            after = self._pending[match.end() :].lstrip()
            return (after[0].isupper() or after[0] in "\"'“‘(") if after else None
        return _ABBREVIATION.search(before) is None

    def _take_if_too_long(self) -> Clause | None:
        if len(self._pending) <= LONGEST_CLAUSE_CHARACTERS:
            return None
        space = max(self._pending.rfind(mark, 0, LONGEST_CLAUSE_CHARACTERS) for mark in " \t\n\r")
        return self._take(space + 1 if space > 0 else LONGEST_CLAUSE_CHARACTERS, complete=False)

    def _take(self, end: int, *, complete: bool) -> Clause:
        text, self._pending = self._pending[:end], self._pending[end:]
        return Clause(text, complete)
