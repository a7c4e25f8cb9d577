"""Phrases of a script: `[please] (book|make) an appointment [for {date}]`.

Words, `[optional parts]`, `(this|that)`, `[this|that]` and `{slot}`: the same shape as a JSGF rule, into which it is
written for the speech recogniser.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from .errors import Path, ScriptError
from .words import split

_PART = re.compile(r"\s*(\{[^{}]*\}|[\[\]()|]|[^\s\[\](){}|]+)")


@dataclass(frozen=True)
class Word:
    text: str


@dataclass(frozen=True)
class SlotPart:
    name: str


@dataclass(frozen=True)
class Series:
    parts: tuple[Part, ...]


@dataclass(frozen=True)
class Choice:
    alternatives: tuple[Series, ...]
    optional: bool


Part = Word | SlotPart | Series | Choice


@dataclass(frozen=True)
class Phrase:
    """One way to say something."""

    text: str
    "As it stands in the script."
    root: Series

    def words(self) -> Iterator[str]:
        """Every word that may occur, alternatives included."""
        yield from _words(self.root)

    def expansions(self, most: int = 500) -> list[tuple[str, ...]]:
        """Every sequence of words that the phrase stands for; slots are left out. At most `most`."""
        return [tuple(words) for words in _expand(self.root)][:most]

    def first_words(self) -> set[str]:
        """Words with which it may begin."""
        return {words[0] for words in self.expansions() if words}

    def slots(self) -> Iterator[str]:
        """Every slot that may occur."""
        yield from _slots(self.root)

    def jsgf(self, slot_rule: Callable[[str], str]) -> str:
        """The expansion of a JSGF rule; `slot_rule` names the rule of a slot."""
        return _jsgf(self.root, slot_rule)


def parse(text: str, path: Path) -> Phrase:
    """Reads a phrase. Raises ScriptError for brackets that do not match."""
    parts = _PART.findall(text)
    if "".join(parts) != re.sub(r"\s+", "", text):
        raise ScriptError(path, f"cannot read {text!r}: a '{{' without its '}}'")
    reader = _Reader(text, parts, path)
    root = reader.sequence(closing="")
    if not root.parts:
        raise ScriptError(path, "an empty phrase")
    return Phrase(text, root)


class _Reader:
    def __init__(self, text: str, parts: Sequence[str], path: Path) -> None:
        self._text = text
        self._parts = parts
        self._path = path
        self._index = 0

    def sequence(self, closing: str) -> Series:
        parts: list[Part] = []
        while self._index < len(self._parts):
            part = self._parts[self._index]
            if part == "|" and closing:
                break
            if part in ("]", ")", "|"):
                if part == closing:
                    break
                raise ScriptError(self._path, f"'{part}' without its beginning in {self._text!r}")
            self._index += 1
            if part in ("[", "("):
                parts.append(self._choice(part))
            elif part.startswith("{"):
                parts.append(SlotPart(part[1:-1].strip()))
            else:
                parts.extend(Word(token) for token in split(part).tokens)
        return Series(_join_words(parts))

    def _choice(self, opening: str) -> Choice:
        closing = {"[": "]", "(": ")"}[opening]
        alternatives: list[Series] = []
        while True:
            alternatives.append(self.sequence(closing))
            if self._index >= len(self._parts):
                raise ScriptError(self._path, f"'{opening}' without its '{closing}' in {self._text!r}")
            end = self._parts[self._index]
            self._index += 1
            if end == closing:
                break
        empty = any(not alternative.parts for alternative in alternatives)
        filled = tuple(alternative for alternative in alternatives if alternative.parts)
        if not filled:
            raise ScriptError(self._path, f"nothing between '{opening}' and '{closing}' in {self._text!r}")
        return Choice(filled, optional=opening == "[" or empty)


def _join_words(parts: Sequence[Part]) -> tuple[Part, ...]:
    """Words that belong together (`p m`, `never mind`) get the one form that an utterance has."""
    joined: list[Part] = []
    run: list[str] = []
    for part in [*parts, None]:
        if isinstance(part, Word):
            run.append(part.text)
            continue
        joined.extend(Word(token) for token in split(" ".join(run)).tokens)
        run = []
        if part is not None:
            joined.append(part)
    return tuple(joined)


def _words(part: Part) -> Iterator[str]:
    if isinstance(part, Word):
        yield part.text
    elif isinstance(part, Series):
        for child in part.parts:
            yield from _words(child)
    elif isinstance(part, Choice):
        for child in part.alternatives:
            yield from _words(child)


def _slots(part: Part) -> Iterator[str]:
    if isinstance(part, SlotPart):
        yield part.name
    elif isinstance(part, Series):
        for child in part.parts:
            yield from _slots(child)
    elif isinstance(part, Choice):
        for child in part.alternatives:
            yield from _slots(child)


def _expand(part: Part) -> list[list[str]]:
    if isinstance(part, Word):
        return [[part.text]]
    if isinstance(part, SlotPart):
        return [[]]
    if isinstance(part, Series):
        rows: list[list[str]] = [[]]
        for child in part.parts:
            rows = [row + more for row in rows for more in _expand(child)]
        return rows
    options = [row for alternative in part.alternatives for row in _expand(alternative)]
    return [*options, []] if part.optional else options


SPELLINGS: dict[str, str] = {"pm": "p m", "am": "a m", "nevermind": "never mind", "mhm": "mm hmm", "cannot": "can not"}
"""What a recogniser's dictionary calls a word that is joined here."""


def spell(word: str) -> str:
    return SPELLINGS.get(word, word)


def _jsgf(part: Part, slot_rule: Callable[[str], str]) -> str:
    if isinstance(part, Word):
        return spell(part.text)
    if isinstance(part, SlotPart):
        return f"<{slot_rule(part.name)}>"
    if isinstance(part, Series):
        return " ".join(_jsgf(child, slot_rule) for child in part.parts)
    body = " | ".join(_jsgf(child, slot_rule) for child in part.alternatives)
    return f"[{body}]" if part.optional else f"({body})"
