"""Recorded speech for the benches, read from a folder: its manifest is checked, its audio read when asked for."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from voiceworker.lab.audio import Samples, read_speech
from voiceworker.lab.speech import Speech, SpeechKind, SpokenWord

MANIFEST = "manifest.yaml"

_Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]
_Text = Annotated[str, Field(min_length=1)]


class MaterialError(Exception):
    """The material cannot be used. The text is one line for a person, and names the file and the entry."""


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    name: _Text
    kind: SpeechKind
    voice: _Text
    file: _Text
    seconds: Annotated[_Seconds, Field(gt=0)]
    words: list[Annotated[list[Any], Field(min_length=3, max_length=3)]]

    @model_validator(mode="after")
    def _words_follow_one_another(self) -> _Entry:
        ended = 0.0
        for text, started, until in self.words:
            if not (isinstance(text, str) and text):
                raise ValueError(f"a word is {text!r}, which is no text (quote yes, no, on and off)")
            if not all(isinstance(moment, int | float) for moment in (started, until)):
                raise ValueError(f"the times of {text!r} are no numbers")
            if not ended <= started < until <= self.seconds:
                raise ValueError(f"{text!r} from {started} to {until} s is out of order or outside the file")
            ended = until
        if (self.kind == "noise") == bool(self.words):
            raise ValueError("noise has no words, everything else has some")
        return self


class _Manifest(BaseModel):
    model_config = ConfigDict(extra="forbid")

    speeches: Annotated[list[dict[str, Any]], Field(min_length=1)]


@dataclass(frozen=True)
class Material:
    """A collection of speech in the manifest's order."""

    speeches: tuple[Speech, ...]

    @cached_property
    def _by_name(self) -> dict[str, Speech]:
        return {speech.name: speech for speech in self.speeches}

    def of_kind(self, kind: SpeechKind) -> tuple[Speech, ...]:
        return tuple(speech for speech in self.speeches if speech.kind == kind)

    def named(self, name: str) -> Speech:
        """Raises MaterialError when there is none of that name."""
        try:
            return self._by_name[name]
        except KeyError:
            raise MaterialError(f"there is no speech named {name!r}") from None

    def sample(self, kind: SpeechKind, count: int, seed: int) -> tuple[Speech, ...]:
        """`count` different ones, in an order that takes the voices in turn; the same for the same seed.

        Raises MaterialError when there are fewer.
        """
        return spread(self.of_kind(kind), count, seed)


def spread(speeches: Sequence[Speech], count: int, seed: int) -> tuple[Speech, ...]:
    """`count` of the speeches, drawn by lot, voices in turn. Raises MaterialError when there are fewer."""
    if not 0 <= count <= len(speeches):
        raise MaterialError(f"{count} were asked for, there are {len(speeches)}")
    dice = random.Random(seed)
    by_voice: dict[str, list[Speech]] = {}
    for speech in speeches:
        by_voice.setdefault(speech.voice, []).append(speech)
    for own in by_voice.values():
        dice.shuffle(own)
    drawn: list[Speech] = []
    while len(drawn) < count:
        voices = [voice for voice, own in by_voice.items() if own]
        dice.shuffle(voices)
        drawn += [by_voice[voice].pop() for voice in voices]
    return tuple(drawn[:count])


@lru_cache(maxsize=512)
def samples_of(speech: Speech) -> Samples:
    """Its audio, int16 at 24 kHz, read once; not to be written to. Raises AudioError."""
    samples = read_speech(speech.path)
    samples.flags.writeable = False
    return samples


def load_material(directory: Path) -> Material:
    """The speech that `manifest.yaml` in a folder lists. No audio is opened. Raises MaterialError."""
    path = directory / MANIFEST
    try:
        # the parser in C, where PyYAML has one: a tenth of the time
        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        manifest = _Manifest.model_validate(yaml.load(path.read_text(encoding="utf-8"), loader))
    except OSError as error:
        raise MaterialError(f"{path}: cannot be read: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise MaterialError(f"{path}: is no YAML: {' '.join(str(error).split())}") from error
    except ValidationError as error:
        raise MaterialError(f"{path}: {_reason(error)}") from error
    speeches: dict[str, Speech] = {}
    for number, entry in enumerate(manifest.speeches, 1):
        speech = _speech(entry, number, path)
        if speech.name in speeches:
            raise MaterialError(f"{path}: {speech.name}: the name stands twice")
        speeches[speech.name] = speech
    return Material(tuple(speeches.values()))


def _speech(raw: dict[str, Any], number: int, manifest: Path) -> Speech:
    where = f"{manifest}: {raw.get('name') or f'entry {number}'}"
    try:
        entry = _Entry.model_validate(raw)
    except ValidationError as error:
        raise MaterialError(f"{where}: {_reason(error)}") from error
    path = manifest.parent / entry.file
    if not path.is_file():
        raise MaterialError(f"{where}: {entry.file}: no such file")
    words = tuple(SpokenWord(text, float(started), float(ended)) for text, started, ended in entry.words)
    return Speech(entry.name, entry.kind, entry.voice, path, words, entry.seconds)


def _reason(error: ValidationError) -> str:
    """The first mistake in one line."""
    first = error.errors()[0]
    place = ".".join(str(part) for part in first["loc"])
    message = first["msg"].removeprefix("Value error, ")
    return f"{place}: {message}" if place else message
