"""Whisper, loaded. Plain calls that block: they run in the thread that owns it (ear.py)."""

from __future__ import annotations

import math
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from faster_whisper import WhisperModel, transcribe

_TOKENS_AT_LEAST, _TOKENS_PER_SECOND = 20, 15
"of a text: the quickest speakers need about 8 a second; it bounds the time that a hallucination takes"

_ROOM, _ROOM_BESIDE_PROMPT = 440, 220
"of the model's 448 places; a prompt may fill half of them"

_REPETITIVE = 2.4
"compression ratio of a text that goes round in circles; Whisper's own threshold"


class ModelError(OSError):
    """The files are no model that can be loaded, or it failed on audio."""


class Abandoned(Exception):
    """Nobody waits for the transcript any more."""


@dataclass(frozen=True, slots=True)
class ModelSettings:
    """What is asked of CTranslate2 and of the search."""

    device: str = "auto"
    "`cpu`, `cuda` or `auto`"
    compute_type: str = "default"
    "`default` as the weights are stored, `int8` for a CPU, `float16` for a GPU, ..."
    threads: int = 0
    "of a CPU; 0: CTranslate2's own choice, at most 4"
    beam_size: int = 1
    "1 is greedy; 5 is what Whisper was published with, and takes about twice the time after the first word"


@dataclass(frozen=True, slots=True)
class Word:
    text: str
    start_seconds: float
    "from the start of the audio"
    end_seconds: float
    probability: float
    "0 to 1"
    space_before: bool = True
    "as it is written; in Chinese there is none"


@dataclass(frozen=True, slots=True)
class Transcript:
    text: str
    "with its punctuation; empty when nothing was said"
    language: str
    "code of two or three letters"
    words: tuple[Word, ...] = ()

    @property
    def confidence(self) -> float:
        """Geometric mean of the words' probability; 0 when there are none."""
        if not self.words or min(word.probability for word in self.words) <= 0:
            return 0.0
        return math.exp(sum(math.log(word.probability) for word in self.words) / len(self.words))

    def beginning(self, count: int) -> Transcript:
        """Its first words."""
        if count >= len(self.words):
            return self
        words = self.words[:count]
        text = "".join(f" {word.text}" if word.space_before else word.text for word in words).strip()
        return Transcript(text, self.language, words)


class _Steps(WhisperModel):  # type: ignore[misc]  # the library has no types
    """WhisperModel that can be stopped between the steps of a window, and tells which language it took it for."""

    cancelled = threading.Event()
    language = ""

    def encode(self, *arguments: Any, **options: Any) -> Any:
        self._go_on()
        return super().encode(*arguments, **options)

    def generate_with_fallback(self, encoder_output: Any, prompt: Any, tokenizer: Any, options: Any) -> Any:
        self._go_on()
        self.language = tokenizer.language_code
        return super().generate_with_fallback(encoder_output, prompt, tokenizer, options)

    def find_alignment(self, *arguments: Any, **options: Any) -> Any:
        self._go_on()
        return super().find_alignment(*arguments, **options)

    def _go_on(self) -> None:
        if self.cancelled.is_set():
            raise Abandoned


class Model:
    """One Whisper; one thread at a time may use it. Raises ModelError when the files cannot be loaded."""

    def __init__(self, folder: Path, settings: ModelSettings) -> None:
        self._beam_size = settings.beam_size
        transcribe.tqdm.monitor_interval = 0  # of a bar that is not shown; it would be a thread that nobody ends
        try:
            self._steps = _Steps(
                str(folder),
                device=settings.device,
                compute_type=settings.compute_type,
                cpu_threads=settings.threads,
                local_files_only=True,
            )
        except (RuntimeError, ValueError, OSError) as error:
            raise ModelError(f"the model in {folder} cannot be loaded: {error}") from error

    def transcribe(
        self, samples: npt.NDArray[np.float32], *, language: str | None, prompt: str, cancelled: threading.Event
    ) -> Transcript:
        """`samples`: float32[samples], -1 to 1, 16 kHz mono, 30 s at most for one window. `language` None: detected.

        Silence, and text that goes round in circles, is an empty transcript. Raises Abandoned soon after `cancelled` is
        set (the step that runs is ended first: encoding, decoding or aligning of one window), ModelError.
        """
        steps = self._steps
        steps.cancelled = cancelled
        steps.language = language or "en"
        seconds = len(samples) / 16_000
        try:
            segments, _ = steps.transcribe(
                samples,
                language=steps.language,
                multilingual=language is None,  # detects on what is encoded anyway; language=None would encode twice
                beam_size=self._beam_size,
                temperature=0.0,  # hotter attempts take as long again, each, and a caller is waiting
                condition_on_previous_text=False,
                initial_prompt=prompt or None,
                word_timestamps=True,
                max_new_tokens=_places(seconds, prompt),
            )
            return _transcript(segments, steps)
        except (RuntimeError, ValueError) as error:
            raise ModelError(f"Whisper failed: {error}") from error


def _places(seconds: float, prompt: str) -> int:
    """CTranslate2 fills at most half of the places that it is given."""
    places = 2 * (_TOKENS_AT_LEAST + int(_TOKENS_PER_SECOND * seconds))
    return min(places, _ROOM_BESIDE_PROMPT if prompt else _ROOM)


def _transcript(segments: Iterable[Any], steps: _Steps) -> Transcript:
    kept = [segment for segment in segments if segment.compression_ratio <= _REPETITIVE]
    words = tuple(
        Word(word.word.strip(), float(word.start), float(word.end), float(word.probability), word.word.startswith(" "))
        for segment in kept
        for word in segment.words or ()
        if word.word.strip()
    )
    text = "".join(segment.text for segment in kept).strip()
    if not any(character.isalnum() for character in text):
        return Transcript("", steps.language)
    return Transcript(text, steps.language, words)
