"""Several voices as one: when one breaks off, the next goes on with the word after the last that was heard.

Sentence by sentence: what is complete is known to have been said, and only within one sentence it has to be found out
how far the voice has come (spoken_part.py). The audio of all is brought to the sample rate of the first. With word
times, told by the voice or estimated: a switch in the midst leaves nobody else who could date the words.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from livekit.agents import APIConnectOptions, metrics, tts
from livekit.agents.types import DEFAULT_API_CONNECT_OPTIONS
from livekit.agents.voice.io import TimedString

from voiceworker.runtime.chains.apology import Apology
from voiceworker.runtime.chains.breakers import Breakers
from voiceworker.runtime.chains.chain import Chain
from voiceworker.runtime.chains.links import Failure, Link, OnSwitch
from voiceworker.runtime.chains.speech_stream import ChainedSpeech
from voiceworker.runtime.chains.spoken_part import Samples, SpokenPart
from voiceworker.runtime.word_times import Pace


@dataclass(frozen=True, slots=True)
class VoicePatience:
    first_audio_seconds: float = 1.0
    "from the text to its first sound, of the first voice that is asked"
    next_audio_seconds: float = 0.8
    "of those after it"
    last_audio_seconds: float = 5.0
    "of the last of them: there is nobody else to ask"
    stall_seconds: float = 0.8
    "of silence, when all that came has been played: a voice that hangs, or comes slower than it plays"
    longest_gap_seconds: float = 1.5
    "between two pieces of sound, however much there is to be played"
    held_back_seconds: float = 0.4
    """of what came last, so that it ends between two words if no more follows. Of the first 0.2 s nothing, and of the
    rest not more than half: a voice twice as fast as it plays never runs dry by it"""
    stay_seconds: float = 30.0
    "with the voice that was switched to: one that changes twice in a reply is worse than the second best"


class VoiceChain(Chain[tts.TTS[Any]], tts.TTS[Any]):
    role = "tts"

    def __init__(
        self,
        links: Sequence[Link[tts.TTS[Any]]],
        breakers: Breakers,
        on_switch: OnSwitch,
        *,
        patience: VoicePatience | None = None,
        on_down: Callable[[], Apology | None] | None = None,
    ) -> None:
        """`on_down`: asked when no voice answers for what is said instead, None: nothing; without it the reply ends
        with an error. Raises ValueError without links, or when one of them is not mono."""
        if not links:
            raise ValueError("a chain has at least one link")
        if any(link.engine.num_channels != 1 for link in links):
            raise ValueError("the voices of a chain are mono")
        super().__init__(
            capabilities=tts.TTSCapabilities(streaming=True, aligned_transcript=True),
            sample_rate=links[0].engine.sample_rate,
            num_channels=1,
        )
        self._join(links, breakers, on_switch)
        self.patience = patience or VoicePatience()
        self.on_down = on_down
        self._stays_until = 0.0
        self._paces: dict[str, Pace] = {}
        self._learnt: set[str] = set()
        self._tells_tokens: set[str] = set()
        "links whose providers count tokens at the end of what they have spoken"
        self._told_tokens: deque[str] = deque(maxlen=64)
        "requests that were told so"

    def synthesize(
        self, text: str, *, conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS
    ) -> tts.ChunkedStream:
        return self._synthesize_with_stream(text, conn_options=conn_options)

    def stream(self, *, conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS) -> tts.SynthesizeStream:
        return ChainedSpeech(self)

    def prewarm(self) -> None:
        """Of the first only: the others are not expected to be needed."""
        self.links[0].engine.prewarm()

    # --- for the streams ---

    def candidates(self, tried: Sequence[str]) -> list[Link[tts.TTS[Any]]]:
        """Who may be asked for the next part, in this order. When the preferred one has failed again, the caller waits:
        then comes the one that has spoken last."""
        links = list(self.links)
        if tried or time.monotonic() < self._stays_until:
            links.sort(key=lambda link: link is not self._serving)
        return [link for link in links if link.name not in tried]

    def now_serves(self, link: Link[tts.TTS[Any]], failure: Failure | None) -> bool:
        is_another = super().now_serves(link, failure)
        if is_another:
            self._stays_until = time.monotonic() + self.patience.stay_seconds
        return is_another

    def dated(self, text: str, samples: Samples, sample_rate: int) -> list[TimedString]:
        """When each word is said in this speech of the first voice, int16[samples], that was kept from an earlier
        call. Its pace is learnt from it."""
        link = self.links[0]
        part = self.part(link, text, sample_rate)
        part.hear(samples, [])
        self.has_spoken(link)
        return part.finish().words

    def part(self, link: Link[tts.TTS[Any]], text: str, sample_rate: int | None = None) -> SpokenPart:
        """`sample_rate`: of the sound that will be heard, None for the chain's own."""
        pace = self._paces.setdefault(link.name, Pace())
        return SpokenPart(text, sample_rate or self.sample_rate, pace, pace_is_learnt=link.name in self._learnt)

    def has_spoken(self, link: Link[tts.TTS[Any]]) -> None:
        self._learnt.add(link.name)

    def was_cut_off(self, link: Link[tts.TTS[Any]], request_id: str) -> bool:
        """It ended in good order, but without what it usually tells at its end. Asked when the stream is closed."""
        if request_id in self._told_tokens:
            self._tells_tokens.add(link.name)
            return False
        return link.name in self._tells_tokens

    def _metrics_collected(self, figures: metrics.TTSMetrics) -> None:
        if figures.output_tokens:
            self._told_tokens.append(figures.request_id)
        super()._metrics_collected(figures)
