"""A reply that one model began and another goes on with: nothing of it is said twice; pure.

The next model is told what has been said and asked to go on from there. Some do; some begin anew, some repeat the
sentence or the last words. So its first words are compared with what was said, and what they repeat is left out. One
word alone is no repetition, nor are several that are alike: of "five five", "five one" none may be lost.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

_SENTENCE_END = re.compile(r"""[.!?…。！？।]["'”’)\]]*\s*$""")
_WORD = re.compile(r"\S+")
_BARE = re.compile(r"[\W_]+")
_LONGEST_REPETITION_WORDS = 400


def ends_a_sentence(text: str) -> bool:
    return bool(_SENTENCE_END.search(text))


@dataclass(slots=True)
class Continuation:
    """Takes what the next model writes, piece by piece, and gives what of it is new."""

    said: str
    _words: list[str] = field(init=False)
    _beginnings: set[int] = field(init=False)
    "places at which a sentence begins"
    _places: list[tuple[int, int]] = field(init=False)
    "from which word on the new ones may repeat what was said, and which word has to come next"
    _held: str = field(default="", init=False)
    _count: int = field(default=0, init=False)
    "words of what is held that have been compared"
    _repeated_until: int = field(default=0, init=False)
    "characters of what is held that repeat the end of what was said"
    _is_decided: bool = field(default=False, init=False)
    _began: bool = field(default=False, init=False)

    def __post_init__(self) -> None:
        self._words, self._beginnings, begins = [], set(), True
        for word in _WORD.findall(self.said)[-_LONGEST_REPETITION_WORDS:]:
            if bare := _bare(word):
                if begins:
                    self._beginnings.add(len(self._words))
                self._words.append(bare)
            begins = ends_a_sentence(word) or (begins and not bare)
        self._places = [(place, place) for place in range(len(self._words))]
        self._is_decided = not self._words

    def push(self, text: str) -> str:
        """What of it may be said."""
        if self._is_decided:
            return self._joined(text)
        self._held += text
        return self._compare(is_last=False)

    def finish(self) -> str:
        """The rest, when nothing more comes."""
        return "" if self._is_decided else self._compare(is_last=True)

    def _compare(self, *, is_last: bool) -> str:
        words = list(_WORD.finditer(self._held))
        complete = words if is_last else words[: len(words) - (not self._held[-1:].isspace())]
        while self._count < len(complete):
            match = complete[self._count]
            self._count += 1
            if not self._repeats(match):
                return self._decide()
        return self._decide() if is_last else ""

    def _repeats(self, match: re.Match[str]) -> bool:
        """The word goes on with what may be a repetition. False: from here on nothing is one."""
        bare = _bare(match.group())
        if not bare:  # a dash, a bullet
            return True
        last = len(self._words) - 1
        going: list[tuple[int, int]] = []
        for begin, place in self._places:
            if self._words[place] == bare:
                going.append((begin, place + 1))
                if place == last and self._is_a_repetition(begin):
                    self._repeated_until = match.end()
            elif place == last and not self._is_whole and bare.startswith(self._words[last]):
                self._repeated_until = match.start() + _length_of(match.group(), len(self._words[last]))
        self._places = [(begin, place) for begin, place in going if place <= last]
        return bool(self._places)

    def _is_a_repetition(self, begin: int) -> bool:
        words = set(self._words[begin:])
        return begin in self._beginnings or (len(words) > 1 and not all(word.isdigit() for word in words))

    @property
    def _is_whole(self) -> bool:
        """What was said does not end within a word, as far as can be seen."""
        return not self.said[-1:].isalnum()

    def _decide(self) -> str:
        self._is_decided = True
        rest, self._held = self._held[self._repeated_until :], ""
        if self._repeated_until and rest[:1].isalnum():  # the rest of a word that was cut
            self._began = True
            return rest
        return self._joined(rest)

    def _joined(self, text: str) -> str:
        """With a space between what was said and what goes on, if it needs one."""
        if self._began or not text:
            return text
        if self.said and self.said[-1].isspace():
            text = text.lstrip()
        if not text:
            return text
        self._began = True
        needs_space = bool(self.said) and not self.said[-1].isspace() and text[0].isalnum()
        return f" {text}" if needs_space else text


def _bare(word: str) -> str:
    return _BARE.sub("", word).casefold()


def _length_of(word: str, letters: int) -> int:
    """How much of a word as it is written holds so many of its letters and digits."""
    for index, character in enumerate(word):
        if letters == 0:
            return index
        letters -= len(_bare(character))
    return len(word)
