"""What callers say in rehearsals and benches: recorded speech whose true words and their times are known."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

SpeechKind = Literal["turn", "interruption", "backchannel", "noise", "side_remark"]
"""turn: expects an answer. interruption: must stop the agent. The others must not: a listener's "mm-hmm", a cough or
a laugh without words, words that are meant for somebody else."""


@dataclass(frozen=True, slots=True)
class SpokenWord:
    text: str
    started_seconds: float
    "from the first sample of the file"
    ended_seconds: float


@dataclass(frozen=True, slots=True)
class Speech:
    name: str
    "unique within its collection"
    kind: SpeechKind
    voice: str
    path: Path
    "a file that `audio.read_speech` reads, trimmed already: its first and last samples are speech"
    words: tuple[SpokenWord, ...]
    "empty for noise; in order, without overlap"
    seconds: float
    "length of the file"

    @property
    def text(self) -> str:
        return " ".join(word.text for word in self.words)

    @property
    def longest_pause_seconds(self) -> float:
        """The longest silence between two of its words."""
        pairs = zip(self.words, self.words[1:], strict=False)
        return max((after.started_seconds - before.ended_seconds for before, after in pairs), default=0.0)
