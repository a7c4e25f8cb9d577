"""Which voice is meant by a name."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class InstalledVoice:
    name: str
    "for people: `English (America)`"
    identifier: str
    "for the engine: `gmw/en-US`"
    languages: tuple[tuple[int, str], ...]
    "(priority, BCP 47 tag); the lowest number is the tag this voice was made for"


@dataclass(frozen=True, slots=True)
class ChosenVoice:
    identifier: str
    "for the engine, with its variant: `gmw/en-US+f3`"
    language: str
    "the tag that the voice was made for: `en-us`"


class VoiceCatalog:
    """The voices of the installed data, found by language tag, name or identifier, in any case."""

    def __init__(self, voices: Iterable[InstalledVoice], variants: Iterable[str]) -> None:
        self._variants = {variant.lower(): variant for variant in variants}
        ranked: dict[str, tuple[int, InstalledVoice]] = {}
        for voice in voices:
            leaf = voice.identifier.rsplit("/", 1)[-1]
            keys = [(tag, priority) for priority, tag in voice.languages]
            for key, priority in [*keys, (leaf, 0), (voice.identifier, 0), (voice.name, 0)]:
                known = ranked.get(key.lower())
                if known is None or priority < known[0]:
                    ranked[key.lower()] = (priority, voice)
        self._by_key = {key: voice for key, (_, voice) in ranked.items()}

    def languages(self) -> list[str]:
        """Every language tag that `find` takes, sorted."""
        return sorted({tag for voice in self._by_key.values() for _, tag in voice.languages})

    def variants(self) -> list[str]:
        return sorted(self._variants.values())

    def find(self, wanted: str) -> ChosenVoice:
        """The voice called `wanted`, e.g. `en-us`, `de`, `English (America)`, `gmw/en-US`, `en-us+f3`.

        Raises ValueError that names the nearest ones.
        """
        base, plus, variant = wanted.strip().partition("+")
        voice = self._by_key.get(base.lower().replace("_", "-")) or self._by_key.get(base.lower())
        if voice is None:
            near = difflib.get_close_matches(base.lower(), self._by_key, n=4, cutoff=0.5)
            hint = f"nearest: {', '.join(near)}" if near else f"languages: {', '.join(self.languages())}"
            raise ValueError(f"espeak-ng has no voice {base!r}; {hint}")
        language = min(voice.languages, key=lambda tagged: tagged[0], default=(0, ""))[1]
        if not plus:
            return ChosenVoice(voice.identifier, language)
        if variant.lower() not in self._variants:
            near = difflib.get_close_matches(variant.lower(), self._variants, n=4, cutoff=0.4)
            hint = f"nearest: {', '.join(near)}" if near else f"variants: {', '.join(self.variants())}"
            raise ValueError(f"espeak-ng has no voice variant {variant!r}; {hint}")
        return ChosenVoice(f"{voice.identifier}+{self._variants[variant.lower()]}", language)
