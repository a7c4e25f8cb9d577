"""What is known of the engines that hear a caller, of what they told, and of what was told on."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from livekit.agents import stt

from voiceworker.runtime.chains.breakers import Trying
from voiceworker.runtime.chains.links import Failure, Link


@dataclass(slots=True)
class Hearing:
    """One engine at work."""

    link: Link[stt.STT[Any]]
    trying: Trying
    stream: stt.RecognizeStream
    begins_at: float
    "place in the caller's audio where its own begins"
    fed_until: float
    speech_ended_at: float | None = None
    "place of the audio when it last told an end of speech"
    tells_times: bool = False
    replaying: bool = True
    failed: bool = False


@dataclass(slots=True)
class Ended:
    hearing: Hearing
    error: Exception | None


@dataclass(slots=True)
class Told:
    hearing: Hearing
    event: stt.SpeechEvent


@dataclass(slots=True)
class Shown:
    """What the framework has been told, of whichever engine."""

    in_speech: bool = False
    interim_words: int = 0
    covered_until: float = 0.0
    "place up to which final transcripts hold the words"


@dataclass(slots=True)
class Suspects:
    """Engines that said nothing about a voice, until another finds words in it."""

    hearings: list[tuple[Hearing, Failure]] = field(default_factory=list)

    def are_convicted(self) -> None:
        for hearing, failure in self.hearings:
            hearing.trying.failed(failure)
        self.hearings.clear()

    def are_acquitted(self) -> None:
        for hearing, _ in self.hearings:
            hearing.trying.abandoned()
        self.hearings.clear()
