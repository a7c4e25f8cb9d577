"""What a client asks of streaming speech recognition, by the query of its connection to /v1/listen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ListenOptions:
    """What the query of the connection asks for; its defaults are Deepgram's."""

    sample_rate: int = 16000
    encoding: str = "linear16"
    channels: int = 1
    interim_results: bool = False
    punctuate: bool = False
    filler_words: bool = False
    vad_events: bool = False
    endpointing_seconds: float | None = 0.01
    "None: off"
    utterance_end_seconds: float | None = None
    model: str = "nova-3"
    seed: int = 0

    @classmethod
    def of_query(cls, query: Mapping[str, str]) -> ListenOptions:
        """Raises ValueError, for Deepgram a status 400, when a value is none."""

        def flag(name: str) -> bool:
            return query.get(name, "false").lower() == "true"

        endpointing = query.get("endpointing", "10").lower()
        utterance_end = query.get("utterance_end_ms")
        options = cls(
            sample_rate=int(query.get("sample_rate", "16000")),
            encoding=query.get("encoding", "linear16"),
            channels=int(query.get("channels", "1")),
            interim_results=flag("interim_results"),
            punctuate=flag("punctuate") or flag("smart_format"),
            filler_words=flag("filler_words"),
            vad_events=flag("vad_events"),
            endpointing_seconds=None if endpointing == "false" else int(endpointing) / 1000,
            utterance_end_seconds=None if utterance_end is None else int(utterance_end) / 1000,
            model=query.get("model", "nova-3"),
        )
        if not 8000 <= options.sample_rate <= 48000 or options.channels not in (1, 2):
            raise ValueError("sample_rate lies within 8000 and 48000, channels are 1 or 2")
        if options.encoding not in ("linear16", "mulaw", "alaw"):
            raise ValueError(f"encoding {options.encoding} is not emulated")
        return options
