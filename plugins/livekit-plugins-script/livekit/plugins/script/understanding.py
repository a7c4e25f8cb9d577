"""What one utterance says, before anything is decided: values, acts, wishes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from .acts import Acts, find_acts
from .matching import Match, Matcher
from .slots import KINDS, Context, Mention, Slot
from .times import DayPart, find_day_part
from .words import FILLERS, STOPWORDS, Words, split

_NEGATIONS = (
    ("not",),
    ("isn't",),
    ("instead", "of"),
    ("rather", "than"),
    ("not", "on"),
    ("not", "at"),
    ("not", "for"),
    ("don't", "want"),
)


_OPEN_KINDS = ("name", "text")


@dataclass(frozen=True)
class Understanding:
    """One utterance, read."""

    words: Words
    mentions: tuple[Mention, ...]
    "Values, in the order in which they were said."
    acts: Acts
    matches: tuple[Match, ...]
    "Intents, best first."
    part: DayPart | None
    pick: int | None
    "Which of several offered things: 0 is the first, -1 the last."
    leftover: tuple[str, ...]
    "Words with content that are neither value nor act."
    is_act: bool = False
    "Acts alone, and fillers."

    @property
    def is_empty(self) -> bool:
        """Nothing but fillers."""
        return not self.mentions and not self.acts.found and not self.leftover

    def values_of(self, slot: str) -> list[Mention]:
        return [mention for mention in self.mentions if mention.slot == slot]


def understand(text: str, slots: Sequence[Slot], matcher: Matcher, context: Context) -> Understanding:
    """Reads an utterance. Pure: the same text in the same context is always read the same."""
    words = split(text[:2000])
    taken: set[int] = set()
    mentions: list[Mention] = []
    asked_first = sorted(slots, key=lambda slot: (KINDS.index(slot.kind), slot.name != context.asked))
    for slot in asked_first:
        if slot.kind not in _OPEN_KINDS:
            mentions.extend(slot.find(words, taken, context))
    # Anything may be a name: what has a meaning of its own (`that's all`) is none.
    acts = find_acts(words, taken)
    taken_by_acts = taken | acts.covered
    for slot in asked_first:
        if slot.kind in _OPEN_KINDS:
            found = slot.find(words, taken_by_acts, context)
            mentions.extend(found)
            taken.update(at for mention in found if mention.certain for at in range(mention.start, mention.end))
    mentions = sorted((_judged(mention, words) for mention in mentions), key=lambda mention: mention.start)
    names = {mention.slot for mention in mentions}
    matches = matcher.rank(words, taken, names, acts.covered)
    leftover = tuple(
        token
        for index, token in enumerate(words.tokens)
        if index not in taken and index not in acts.covered and token not in STOPWORDS
    )
    is_act = bool(acts.found) and all(
        index in acts.covered or token in FILLERS for index, token in enumerate(words.tokens)
    )
    part, pick = find_day_part(words.tokens), _pick(words)
    return Understanding(words, tuple(mentions), acts, tuple(matches), part, pick, leftover, is_act)


def _judged(mention: Mention, words: Words) -> Mention:
    """Marks `not tuesday` and `from tuesday to thursday`."""
    before = words.tokens[: mention.start]
    trimmed = before[:-1] if before and before[-1] in ("the", "a", "on", "at") else before
    for tokens in (before, trimmed):
        if any(tokens[-len(negation) :] == negation for negation in _NEGATIONS):
            return replace(mention, negated=True)
    if before and before[-1] == "from" and "to" in words.tokens[mention.end :]:
        return replace(mention, source=True)
    return mention


_PICKS = {
    "first": 0,
    "second": 1,
    "third": 2,
    "fourth": 3,
    "last": -1,
    "latter": -1,
    "former": 0,
    "earlier": 0,
    "earliest": 0,
    "later": -1,
    "latest": -1,
}


def _pick(words: Words) -> int | None:
    """`the first one`, `the last`, `the earlier one`, `number two`."""
    for index, token in enumerate(words.tokens):
        after = words.tokens[index + 1] if index + 1 < len(words) else ""
        before = words.tokens[index - 1] if index else ""
        if token in _PICKS and (after in ("one", "option", "time", "please", "") or before == "the"):
            return _PICKS[token]
        if token in ("number", "option") and after in ("one", "two", "three"):
            return ("one", "two", "three").index(after)
    return None
