"""What the caller has heard of the agent's present speech, word by word as it is played."""

from __future__ import annotations

from collections.abc import Callable

from livekit.agents.voice import io


class HeardText(io.TextOutput):
    """The last link of the framework's chain of transcripts: what arrives here is in step with the audio."""

    def __init__(self, on_word: Callable[[str], None]) -> None:
        """`on_word` is called with all that was heard of the present speech, after each word."""
        super().__init__(label="HeardText", next_in_chain=None)
        self._on_word = on_word
        self._heard = ""
        self._is_over = False

    async def capture_text(self, text: str) -> None:
        if self._is_over:
            self._heard, self._is_over = "", False
        self._heard += text
        self._on_word(self._heard)

    def flush(self) -> None:
        self._is_over = True
