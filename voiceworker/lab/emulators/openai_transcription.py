"""One recording that OpenAI transcribes: POST /v1/audio/transcriptions."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from aiohttp import BodyPartReader, MultipartReader, StreamReader, web
from aiohttp.base_protocol import BaseProtocol

from voiceworker.lab.emulators.chat import server_sent_event
from voiceworker.lab.emulators.recordings import Recording
from voiceworker.lab.emulators.wire import Stream

AUDIO_TOKENS_PER_SECOND = 10
"as OpenAI counts the audio that it hears"
_OF_WHISPER = ("json", "verbose_json", "text")
_OF_OTHERS = ("json", "text")


class TranscriptionForm:
    """The fields of the request."""

    def __init__(self, fields: dict[str, list[str]], file: bytes) -> None:
        """Raises ValueError for what is not offered."""
        self.file = file
        self.model = fields.get("model", [""])[0]
        self.format = fields.get("response_format", ["json"])[0]
        self.with_words = "word" in fields.get("timestamp_granularities[]", [])
        self.streams = fields.get("stream", ["false"])[0].lower() == "true" and self.model != "whisper-1"
        if not self.model:
            raise ValueError("you must provide a model parameter")
        if self.format not in (_OF_WHISPER if self.model == "whisper-1" else _OF_OTHERS):
            raise ValueError(f"response_format '{self.format}' is not compatible with model '{self.model}'.")

    @classmethod
    async def of(cls, http: web.Request) -> TranscriptionForm:
        """Raises ValueError when it is no form, or has no file."""
        if http.content_type != "multipart/form-data":
            raise ValueError("the body is no multipart/form-data")
        stream = StreamReader(BaseProtocol(asyncio.get_running_loop()), limit=1 << 20)
        stream.feed_data(await http.read())  # read whole: the wire log may have read it already
        stream.feed_eof()
        fields: dict[str, list[str]] = {}
        file: bytes | None = None
        async for part in MultipartReader(http.headers, stream):
            if not isinstance(part, BodyPartReader):
                raise ValueError("a part within a part")
            if part.name == "file":
                file = bytes(await part.read())
            else:
                fields.setdefault(part.name or "", []).append(await part.text())
        if file is None:
            raise ValueError("you must provide a file")
        return cls(fields, file)

    def usage(self, recording: Recording) -> dict[str, Any]:
        if self.model == "whisper-1":
            return {"type": "duration", "seconds": max(1, round(recording.seconds))}
        return token_usage(recording.seconds, recording.text)

    def answer(self, recording: Recording) -> web.Response:
        if self.format == "text":
            return web.Response(text=recording.text + "\n")
        body: dict[str, Any] = {"text": recording.text, "usage": self.usage(recording)}
        if self.format == "verbose_json":
            body |= {"task": "transcribe", "language": "english", "duration": round(recording.seconds, 3)}
            body["segments"] = _segments(recording)
            if self.with_words:
                body["words"] = [
                    {"word": word.text, "start": round(word.started, 2), "end": round(word.ended, 2)}
                    for word in recording.words
                ]
        return web.Response(text=json.dumps(body), content_type="application/json")

    async def stream(self, http: web.Request, recording: Recording) -> Stream:
        answer = Stream(headers={"Content-Type": "text/event-stream; charset=utf-8"})
        await answer.prepare(http)
        for index, word in enumerate(recording.words):
            delta = f" {word.text}" if index else word.text
            await answer.write(server_sent_event({"type": "transcript.text.delta", "delta": delta}))
        done = {"type": "transcript.text.done", "text": recording.text, "usage": self.usage(recording)}
        await answer.write(server_sent_event(done))
        await answer.write_eof()
        return answer


def token_usage(seconds: float, text: str) -> dict[str, Any]:
    heard, made = round(seconds * AUDIO_TOKENS_PER_SECOND), len(text.split()) + 2
    return {
        "type": "tokens",
        "input_tokens": heard,
        "input_token_details": {"text_tokens": 0, "audio_tokens": heard},
        "output_tokens": made,
        "total_tokens": heard + made,
    }


def _segments(recording: Recording) -> list[dict[str, Any]]:
    if not recording.words:
        return []
    return [
        {
            "id": 0,
            "seek": 0,
            "start": round(recording.words[0].started, 2),
            "end": round(recording.words[-1].ended, 2),
            "text": f" {recording.text}",
            "tokens": list(range(50364, 50364 + len(recording.words))),
            "temperature": 0.0,
            "avg_logprob": -0.1,
            "compression_ratio": 1.0,
            "no_speech_prob": 0.01,
        }
    ]
