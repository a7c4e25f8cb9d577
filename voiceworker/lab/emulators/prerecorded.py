"""Deepgram's answer to a recording."""

from __future__ import annotations

import hashlib
import re
import time
from typing import Any

from voiceworker.lab.emulators.listening import ListenOptions
from voiceworker.lab.emulators.recordings import RecordedWord, Recording

_MODEL = "00000000-0000-4000-8000-000000000000"


def prerecorded(
    recording: Recording, data: bytes, options: ListenOptions, request_id: str, with_utterances: bool
) -> dict[str, Any]:
    words = [_shown(word, options) for word in recording.words]
    key = "punctuated_word" if options.punctuate else "word"
    alternative: dict[str, Any] = {
        "transcript": " ".join(word[key] for word in words),
        "confidence": _mean(recording.words),
        "words": words,
    }
    results: dict[str, Any] = {"channels": [{"alternatives": [alternative]}]}
    if with_utterances and words:
        results["utterances"] = [
            {
                "start": words[0]["start"],
                "end": words[-1]["end"],
                "confidence": _mean(recording.words),
                "channel": 0,
                "transcript": alternative["transcript"],
                "words": words,
                "id": request_id,
            }
        ]
    metadata = {
        "transaction_key": "deprecated",
        "request_id": request_id,
        "sha256": hashlib.sha256(data).hexdigest(),
        "created": time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime()),
        "duration": round(recording.seconds, 3),
        "channels": recording.channels,
        "models": [_MODEL],
        "model_info": {_MODEL: {"name": options.model, "version": "emulated", "arch": "nova-3"}},
    }
    return {"metadata": metadata, "results": results}


def _mean(words: tuple[RecordedWord, ...]) -> float:
    return round(sum(word.confidence for word in words) / len(words), 4) if words else 0.0


def _shown(word: RecordedWord, options: ListenOptions) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "word": re.sub(r"[^\w'’-]", "", word.text).lower(),
        "start": round(word.started, 3),
        "end": round(word.ended, 3),
        "confidence": word.confidence,
    }
    return shown | ({"punctuated_word": word.text} if options.punctuate else {})
