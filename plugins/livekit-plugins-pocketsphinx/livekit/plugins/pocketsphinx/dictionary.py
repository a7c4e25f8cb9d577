"""How words sound: the wheel's CMU dictionary, cut down to a vocabulary, with the plain forms that it lacks."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path

import pocketsphinx

Pronunciations = dict[str, list[str]]
"""Word to its pronunciations, each a string of ARPAbet phones: `{"the": ["DH AH", "DH IY"]}`."""

_ALTERNATE = re.compile(r"\(\d+\)$")
_SIBILANTS = {"S", "Z", "SH", "ZH", "CH", "JH"}
_VOICELESS = {"P", "T", "K", "F", "TH"}
_SHORTEST_PART = 3  # of a compound: with shorter parts nearly any string of letters is one


def base_word(word: str) -> str:
    """`the` for the dictionary's `the(2)`."""
    return _ALTERNATE.sub("", word)


def read_dictionary(path: Path | None = None) -> Pronunciations:
    """The dictionary at `path`, or the wheel's own: 126 thousand words of US English."""
    path = path or Path(pocketsphinx.get_model_path("en-us/cmudict-en-us.dict"))
    pronunciations: Pronunciations = defaultdict(list)
    for line in path.read_text(encoding="utf-8").splitlines():
        word, _, phones = line.partition(" ")
        if phones:
            pronunciations[base_word(word)].append(phones.strip())
    return dict(pronunciations)


def pronounce(
    words: Iterable[str], dictionary: Pronunciations, extra: Mapping[str, str]
) -> tuple[Pronunciations, list[str]]:
    """The pronunciations of `words`, and those words that have none. `extra` goes before the dictionary."""
    found: Pronunciations = {}
    missing = []
    for word in words:
        sounds = [extra[word]] if word in extra else dictionary.get(word) or _derived(word, dictionary)
        if sounds:
            found[word] = sounds
        else:
            missing.append(word)
    return found, missing


def _derived(word: str, dictionary: Pronunciations) -> list[str]:
    """The pronunciation of a plural, a possessive or a compound of known words."""
    for ending in ("'s", "s'", "s"):
        stem = word.removesuffix(ending)
        if stem != word and stem in dictionary:
            return [f"{phones} {_plural(phones)}" for phones in dictionary[stem]]
    for cut in range(_SHORTEST_PART, len(word) - _SHORTEST_PART + 1):
        first, second = dictionary.get(word[:cut].rstrip("-")), dictionary.get(word[cut:].lstrip("-"))
        if first and second:
            return [f"{first[0]} {second[0]}"]
    return []


def _plural(phones: str) -> str:
    last = phones.split()[-1]
    if last in _SIBILANTS:
        return "IH Z"
    return "S" if last in _VOICELESS else "Z"


def write_dictionary(path: Path, pronunciations: Pronunciations) -> None:
    """Sphinx's dictionary text, alternates numbered from 2."""
    with path.open("w", encoding="utf-8") as file:
        for word in sorted(pronunciations):
            for number, phones in enumerate(pronunciations[word], 1):
                file.write(f"{word}{f'({number})' if number > 1 else ''} {phones}\n")
