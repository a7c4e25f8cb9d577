"""Slots: the kinds of values a caller can give, and how each is found among his words."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time

from .dates import DateOrder, find_dates
from .names import NameSlot, find_names
from .numbers import DIGITS, cardinal_at, say_cardinal
from .spelling import find_spelling, nearest_name
from .spoken import say_date, say_digits, say_time
from .times import USUAL_HOURS, DayPart, find_times
from .words import Words, split

Value = date | time | str | int


@dataclass(frozen=True)
class Context:
    """What is known when words are searched for values."""

    today: date
    date_order: DateOrder = "MDY"
    asked: str | None = None
    "Name of the slot that the agent has just asked for."
    part: DayPart | None = None
    "Part of the day that the caller named before (`tomorrow afternoon`)."
    refused: tuple[str, ...] = ()
    "Names that the caller said he did not say; he has been asked to spell his."
    that_moment: datetime | None = None
    "What `the same day` and `the same time` mean: an appointment that was spoken of."


@dataclass(frozen=True)
class Mention:
    """A value that somebody said."""

    slot: str
    value: Value
    start: int
    end: int
    certain: bool = True
    "False: these words are a value only if one was expected."
    negated: bool = False
    "`not tuesday`."
    source: bool = False
    "`from tuesday`: what it was, not what it shall be."


@dataclass(frozen=True)
class Slot:
    """A slot of the script, as written there."""

    name: str
    kind: str
    ask: tuple[str, ...] = ()
    optional: bool = False
    default: str = ""
    "Template of the value that is meant when every other value is there and this one was not named."
    remember: bool = False
    "Whether the value is kept for the next thing that the caller wants."
    called: tuple[str, ...] = ()
    "What a caller calls it: `the time`, `the treatment`."
    options: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    "choice: value to the ways of saying it."
    names: NameSlot = field(default_factory=NameSlot)
    between: tuple[time, time] = USUAL_HOURS
    least: int = 0
    most: int = 9999
    digits: tuple[int, int] = (7, 15)
    "phone: fewest and most digits."

    def find(self, words: Words, taken: set[int], context: Context) -> list[Mention]:
        """This slot's values among the words that are not `taken`; the words found become taken."""
        mentions = [mention for mention in _FINDERS[self.kind](self, words, taken, context)]
        free = [mention for mention in mentions if not taken.intersection(range(mention.start, mention.end))]
        for mention in free:
            if mention.certain or context.asked == self.name:
                taken.update(range(mention.start, mention.end))
        return free

    def parse(self, text: str) -> Value | None:
        """A value from a tool's notation, for a default; the date or the time of a moment is enough."""
        try:
            if self.kind == "date":
                return date.fromisoformat(text[:10])
            if self.kind == "time":
                return time.fromisoformat(text[11:16] or text[:5])
        except ValueError:
            return None
        return text or None

    def say(self, value: Value, today: date | None = None) -> str:
        """The value in words for a voice."""
        if isinstance(value, date):
            return say_date(value, today)
        if isinstance(value, time):
            return say_time(value)
        if isinstance(value, int):
            return say_cardinal(value)
        return say_digits(value) if self.kind == "phone" else value

    def plain(self, value: Value) -> str:
        """The value as a tool's argument: ISO 8601 for dates and times."""
        if isinstance(value, time):
            return value.strftime("%H:%M")
        return value.isoformat() if isinstance(value, date) else str(value)


def _masked(words: Words, taken: set[int]) -> list[str]:
    """The words, with those that are taken blanked, so that nothing is found across them."""
    return ["\0" if index in taken else token for index, token in enumerate(words.tokens)]


def _find_dates(slot: Slot, words: Words, taken: set[int], context: Context) -> list[Mention]:
    found = find_dates(_masked(words, taken), context.today, context.date_order)
    mentions = [Mention(slot.name, hit.value, hit.start, hit.end) for hit in found]
    if context.that_moment is not None:
        same = _same(words, ("day", "date"))
        mentions += [Mention(slot.name, context.that_moment.date(), start, start + 2) for start in same]
    return mentions


def _same(words: Words, nouns: Collection[str]) -> list[int]:
    """Where `same day` begins."""
    pairs = zip(words.tokens, words.tokens[1:], strict=False)
    return [start for start, (first, second) in enumerate(pairs) if first in ("same", "that") and second in nouns]


