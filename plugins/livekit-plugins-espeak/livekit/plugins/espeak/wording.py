"""From written text to the text that the engine is given, and back to the place where each of its characters stood."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

_UNSPEAKABLE = frozenset({"Cc", "Cs", "Co", "Cn"})
"control (the engine takes U+0001 for a command), lone surrogates, private and unassigned code points"
_EMOJI = re.compile("[\U0001f000-\U0001faff\u2600-\u27bf\u2b00-\u2bff\ufe0f\u20e3]")
"espeak-ng would read their names out"

_UNITS = {"$": ("dollar", "dollars"), "£": ("pound", "pounds"), "€": ("euro", "euros")}
_MONEY = re.compile(r"(?P<unit>[$£€])\s?(?P<whole>\d{1,3}(?:,\d{3})+|\d+)(?:\.(?P<part>\d\d))?(?![\d,.]*\d)")
_FULL_HOUR = re.compile(r"\b(?P<hour>1?\d):00(?!:?\d)(?P<half>\s?[ap]\.?m\b)?", re.IGNORECASE)
_MONTH = r"(?:January|February|March|April|May|June|July|August|September|October|November|December)"
_YEAR = re.compile(
    rf"(?:\b{_MONTH}(?:\s\d{{1,2}}(?:st|nd|rd|th)?,?)?\s|\b(?:in|of|since|until)\s|^\s*)"
    r"(?P<year>(?:1[1-9]|20)[1-9]\d)(?!\w|[.,:/-]\d)"
)


@dataclass(frozen=True, slots=True)
class Wording:
    spoken: str
    "what the engine reads"
    origins: tuple[int, ...]
    "for each character of `spoken` the index in the written text it stands for"


def word(written: str, language: str) -> Wording:
    """The wording of `written` in a voice of `language` (BCP 47).

    Unspeakable characters and emoji become spaces. In English, amounts, full hours and years are put the way they
    are said: espeak-ng reads `$45` as "dollar forty-five", `10:00` as "ten zero zero", 2026 as "two thousand ...".
    """
    cleaned = "".join(" " if _is_unspeakable(character) else character for character in written)
    if not language.lower().startswith("en"):
        return Wording(cleaned, tuple(range(len(cleaned))))
    spoken: list[str] = []
    origins: list[int] = []
    position = 0
    for start, end, replacement in sorted(_replacements(cleaned)):
        if start < position:
            continue
        spoken += [cleaned[position:start], replacement]
        origins += [*range(position, start), *[start] * len(replacement)]
        position = end
    spoken.append(cleaned[position:])
    origins += range(position, len(cleaned))
    return Wording("".join(spoken), tuple(origins))


def is_speakable(text: str) -> bool:
    """Whether anything in `text` is read out: a letter, a digit, or a symbol with a name such as `&`."""
    return any(unicodedata.category(character)[0] in "LNS" or character in "&@#%" for character in text)


def _is_unspeakable(character: str) -> bool:
    return unicodedata.category(character) in _UNSPEAKABLE or _EMOJI.match(character) is not None


def _replacements(text: str) -> Iterator[tuple[int, int, str]]:
    """(start, end, what is said instead) for English."""
    for match in _MONEY.finditer(text):
        yield *match.span(), _money(match)
    for match in _FULL_HOUR.finditer(text):
        yield *match.span(), _full_hour(match)
    for match in _YEAR.finditer(text):
        year = match["year"]
        yield *match.span("year"), f"{year[:2]} {year[2:]}"


def _money(match: re.Match[str]) -> str:
    singular, plural = _UNITS[match["unit"]]
    whole = match["whole"].replace(",", "")
    amount = f"{whole} {singular if int(whole) == 1 else plural}"
    return f"{amount} {int(match['part'])}" if match["part"] and int(match["part"]) else amount


def _full_hour(match: re.Match[str]) -> str:
    return f"{match['hour']}{match['half']}" if match["half"] else f"{match['hour']} o'clock"
