"""The recogniser of /v1/listen: what its messages say beside the transcripts."""

from __future__ import annotations

import hashlib
import time

from voiceworker.lab.audio import Samples
from voiceworker.lab.emulators.transcribing import Message, Sent, Transcriber


class Nova:
    def __init__(self, transcriber: Transcriber) -> None:
        self._transcriber = transcriber
        self._hash = hashlib.sha256()

    @property
    def is_idle(self) -> bool:
        return self._transcriber.is_idle

    def receive(self, samples: Samples, data: bytes, now: float) -> None:
        self._hash.update(data)
        self._transcriber.receive(samples, now)

    def obey(self, order: Message, now: float) -> None:
        if order["type"] in ("Finalize", "CloseStream"):
            self._transcriber.finalize(now)

    def send_due(self, now: float) -> list[Sent]:
        return self._transcriber.send_due(now)

    def next_due_at(self) -> float | None:
        return self._transcriber.next_due_at()

    def farewell(self) -> Message:
        return {
            "type": "Metadata",
            "transaction_key": "deprecated",
            "request_id": self._transcriber.request_id,
            "sha256": self._hash.hexdigest(),
            "created": time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime()),
            "duration": round(self._transcriber.clock.seconds, 3),
            "channels": self._transcriber.options.channels,
        }

    def error(self, status: int) -> Message:
        return {"type": "Error", "variant": "InternalServerError", "description": f"The service failed ({status})."}
