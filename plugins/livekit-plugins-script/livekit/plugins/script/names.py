"""People's names among a caller's words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .dates import MONTHS, WEEKDAYS
from .numbers import CARDINALS, ORDINALS
from .words import STOPWORDS, Words, word_set

_INTRODUCTIONS: tuple[tuple[str, ...], ...] = tuple(
    tuple(words.split())
    for words in (
        "my name is", "my name's", "the name is", "the name's", "name is", "name's", "name of", "under the name of",
        "my name", "this is", "i'm", "i am", "it's", "it is", "that's", "call me", "speaking to", "under", "for",
        "with",
    )
)  # fmt: skip
_CERTAIN = frozenset(words for words in _INTRODUCTIONS if "name" in " ".join(words) or words == ("call", "me"))
_NEVER_A_NAME = (
    STOPWORDS
    | frozenset(MONTHS)
    | frozenset(WEEKDAYS)
    | frozenset(CARDINALS)
    | frozenset(ORDINALS)
    | word_set(
        "no not nope correct wrong appointment booking book cancel move change same last first surname "
        "name under today tomorrow morning afternoon evening night am pm o'clock half quarter past next this week "
        "day date time mister miss missus mrs mr ms doctor spelled spelt sure fine great thank nothing nevermind "
        "instead rather already repeat pardon what why yes yep yeah bye goodbye help stop wait forget everything "
        "anything something someone somebody really still make put say said hear calling ring looking going make it "
        "free available possible open closed later earlier soon early late busy ready done back here me "
        "him her them his hers their theirs he she they who whose "
    )
) - frozenset({"may", "april", "june", "august", "will"})


@dataclass(frozen=True)
class NameSlot:
    """Names to expect; others are understood too, these also without being asked for."""

    first: frozenset[str] = frozenset()
    last: frozenset[str] = frozenset()


def find_names(slot: NameSlot, words: Words, taken: set[int], *, asked: bool) -> list[tuple[str, int, int, bool]]:
    """Name, first index, index after the last, and whether it is certain to be one.

    Certain are names behind `my name is` and known first names with a known last name. A name alone counts where
    one was asked for.
    """
    found: list[tuple[str, int, int, bool]] = []
    index = 0
    while index < len(words):
        hit = _introduced(slot, words, index, taken, asked) or _known(slot, words, index, taken, asked)
        if hit is None:
            index += 1
        else:
            found.append(hit)
            index = hit[2]
    if not found and asked:
        found = _leftover(slot, words, taken)
    return found


def _run(words: Words, start: int, taken: set[int]) -> int:
    """End of the run of words from `start` that can be a name, at most three."""
    end = start
    while end < len(words) and end - start < 3 and end not in taken and _possible(words.tokens[end]):
        end += 1
    return end


def _possible(token: str) -> bool:
    return token not in _NEVER_A_NAME and len(token) > 1 and not any(letter.isdigit() for letter in token)


def _listed(slot: NameSlot, token: str) -> bool:
    return token in slot.first or token in slot.last


def _introduced(
    slot: NameSlot, words: Words, index: int, taken: set[int], asked: bool
) -> tuple[str, int, int, bool] | None:
    for introduction in _INTRODUCTIONS:
        start = index + len(introduction)
        if words.tokens[index:start] != introduction:
            continue
        while start < len(words) and words.tokens[start] in (
            "mister",
            "miss",
            "mrs",
            "mr",
            "ms",
            "missus",
            "doctor",
            "not",
        ):
            if words.tokens[start] == "not":
                return None
            start += 1
        end = _run(words, start, taken)
        if end == start:
            continue
        while start + 1 < end and not _listed(slot, words.tokens[start]) and words.tokens[start + 1] in slot.first:
            start += 1
        known = _listed(slot, words.tokens[start])
        certain = introduction in _CERTAIN
        # Behind `for` and `it's` stand many things; only a name of the list, or an answer, is one.
        if certain or known or (asked and introduction[0] not in ("with", "for")):
            return _title(words, start, _trim(slot, words, start, end)), start, end, certain or known
    return None


def _known(slot: NameSlot, words: Words, index: int, taken: set[int], asked: bool) -> tuple[str, int, int, bool] | None:
    if index in taken or words.tokens[index] not in slot.first or not (asked or _capital(words, index)):
        both = (
            index not in taken
            and words.tokens[index] in slot.first
            and index + 1 < len(words)
            and index + 1 not in taken
            and words.tokens[index + 1] in slot.last
        )
        if not both:
            return None
        return _title(words, index, index + 2), index, index + 2, True
    end = index + 1
    while end < len(words) and end - index < 3 and end not in taken and words.tokens[end] in slot.last:
        end += 1
    if end == index + 1 and asked:
        end = max(end, _trim(slot, words, index, _run(words, index, taken)))
    return _title(words, index, end), index, end, asked or end > index + 1


def _capital(words: Words, index: int) -> bool:
    return index > 0 and words.originals[index][:1].isupper()


def _trim(slot: NameSlot, words: Words, start: int, end: int) -> int:
    """A run that begins with a known first name ends at the known last name in it, if there is one."""
    for at in range(end - 1, start, -1):
        if words.tokens[at] in slot.last and words.tokens[start] in slot.first:
            return at + 1
    return end


def _leftover(slot: NameSlot, words: Words, taken: set[int]) -> list[tuple[str, int, int, bool]]:
    """What remains of an answer when everything that is no name is left out, if it is one short run."""
    runs: list[tuple[int, int]] = []
    index = 0
    while index < len(words):
        end = _run(words, index, taken)
        if end > index:
            runs.append((index, end))
        index = max(end, index + 1)
    others = sum(1 for token in words.tokens if token not in _NEVER_A_NAME)
    if len(runs) != 1 or others > 3:
        return []
    start, end = runs[0]
    known = any(_listed(slot, token) for token in words.tokens[start:end])
    # An answer that is mostly other words, and no known name, is a sentence about something else.
    if not known and len(words) - (end - start) > 3:
        return []
    return [(_title(words, start, end), start, end, True)]


def _title(words: Words, start: int, end: int) -> str:
    return " ".join(_title_word(word) for word in words.originals[start:end])


def _title_word(word: str) -> str:
    if word != word.lower() and word != word.upper():
        return word
    return "'".join(
        part[:1].upper() + part[1:].lower() if index == 0 or len(part) > 1 else part.lower()
        for index, part in enumerate(word.split("'"))
    )


def names_jsgf(slot: NameSlot) -> Sequence[str]:
    """Alternatives of a JSGF rule for a name: first, last, or both."""
    first, last = " | ".join(sorted(slot.first)), " | ".join(sorted(slot.last))
    rules = [f"({first})"] if first else []
    if first and last:
        rules.append(f"({first}) ({last})")
    return rules
