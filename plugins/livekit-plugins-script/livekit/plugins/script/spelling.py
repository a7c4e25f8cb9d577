"""Names spelled letter by letter, the way out when a recogniser keeps hearing another one."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping, Sequence

from .words import Words

_LETTERS = "abcdefghijklmnopqrstuvwxyz"
# Two letters that were joined to a word, and words that sound like a letter.
_JOINED: Mapping[str, str] = {"am": "am", "pm": "pm", "okay": "ok"}
_HOMOPHONES: Mapping[str, str] = {
    "be": "b", "bee": "b", "see": "c", "sea": "c", "gee": "g", "eye": "i", "jay": "j", "kay": "k", "el": "l", "em": "m",
    "en": "n", "oh": "o", "pea": "p", "queue": "q", "are": "r", "ess": "s", "tea": "t", "tee": "t", "you": "u",
    "ex": "x", "why": "y", "zee": "z", "zed": "z", "and": "n", "hey": "a",
}  # fmt: skip
_FEWEST = 3
_LIKE_ENOUGH = 0.6
"""Letters sound much alike (b, d, e, p, t); a known name that shares so much of them is the one that was spelled."""


def find_spelling(words: Words, taken: Collection[int]) -> tuple[str, int, int] | None:
    """The letters of a spelled name, its first index and the index after it; None if nothing was spelled."""
    best: tuple[str, int, int] | None = None
    index = 0
    while index < len(words):
        letters, end, plain = "", index, 0
        while end < len(words) and end not in taken and (read := _letters_at(words.tokens, end)):
            plain += words.tokens[end] not in _HOMOPHONES and words.tokens[end] not in _JOINED
            letters += read[0]
            end = read[1]
        if len(letters) >= _FEWEST and plain >= _FEWEST and (best is None or len(letters) > len(best[0])):
            best = letters, index, end
        index = max(end, index + 1)
    return best


def _letters_at(tokens: Sequence[str], index: int) -> tuple[str, int] | None:
    token = tokens[index]
    if token == "double" and index + 1 < len(tokens) and len(tokens[index + 1]) == 1:
        return tokens[index + 1] * 2, index + 2
    if len(token) == 1 and token in _LETTERS:
        return token, index + 1
    letters = _JOINED.get(token) or _HOMOPHONES.get(token)
    return (letters, index + 1) if letters else None


def nearest_name(letters: str, names: Collection[str], refused: Collection[str]) -> str:
    """The known name that the letters are meant for, else the letters as they are."""
    known = [name for name in sorted(names) if name not in refused]
    near = difflib.get_close_matches(letters, known, n=1, cutoff=_LIKE_ENOUGH)
    return near[0] if near else letters


def spelled(name: str) -> str:
    """A name as it is spelled aloud: `b e l l`."""
    return " ".join(letter for letter in name if letter in _LETTERS)
