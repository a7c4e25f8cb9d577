"""What a client asks of streaming speech recognition, by the query of its connection to /v1/listen or /v2/listen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any


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


@dataclass(frozen=True, slots=True)
class FluxOptions:
    """What the query of a connection to /v2/listen asks for, and what a Configure changes; defaults are Deepgram's."""

    sample_rate: int = 16000
    encoding: str = "linear16"
    channels: int = 1
    eot_threshold: float = 0.7
    eager_eot_threshold: float | None = None
    "None: no eager ends of turns"
    eot_timeout_seconds: float = 5.0
    keyterms: tuple[str, ...] = ()
    language_hints: tuple[str, ...] = ()
    model: str = "flux-general-en"
    seed: int = 0

    def __post_init__(self) -> None:
        if not self.model.startswith("flux-"):
            raise ValueError(f"{self.model} is not a model of /v2/listen")
        if not 8000 <= self.sample_rate <= 48000 or self.encoding not in ("linear16", "mulaw", "alaw"):
            raise ValueError("sample_rate lies within 8000 and 48000, encoding is linear16, mulaw or alaw")
        if not 0.5 <= self.eot_threshold <= 1.0:
            raise ValueError("eot_threshold lies within 0.5 and 1.0")
        if not 0.5 <= self.eot_timeout_seconds <= 60:
            raise ValueError("eot_timeout_ms lies within 500 and 60000")
        eager = self.eager_eot_threshold
        if eager is not None and not 0.3 <= eager <= min(0.9, self.eot_threshold):
            raise ValueError("eager_eot_threshold lies within 0.3 and 0.9, and not above eot_threshold")

    @classmethod
    def of_query(cls, query: Mapping[str, str], keyterms: Sequence[str], language_hints: Sequence[str]) -> FluxOptions:
        """Raises ValueError, for Deepgram a status 400, when a value is none."""
        eager = query.get("eager_eot_threshold")
        return cls(
            sample_rate=int(query.get("sample_rate", "16000")),
            encoding=query.get("encoding", "linear16"),
            eot_threshold=float(query.get("eot_threshold", "0.7")),
            eager_eot_threshold=None if eager is None else float(eager),
            eot_timeout_seconds=int(query.get("eot_timeout_ms", "5000")) / 1000,
            keyterms=tuple(keyterms),
            language_hints=tuple(language_hints),
            model=query.get("model", ""),
        )

    def changed(self, order: Mapping[str, Any]) -> FluxOptions:
        """By a Configure message; what it leaves out stays. Raises ValueError."""
        thresholds = order.get("thresholds") or {}
        timeout = thresholds.get("eot_timeout_ms")
        return replace(
            self,
            eot_threshold=float(thresholds.get("eot_threshold", self.eot_threshold)),
            eager_eot_threshold=thresholds.get("eager_eot_threshold", self.eager_eot_threshold),
            eot_timeout_seconds=self.eot_timeout_seconds if timeout is None else float(timeout) / 1000,
            keyterms=tuple(order.get("keyterms", self.keyterms)),
            language_hints=tuple(order.get("language_hints", self.language_hints)),
        )

    def as_configured(self) -> dict[str, Any]:
        """As ConfigureSuccess tells it."""
        thresholds: dict[str, Any] = {
            "eot_threshold": self.eot_threshold,
            "eot_timeout_ms": round(self.eot_timeout_seconds * 1000),
        }
        if self.eager_eot_threshold is not None:
            thresholds["eager_eot_threshold"] = self.eager_eot_threshold
        told: dict[str, Any] = {"thresholds": thresholds, "keyterms": list(self.keyterms)}
        return told | ({"language_hints": list(self.language_hints)} if self.language_hints else {})
