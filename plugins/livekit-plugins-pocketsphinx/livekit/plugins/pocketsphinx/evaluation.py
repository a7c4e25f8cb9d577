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
from livekit.agents.stt import STT, RecognizeStream, SpeechData, SpeechEventType

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


def with_pauses(
    utterances: Sequence[Samples], sample_rate: int, pause_seconds: float = 1.0
) -> tuple[Samples, list[float]]:
    """One caller's speech: a pause before each utterance and after the last; with it, when each pause is half over."""
    pause = np.zeros(int(pause_seconds * sample_rate), np.int16)
    parts, ends, seconds = [pause], [], pause_seconds
    for utterance in utterances:
        parts += [utterance, pause]
        seconds += len(utterance) / sample_rate
        ends.append(seconds + pause_seconds / 2)
        seconds += pause_seconds
    return np.concatenate(parts), ends


def by_utterance(finals: Sequence[SpeechData], ends: Sequence[float]) -> list[str]:
    """The words of each utterance, which its own pauses may have cut into several final transcripts."""
    heard: list[list[str]] = [[] for _ in ends]
    for final in finals:
        place = int(np.searchsorted(ends, final.start_time))
        heard[min(place, len(ends) - 1)].append(final.text)
    return [" ".join(texts) for texts in heard]


async def transcribe(stt: STT[Any], utterances: Sequence[Samples]) -> list[str]:
    """What one caller is heard to say, who speaks the utterances one after another; as fast as the machine can.

    `utterances`: int16[samples], 16 kHz mono.
    """
    speech, ends = with_pauses(utterances, SAMPLE_RATE)
    async with stt.stream() as stream:
        for start in range(0, len(speech), _FRAME_SAMPLES):
            part = speech[start : start + _FRAME_SAMPLES]
            stream.push_frame(rtc.AudioFrame(part.tobytes(), SAMPLE_RATE, 1, len(part)))
        stream.end_input()
        return by_utterance(await finals(stream), ends)


async def finals(stream: RecognizeStream) -> list[SpeechData]:
    """The final transcripts until the stream ends."""
    return [event.alternatives[0] async for event in stream if event.type == SpeechEventType.FINAL_TRANSCRIPT]
