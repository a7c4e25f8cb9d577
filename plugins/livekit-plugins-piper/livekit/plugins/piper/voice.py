"""A Piper voice. Plain calls that block: they run in the thread that owns it (mouth.py)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import onnxruntime
from livekit.plugins.espeak.wording import is_speakable, word

from piper import AudioChunk, PhonemeType, PiperConfig, PiperVoice, SynthesisConfig

_BRACKETS = re.compile(r"\[(?=\[)")
"Piper takes what stands in [[ ]] for phonemes"


class VoiceError(OSError):
    """The files are no voice that can speak here, or it failed on a text."""


class Abandoned(Exception):
    """Nobody listens any more."""


@dataclass(frozen=True, slots=True)
class Style:
    """How something is to be spoken."""

    speaker: int | None = None
    "of a voice with several; None: its first"
    speed: float = 1.0
    "2 is twice as fast"
    volume: float = 1.0
    "of full scale, which each sentence's loudest sample has"


class Stop:
    """Ends the synthesis of an utterance, even in the middle of a sentence. May be called from any thread."""

    def __init__(self) -> None:
        self.options = onnxruntime.RunOptions()
        self.options.log_severity_level = 4  # fatal: an end that was asked for is no error, and others are raised
        self.is_set = False

    def set(self) -> None:
        self.is_set = True
        self.options.terminate = True  # the network ends at its next node


class _Session:
    """The network, told for each run who may stop it; PiperVoice itself has no place for that."""

    def __init__(self, session: onnxruntime.InferenceSession) -> None:
        self._session = session
        self.stop = Stop()

    def run(self, outputs: list[str] | None, inputs: dict[str, Any]) -> Any:
        return self._session.run(outputs, inputs, self.stop.options)


def read_config(model: Path) -> PiperConfig:
    """The settings beside a voice's ONNX file. Raises VoiceError that names the file."""
    path = model.with_name(f"{model.name}.json")
    try:
        config = PiperConfig.from_dict(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise VoiceError(f"{path} does not describe a voice: {error!r}") from error
    if config.phoneme_type not in (PhonemeType.ESPEAK, PhonemeType.TEXT):
        raise VoiceError(f"{path}: {config.phoneme_type.value} needs a dictionary that is not fetched here")
    return config


class Voice:
    """One loaded voice; one thread at a time may use it. Raises VoiceError when the file cannot be loaded."""

    def __init__(self, model: Path, config: PiperConfig, *, threads: int = 0) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # waiting must not cost a core
        try:
            network = onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime's own errors have no common parent
            raise VoiceError(f"{model} cannot be loaded: {error}") from error
        self._model = model
        self._session = _Session(network)
        self._piper = PiperVoice(cast(onnxruntime.InferenceSession, self._session), config, download_dir=model.parent)

    def speak(self, text: str, style: Style, stop: Stop) -> Iterator[npt.NDArray[np.int16]]:
        """Audio of the text, int16[samples], mono, sentence by sentence; none when there is nothing to be said.

        Raises Abandoned soon after `stop` is set, VoiceError.
        """
        settings = SynthesisConfig(
            speaker_id=style.speaker,
            length_scale=self._piper.config.length_scale / style.speed,
            volume=style.volume,
        )
        spoken = worded(text, self._piper.config.espeak_voice)
        if not is_speakable(spoken):
            return
        chunks = iter(self._piper.synthesize(spoken, settings))
        while (samples := self._next(chunks, stop)) is not None:
            yield samples

    def _next(self, chunks: Iterator[AudioChunk], stop: Stop) -> npt.NDArray[np.int16] | None:
        self._session.stop = stop
        try:
            if stop.is_set:
                raise Abandoned
            chunk = next(chunks, None)
            return None if chunk is None else chunk.audio_int16_array
        except Exception as error:  # onnxruntime's own errors have no common parent
            if stop.is_set:
                raise Abandoned from error
            raise VoiceError(f"{self._model} failed on a text: {error}") from error


def worded(text: str, language: str) -> str:
    """The text as it is to be read: no emoji and control characters, amounts and times as they are said, and nothing
    that would be obeyed instead of spoken."""
    return _BRACKETS.sub("[ ", word(text, language).spoken)