def _find_times(slot: Slot, words: Words, taken: set[int], context: Context) -> list[Mention]:
    asked = context.asked == slot.name
    found = find_times(_masked(words, taken), asked=asked, hours=slot.between, part=context.part)
    mentions = [Mention(slot.name, hit.value, hit.start, hit.end, certain=hit.certain) for hit in found]
    if context.that_moment is not None:
        same = _same(words, ("time", "hour"))
        mentions += [Mention(slot.name, context.that_moment.time(), start, start + 2) for start in same]
    return mentions


def _find_phones(slot: Slot, words: Words, taken: set[int], context: Context) -> list[Mention]:
    """Runs of digits: `oh seven seven double nine`, `07700 900123`."""
    mentions: list[Mention] = []
    index = 0
    while index < len(words):
        digits, at, repeat = "", index, 1
        while at < len(words) and at not in taken:
            token = words.tokens[at]
            if token in ("double", "triple"):
                repeat = 2 if token == "double" else 3
            elif token.isascii() and token.isdigit():
                digits, repeat = digits + token * repeat, 1
            elif token in DIGITS:
                digits, repeat = digits + DIGITS[token] * repeat, 1
            elif (number := cardinal_at(words.tokens, at, most=99)) is not None and digits:
                digits, at = digits + str(number[0]), number[1] - 1
            else:
                break
            at += 1
        if slot.digits[0] <= len(digits) <= slot.digits[1]:
            mentions.append(Mention(slot.name, digits, index, at))
        index = max(at, index + 1)
    return mentions


def _find_numbers(slot: Slot, words: Words, taken: set[int], context: Context) -> list[Mention]:
    mentions: list[Mention] = []
    tokens = _masked(words, taken)
    index = 0
    while index < len(tokens):
        hit = cardinal_at(tokens, index, most=slot.most)
        if hit is None or hit[0] < slot.least:
            index += 1
            continue
        mentions.append(Mention(slot.name, hit[0], index, hit[1], certain=context.asked == slot.name))
        index = hit[1]
    return mentions


def _find_choices(slot: Slot, words: Words, taken: set[int], context: Context) -> list[Mention]:
    """Options by their longest wording first; a typed or misheard letter is forgiven in words of five and more."""
    ways = [(split(way).tokens, value) for value, ways in slot.options.items() for way in (value, *ways)]
    ways.sort(key=lambda way: -len(way[0]))
    mentions: list[Mention] = []
    used = set(taken)
    for way, value in ways:
        for start in range(len(words) - len(way) + 1):
            span = range(start, start + len(way))
            if used.isdisjoint(span) and all(alike(words.tokens[at], part) for at, part in zip(span, way, strict=True)):
                used.update(span)
                mentions.append(Mention(slot.name, value, span.start, span.stop))
    return sorted(mentions, key=lambda mention: mention.start)


def alike(said: str, meant: str) -> bool:
    """Whether a word is another one, its plural, or a slip of the pen away from it."""
    if said == meant or said.rstrip("s") == meant.rstrip("s"):
        return True
    if len(meant) < 5 or abs(len(said) - len(meant)) > 2 or said[:1] != meant[:1]:
        return False
    return difflib.SequenceMatcher(None, said, meant).ratio() >= 0.84


def _find_names(slot: Slot, words: Words, taken: set[int], context: Context) -> list[Mention]:
    asked = context.asked == slot.name
    if asked and context.refused and (spelling := find_spelling(words, taken)) is not None:
        return [Mention(slot.name, _respelled(slot, spelling[0], context.refused), spelling[1], spelling[2])]
    return [
        Mention(slot.name, name, start, end, certain)
        for name, start, end, certain in find_names(slot.names, words, taken, asked=asked)
    ]


def _respelled(slot: Slot, letters: str, refused: Sequence[str]) -> str:
    """The name with its last word as it was spelled; the words before it were not in doubt."""
    parts = refused[-1].split()
    last_words = {name.split()[-1].lower() for name in refused}
    known = slot.names.last if len(parts) > 1 else slot.names.last | slot.names.first
    return " ".join([*parts[:-1], nearest_name(letters, known, last_words).title()])


def _find_text(slot: Slot, words: Words, taken: set[int], context: Context) -> list[Mention]:
    """The whole answer, if it was asked for."""
    if context.asked != slot.name or not len(words):
        return []
    return [Mention(slot.name, " ".join(words.originals), 0, len(words))]


_Finder = Callable[[Slot, Words, set[int], Context], Sequence[Mention]]
_FINDERS: dict[str, _Finder] = {
    "phone": _find_phones,
    "date": _find_dates,
    "time": _find_times,
    "choice": _find_choices,
    "name": _find_names,
    "number": _find_numbers,
    "text": _find_text,
}
KINDS = tuple(_FINDERS)
"""The slot types, in the order in which they take their words."""
