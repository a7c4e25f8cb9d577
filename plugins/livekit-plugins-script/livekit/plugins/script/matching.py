"""How well an utterance fits a script's intents: weighted words, in any order, with a phrase's options forgiven.

A recogniser drops and swaps small words, so whole-phrase patterns would miss most speech. Each word weighs the more
the fewer intents it belongs to; words that every sentence has weigh little. A score is what part of a phrase was
said, lowered by what was said besides.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass

from .definition import Definition, Intent
from .phrases import Choice, Part, Series, SlotPart, Word
from .slots import alike
from .words import STOPWORDS, Words, word_set

THRESHOLD = 0.55
"""From this score on, an intent is what the caller wants."""
ASIDE_THRESHOLD = 0.7
"""In the middle of something else it takes this much."""

_STOPWORD_WEIGHT = 0.12
_QUESTION_WEIGHT = 0.5
_SLOT_WEIGHT = 0.35
# A word that no phrase has.
_UNKNOWN_WEIGHT = 1.0
# A value that belongs to the intent makes up for so much that is not understood.
_VALUE_WEIGHT = 0.5
# A value for which the intent has no use was not said for nothing.
_FOREIGN_VALUE_WEIGHT = 0.4
_KEYWORD_SCORE = 0.85
# Of two phrases that fit alike, the one that says more is meant.
_LENGTH_BONUS = 0.03
# What besides a phrase was said lowers its score by at most this part.
_BESIDES = 0.65


@dataclass(frozen=True)
class Match:
    intent: Intent
    score: float
    worded: bool = True
    "False: nothing but values fitted (`haircut on tuesday at three`), which says less in the middle of something."


class Matcher:
    """Scores of one script. Built once; keeps nothing of a call."""

    def __init__(self, definition: Definition) -> None:
        self._intents = definition.intents
        counts: Counter[str] = Counter()
        for intent in definition.intents:
            counts.update({_stem(word) for phrase in (*intent.phrases, *intent.keywords) for word in phrase.words()})
        total = max(2, len(definition.intents))
        self._weights = {
            word: _weight(word, 0.3 + 0.7 * math.log(total / count) / math.log(total)) for word, count in counts.items()
        }
        self._keywords = {
            intent.name: [words for phrase in intent.keywords for words in phrase.expansions()]
            for intent in definition.intents
        }

    def rank(
        self, words: Words, taken: Collection[int], slots: Collection[str], covered: Collection[int]
    ) -> list[Match]:
        """Intents by score, best first.

        `taken` are the words that are values, `slots` the names of these; `covered` the words that are acts, which
        need no explanation.
        """
        said = {_stem(token) for index, token in enumerate(words.tokens)}
        free = {
            _stem(token)
            for index, token in enumerate(words.tokens)
            if index not in taken
            and token not in _LIGHT_WORDS
            and (index not in covered or _stem(token) in self._weights)
        }
        matches = [self._match(intent, words, said, free, set(slots)) for intent in self._intents]
        return sorted(matches, key=lambda match: -match.score)

    def _match(self, intent: Intent, words: Words, said: set[str], free: set[str], slots: set[str]) -> Match:
        best, worded = 0.0, False
        own = {slot.name for slot in intent.slots}
        values = _VALUE_WEIGHT * len(own & slots)
        for phrase in intent.phrases:
            matched, total, used = self._fit(phrase.root, said, slots)
            foreign = _FOREIGN_VALUE_WEIGHT * len(slots - own - set(phrase.slots()))
            besides = self._besides(free, used, values, foreign)
            score = matched / total * besides + _LENGTH_BONUS * matched if total else 0.0
            best, worded = max((best, worded), (score, not used <= _STOP_STEMS))
        for sequence in self._keywords[intent.name]:
            if _contains(words.tokens, sequence):
                used = {_stem(word) for word in sequence} | self._vocabulary(intent)
                best, worded = max((best, worded), (_KEYWORD_SCORE * self._besides(free, used, values), True))
        return Match(intent, best, worded)

    def _vocabulary(self, intent: Intent) -> set[str]:
        return {_stem(word) for phrase in (*intent.phrases, *intent.keywords) for word in phrase.words()}

    def _besides(self, free: set[str], used: set[str], values: float, foreign: float = 0.0) -> float:
        """How much of what was said the phrase and the intent's values account for, as a factor."""
        whole = foreign + sum(self._weights.get(word, _UNKNOWN_WEIGHT) for word in free)
        unexplained = foreign + sum(self._weights.get(word, _UNKNOWN_WEIGHT) for word in free if word not in used)
        return 1 - _BESIDES * unexplained / (whole + values) if whole else 1.0

    def _fit(self, part: Part, said: set[str], slots: set[str]) -> tuple[float, float, set[str]]:
        """Weight that was said, weight there is, and the words said, of the part's best reading."""
        if isinstance(part, Word):
            stem = _stem(part.text)
            weight = self._weights[stem]
            if stem in said or (len(stem) > 4 and any(alike(word, stem) for word in said)):
                return weight, weight, {stem}
            return 0.0, weight, set()
        if isinstance(part, SlotPart):
            return (_SLOT_WEIGHT, _SLOT_WEIGHT, set()) if part.name in slots else (0.0, _SLOT_WEIGHT, set())
        if isinstance(part, Series):
            return _sum([self._fit(child, said, slots) for child in part.parts])
        return self._fit_choice(part, said, slots)

    def _fit_choice(self, part: Choice, said: set[str], slots: set[str]) -> tuple[float, float, set[str]]:
        fits = [self._fit(alternative, said, slots) for alternative in part.alternatives]
        best = max(fits, key=lambda fit: (fit[0] - 0.5 * (fit[1] - fit[0]), -fit[1]))
        if part.optional and best[0] < 0.5 * best[1]:
            return 0.0, 0.0, set()
        return best


def _sum(fits: list[tuple[float, float, set[str]]]) -> tuple[float, float, set[str]]:
    return sum(fit[0] for fit in fits), sum(fit[1] for fit in fits), set().union(*(fit[2] for fit in fits))


def _contains(tokens: tuple[str, ...], sequence: tuple[str, ...]) -> bool:
    stems = [_stem(token) for token in tokens]
    wanted = [_stem(word) for word in sequence]
    return any(stems[start : start + len(wanted)] == wanted for start in range(len(stems) - len(wanted) + 1))


def _stem(word: str) -> str:
    """A word without its plural or its `ing`: `parking`, `parks` and `park` are one."""
    if word == "news":
        return word
    for ending, least in (("ing", 6), ("'s", 4), ("es", 6), ("s", 4)):
        if word.endswith(ending) and len(word) >= least and not word.endswith("ss"):
            return word[: -len(ending)]
    return word


_QUESTION_WORDS = frozenset({"where", "when", "how", "much", "long", "many", "who"})
_STOP_STEMS = frozenset(_stem(word) for word in STOPWORDS - _QUESTION_WORDS)
# `sometime next week` names no day, but it is nothing strange either.
_VAGUE_TIMES = word_set("next week weekend month sometime soon later earlier morning afternoon evening day")
_LIGHT_WORDS = (STOPWORDS - _QUESTION_WORDS) | _VAGUE_TIMES


def _weight(stem: str, otherwise: float) -> float:
    if stem in _QUESTION_WORDS:
        return _QUESTION_WEIGHT
    return _STOPWORD_WEIGHT if stem in _STOP_STEMS else otherwise
