"""How well a recogniser hears: word error rate over spoken sentences, as a call would bring them."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import av
import numpy as np
import numpy.typing as npt
from livekit import rtc
from livekit.agents.stt import STT, SpeechEventType

from .native import SAMPLE_RATE

Samples = npt.NDArray[np.int16]
_FRAME_SAMPLES = SAMPLE_RATE // 50
_OPUS_RATE = 48000
_NOT_SPOKEN = re.compile(r"[^a-z' ]+")


def spoken_words(text: str) -> list[str]:
    """The words without case and punctuation. Numbers are expected in words."""
    return _NOT_SPOKEN.sub(" ", text.lower().replace("’", "'")).split()


@dataclass(frozen=True)
class WordErrors:
    """Words said, and the substitutions, deletions and insertions in what was heard; results add up."""

    words: int = 0
    errors: int = 0

    @property
    def rate(self) -> float:
        """Errors a word; 0 is perfect, and more than 1 is possible."""
        return self.errors / self.words if self.words else 0.0

    def __add__(self, other: WordErrors) -> WordErrors:
        return WordErrors(self.words + other.words, self.errors + other.errors)


def word_errors(said: Sequence[str], heard: Sequence[str]) -> WordErrors:
    """Levenshtein's distance between the two lists of words."""
    distances = list(range(len(heard) + 1))
    for row, word in enumerate(said, 1):
        diagonal, distances[0] = distances[0], row
        for column, other in enumerate(heard, 1):
            cheapest = min(diagonal + (word != other), distances[column] + 1, distances[column - 1] + 1)
            diagonal, distances[column] = distances[column], cheapest
    return WordErrors(len(said), distances[-1])


def through_opus(samples: Samples, *, bits_per_second: int = 32_000) -> Samples:
    """What a WebRTC caller's speech is after its codec: int16[samples], 16 kHz mono, by way of 48 kHz Opus."""
    packets = io.BytesIO()
    with av.open(packets, "w", format="ogg") as container:
        opus = container.add_stream("libopus", rate=_OPUS_RATE, layout="mono")
        opus.bit_rate = bits_per_second
        frame = av.AudioFrame.from_ndarray(samples[np.newaxis], format="s16", layout="mono")
        frame.sample_rate = SAMPLE_RATE
        for resampled in av.AudioResampler("s16", "mono", _OPUS_RATE, frame_size=960).resample(frame):
            container.mux(opus.encode(resampled))
        container.mux(opus.encode(None))
    packets.seek(0)
    with av.open(packets, "r") as received:
        back = av.AudioResampler("s16", "mono", SAMPLE_RATE)
        parts = [part.to_ndarray()[0] for decoded in received.decode(audio=0) for part in back.resample(decoded)]
    return np.concatenate(parts).astype(np.int16)


async def transcribe(stt: STT[Any], utterances: Sequence[Samples], *, pause_seconds: float = 1.0) -> list[str]:
    """What one caller is heard to say, who speaks the utterances one after another; as fast as the machine can.

    `utterances`: int16[samples], 16 kHz mono. An utterance that is cut by its own pauses is put together again.
    """
    pause = np.zeros(int(pause_seconds * SAMPLE_RATE), np.int16)
    heard = ["" for _ in utterances]
    ends: list[float] = []
    seconds = 0.0
    async with stt.stream() as stream:
        for utterance in utterances:
            audio = np.concatenate([pause, utterance])
            seconds += len(audio) / SAMPLE_RATE
            ends.append(seconds)
            for start in range(0, len(audio), _FRAME_SAMPLES):
                part = audio[start : start + _FRAME_SAMPLES]
                stream.push_frame(rtc.AudioFrame(part.tobytes(), SAMPLE_RATE, 1, len(part)))
        stream.push_frame(rtc.AudioFrame(pause.tobytes(), SAMPLE_RATE, 1, len(pause)))
        stream.end_input()
        async for event in stream:
            if event.type == SpeechEventType.FINAL_TRANSCRIPT:
                alternative = event.alternatives[0]
                place = int(np.searchsorted(ends, alternative.start_time))
                heard[min(place, len(heard) - 1)] += f" {alternative.text}"
    return [text.strip() for text in heard]
