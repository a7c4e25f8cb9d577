"""Text as a caller's words: lower case, no punctuation, the same for speech and for typing."""

from __future__ import annotations

import re
from dataclasses import dataclass

_TOKEN = re.compile(
    r"\d{1,4}[:.]\d{2}(?!\d)|\d{1,4}[/-]\d{1,2}(?:[/-]\d{1,4})?|\d+(?:st|nd|rd|th)?|[^\W\d_]+(?:'[^\W\d_]+)*"
)

# Spellings that mean one thing, brought to one form before anything is looked for.
_JOINED: dict[tuple[str, ...], str] = {
    ("p", "m"): "pm",
    ("a", "m"): "am",
    ("o", "clock"): "o'clock",
    ("oclock",): "o'clock",
    ("ok",): "okay",
    ("o", "k"): "okay",
    ("hair", "cut"): "haircut",
    ("good", "bye"): "goodbye",
    ("bye", "bye"): "goodbye",
    ("never", "mind"): "nevermind",
    ("to", "morrow"): "tomorrow",
    ("mid", "day"): "midday",
    ("can", "not"): "cannot",
    ("cancelled",): "cancel",
    ("mm", "hmm"): "mhm",
    ("uh", "huh"): "mhm",
}
_LONGEST_JOINED = max(len(parts) for parts in _JOINED)


@dataclass(frozen=True)
class Words:
    """One utterance."""

    tokens: tuple[str, ...]
    "Lower-case words without punctuation; `3:30` and `12/03` stay whole."
    originals: tuple[str, ...]
    "The same words as they were written, for names."

    def __len__(self) -> int:
        return len(self.tokens)

    def text(self, start: int = 0, end: int | None = None) -> str:
        return " ".join(self.tokens[start:end])


def split(text: str) -> Words:
    """Splits speech or typing into words. Never fails; odd characters are dropped."""
    plain = text.replace("\u2019", "'").replace("\u2018", "'")
    plain = re.sub(r"\b([ap])\.\s?m\b\.?", r"\1m", plain, flags=re.IGNORECASE)
    plain = re.sub(r"(\d)\s?([ap]m)\b", r"\1 \2", plain, flags=re.IGNORECASE)
    found = _TOKEN.findall(plain)
    tokens: list[str] = []
    originals: list[str] = []
    index = 0
    while index < len(found):
        for length in range(_LONGEST_JOINED, 0, -1):
            parts = tuple(word.lower() for word in found[index : index + length])
            if len(parts) == length and parts in _JOINED:
                tokens.append(_JOINED[parts])
                originals.append("".join(found[index : index + length]))
                index += length
                break
        else:
            tokens.append(found[index].lower())
            originals.append(found[index])
            index += 1
    return Words(tuple(tokens), tuple(originals))


def word_set(text: str) -> frozenset[str]:
    """The words of a text, as a set."""
    return frozenset(text.split())


FILLERS = word_set(
    "um uh er erm ah oh well so like just please thanks hi hey hello there then now also maybe perhaps actually "
    "okay right good morning afternoon evening sorry alright yeah yes"
)
"""Words that carry no wish of their own."""

STOPWORDS = FILLERS | word_set(
    "a an the i i'd i'll i'm i've me my we we'd you your it it's its is are am was be been do does did don't can could "
    "would will shall should may might have has had need want wanted to for of on at in with from by and or but that "
    "that's this these those if what's what which who there's there any some one get got let let's go "
    "know tell us our how about when where much many"
)
"""Words that weigh little when an utterance is compared with a phrase."""
