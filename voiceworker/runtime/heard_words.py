"""What was heard of a speech that was cut off: its words by their times, up to the sample where it was cut.

The framework takes the words that it had shown by then. Those go by the pace of usual speech until the whole speech is
known, and are behind a quick voice by half a second.
"""

from __future__ import annotations

from typing import Any

from livekit import rtc
from livekit.agents import AgentSession
from livekit.agents.utils import is_given
from livekit.agents.voice import io
from livekit.agents.voice.io import TimedString


def count_heard_words(session: AgentSession[Any]) -> None:
    """To be called when the session has started, which puts its outputs together; without an output for transcripts it
    changes nothing."""
    audio, text = session.output.audio, session.output.transcription
    if audio is None or text is None:
        return
    words = _Words()
    session.output.audio = _CountedSpeech(audio, words)
    session.output.transcription = _NotedText(text, words)


class _Words:
    """The text of the speech that is on its way, dated where its voice dates it."""

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._is_complete = False

    def add(self, text: str) -> None:
        if self._is_complete:
            self.clear()
        self._parts.append(text)

    def complete(self) -> None:
        self._is_complete = True

    def clear(self) -> None:
        self._parts, self._is_complete = [], False

    def until(self, seconds: float) -> str | None:
        """What had been said by then; None when it is not known of every word when it is said."""
        count = 0
        for place, part in enumerate(self._parts):
            if isinstance(part, TimedString) and is_given(part.end_time):
                if part.end_time <= seconds:
                    count = place + 1
            elif part.strip():
                return None
        return "".join(self._parts[:count]) if self._parts else None


class _NotedText(io.TextOutput):
    def __init__(self, shown: io.TextOutput, words: _Words) -> None:
        super().__init__(label="NotedText", next_in_chain=shown)
        self._shown = shown
        self._words = words

    async def capture_text(self, text: str) -> None:
        self._words.add(text)
        await self._shown.capture_text(text)

    def flush(self) -> None:
        self._words.complete()
        self._shown.flush()


class _CountedSpeech(io.AudioOutput):
    def __init__(self, played: io.AudioOutput, words: _Words) -> None:
        super().__init__(
            label="CountedSpeech",
            next_in_chain=played,
            sample_rate=played.sample_rate,
            capabilities=io.AudioOutputCapabilities(pause=True),
        )
        self._played = played
        self._words = words

    async def capture_frame(self, frame: rtc.AudioFrame) -> None:
        await super().capture_frame(frame)
        await self._played.capture_frame(frame)

    def flush(self) -> None:
        super().flush()
        self._played.flush()

    def clear_buffer(self) -> None:
        self._played.clear_buffer()

    def on_playback_finished(
        self, *, playback_position: float, interrupted: bool, synchronized_transcript: str | None = None
    ) -> None:
        heard = self._words.until(playback_position) if interrupted else None
        self._words.clear()
        super().on_playback_finished(
            playback_position=playback_position,
            interrupted=interrupted,
            synchronized_transcript=synchronized_transcript if heard is None else heard,
        )
