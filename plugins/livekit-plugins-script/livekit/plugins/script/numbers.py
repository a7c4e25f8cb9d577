"""Numbers as people say them, in both directions."""

from __future__ import annotations

from collections.abc import Sequence

_UNITS = tuple(
    str.split(
        "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
        "seventeen eighteen nineteen"
    )
)
_TENS = ["", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
_ORDINALS = tuple(
    str.split(
        "zeroth first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth "
        "fourteenth fifteenth sixteenth seventeenth eighteenth nineteenth"
    )
)
_TENS_ORDINALS = {20: "twentieth", 30: "thirtieth"}

CARDINALS: dict[str, int] = {word: value for value, word in enumerate(_UNITS)} | {
    word: 10 * tens for tens, word in enumerate(_TENS) if word
}
ORDINALS: dict[str, int] = {word: value for value, word in enumerate(_ORDINALS) if value} | {
    word: value for value, word in _TENS_ORDINALS.items()
}

MISHEARD: dict[str, int] = {"to": 2, "too": 2, "for": 4, "fore": 4, "won": 1, "ate": 8, "tree": 3}
"""Small words that a recogniser writes for a number; to be believed only where a number is certain."""

DIGITS: dict[str, str] = {word: str(value) for value, word in enumerate(_UNITS[:10])} | {"oh": "0", "o": "0"}


def cardinal_at(tokens: Sequence[str], index: int, *, most: int = 9999) -> tuple[int, int] | None:
    """The number that begins at `index` and the index after it: `twenty three`, `23`, `a hundred and five`."""
    if index >= len(tokens):
        return None
    word = tokens[index]
    if word.isascii() and word.isdigit():
        return (int(word), index + 1) if len(word) < 6 and int(word) <= most else None
    if word not in CARDINALS:
        return None
    value, end = CARDINALS[word], index + 1
    if value >= 20 and end < len(tokens) and 1 <= CARDINALS.get(tokens[end], 0) <= 9:
        value, end = value + CARDINALS[tokens[end]], end + 1
    if end < len(tokens) and tokens[end] == "hundred" and 1 <= value <= 9:
        value, end = value * 100, end + 1
        after = end + 1 if end < len(tokens) and tokens[end] == "and" else end
        if (rest := cardinal_at(tokens, after, most=99)) is not None:
            value, end = value + rest[0], rest[1]
    return (value, end) if value <= most else None


def ordinal_at(tokens: Sequence[str], index: int) -> tuple[int, int] | None:
    """The ordinal that begins at `index` and the index after it: `fifth`, `5th`, `twenty third`."""
    if index >= len(tokens):
        return None
    word = tokens[index]
    if word[:-2].isascii() and word[:-2].isdigit() and word[-2:] in ("st", "nd", "rd", "th"):
        return int(word[:-2]), index + 1
    if word in ORDINALS:
        return ORDINALS[word], index + 1
    if word in ("twenty", "thirty") and index + 1 < len(tokens) and 1 <= ORDINALS.get(tokens[index + 1], 0) <= 9:
        return CARDINALS[word] + ORDINALS[tokens[index + 1]], index + 2
    return None


def say_cardinal(value: int) -> str:
    """`23` as `twenty three`; from 0 to 999999, others as digits."""
    if value < 0 or value > 999_999:
        return str(value)
    if value < 20:
        return _UNITS[value]
    if value < 100:
        return _TENS[value // 10] + (f" {_UNITS[value % 10]}" if value % 10 else "")
    if value < 1000:
        rest = value % 100
        return f"{_UNITS[value // 100]} hundred" + (f" and {say_cardinal(rest)}" if rest else "")
    rest = value % 1000
    return f"{say_cardinal(value // 1000)} thousand" + (f" {say_cardinal(rest)}" if rest else "")


def say_ordinal(value: int) -> str:
    """`23` as `twenty third`; from 1 to 39."""
    if value < 20:
        return _ORDINALS[value]
    if value in _TENS_ORDINALS:
        return _TENS_ORDINALS[value]
    return f"{_TENS[value // 10]} {_ORDINALS[value % 10]}"
