"""One response of an emulated realtime session: chosen at once, spoken in tones, told in the provider's events."""

from __future__ import annotations

import asyncio
import base64
import json
import re
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from voiceworker.lab.audio import Samples
from voiceworker.lab.emulators.provider import Job, sleep_until
from voiceworker.lab.emulators.realtime_hearing import RATE
from voiceworker.lab.emulators.realtime_items import OUTPUT_AUDIO_TOKENS_PER_SECOND, Item, Tokens, text_tokens
from voiceworker.lab.emulators.replies import Reply
from voiceworker.lab.emulators.tones import WORD_SECONDS, encode

_CHUNK_SECONDS = 0.1
Event = dict[str, Any]


class Teller(Protocol):
    """The session, as a response needs it."""

    def tell(self, event: Event) -> None:
        """Sends it."""
        ...

    def add(self, item: Item) -> str | None:
        """Puts it at the end of the conversation; the id of the item before it."""
        ...


@dataclass(frozen=True, slots=True)
class Asked:
    """What a response is to be, from the session and from `response.create`."""

    audio: bool
    voice: str
    metadata: dict[str, str] | None
    input: Tokens
    "of the whole context"
    cached: Tokens
    "of these, what the response before had already read"
    conversation_id: str


@dataclass(slots=True)
class Response:
    job: Job
    asked: Asked
    reply: Reply
    teller: Teller
    speech_speed: float
    id: str = field(default_factory=lambda: f"resp_{uuid.uuid4().hex[:20]}")
    status: str = "in_progress"
    reason: str = ""
    _items: list[Item] = field(default_factory=list)
    _output: Tokens = field(default_factory=Tokens)

    async def run(self) -> None:
        """Tells all of it; when it is cancelled (`reason` says why) the end is told all the same."""
        asked_at = time.perf_counter()
        self.teller.tell({"type": "response.created", "response": self._on_wire()})
        try:
            await sleep_until(asked_at + self.job.delays.first_token_seconds)
            if self.reply.text:
                await self._speak() if self.asked.audio else await self._write()
            for index, call in enumerate(self.reply.tool_calls):
                self._call(index + bool(self.reply.text), call.name, json.dumps(call.arguments))
            self.status = "completed"
        except asyncio.CancelledError:
            self.status = "cancelled"
            if not self.reason:  # the connection is gone: nobody is told
                raise
        finally:
            self._settle()

    def _settle(self) -> None:
        account = self.job.account
        account.prompt_tokens += self.asked.input.total
        account.completion_tokens += self._output.total
        if self.status == "cancelled":
            account.cancelled_requests += 1
        self.teller.tell({"type": "response.done", "response": self._on_wire()})

    # --- a spoken message ---

    async def _speak(self) -> None:
        item, index = self._begin_message(), 0
        self._part("response.content_part.added", item, index, {"type": "audio", "transcript": ""})
        silence = np.zeros(round(self.job.delays.leading_silence_seconds * RATE), np.int16)
        next_at = time.perf_counter() + self.job.delays.first_audio_seconds
        try:
            for text, samples in _pieces(self.reply.text, silence):
                await sleep_until(next_at)
                next_at = max(next_at, time.perf_counter() - _CHUNK_SECONDS)
                next_at += len(samples) / RATE / self.job.speech_speed(self.speech_speed)
                if text:
                    self._told(item, "response.output_audio_transcript.delta", text)
                self._sound(item, samples)
        except asyncio.CancelledError:
            self._end_message(item, "incomplete")
            raise
        self._end_message(item, "completed")

    def _sound(self, item: Item, samples: Samples) -> None:
        item.audio_seconds += len(samples) / RATE
        self.job.account.audio_seconds += len(samples) / RATE
        delta = base64.b64encode(samples.tobytes()).decode()
        self.teller.tell(self._of(item) | {"type": "response.output_audio.delta", "delta": delta})
        self.job.sent_first_byte()

    async def _write(self) -> None:
        item = self._begin_message()
        self._part("response.content_part.added", item, 0, {"type": "text", "text": ""})
        try:
            for token in re.findall(r"\S+\s*", self.reply.text):
                self._told(item, "response.output_text.delta", token)
                await asyncio.sleep(1 / self.job.delays.tokens_per_second)
        except asyncio.CancelledError:
            self._end_message(item, "incomplete")
            raise
        self._end_message(item, "completed")

    def _told(self, item: Item, kind: str, text: str) -> None:
        item.text += text
        self.job.log.text += text
        self.teller.tell(self._of(item) | {"type": kind, "delta": text})

    def _begin_message(self) -> Item:
        item = Item(f"item_{uuid.uuid4().hex[:20]}", "message", role="assistant", status="in_progress")
        self._begin(item, 0)
        return item

    def _end_message(self, item: Item, status: str) -> None:
        spoken = self.asked.audio
        self._output += Tokens(
            text=text_tokens(item.text), audio=round(item.audio_seconds * OUTPUT_AUDIO_TOKENS_PER_SECOND)
        )
        item.status = status
        part = {"type": "audio", "transcript": item.text} if spoken else {"type": "text", "text": item.text}
        if spoken:
            self.teller.tell(self._of(item) | {"type": "response.output_audio.done"})
            done = {"type": "response.output_audio_transcript.done", "transcript": item.text}
        else:
            done = {"type": "response.output_text.done", "text": item.text}
        self.teller.tell(self._of(item) | done)
        self._part("response.content_part.done", item, 0, part)
        self._end(item, 0)

    # --- a call of a tool ---

    def _call(self, index: int, name: str, arguments: str) -> None:
        call_id = f"call_{uuid.uuid4().hex[:16]}"
        item = Item(f"item_{uuid.uuid4().hex[:20]}", "function_call", call_id=call_id, name=name, status="in_progress")
        self.job.log.tool_calls.append(name)
        self._begin(item, index)
        place = {"response_id": self.id, "item_id": item.id, "output_index": index, "call_id": call_id}
        for piece in re.findall(r".{1,8}", arguments, re.DOTALL):
            self.teller.tell(place | {"type": "response.function_call_arguments.delta", "delta": piece})
        item.arguments, item.status = arguments, "completed"
        self._output += Tokens(text=text_tokens(name + arguments))
        done = {"type": "response.function_call_arguments.done", "arguments": arguments, "name": name}
        self.teller.tell(place | done)
        self._end(item, index)

    # --- what all items have in common ---

    def _begin(self, item: Item, index: int) -> None:
        self._items.append(item)
        place = {"response_id": self.id, "output_index": index}
        self.teller.tell(place | {"type": "response.output_item.added", "item": item.on_wire()})
        before = self.teller.add(item)
        self.teller.tell({"type": "conversation.item.added", "previous_item_id": before, "item": item.on_wire()})
        self._before = before

    _before: str | None = None

    def _end(self, item: Item, index: int) -> None:
        place = {"response_id": self.id, "output_index": index}
        self.teller.tell(place | {"type": "response.output_item.done", "item": item.on_wire()})
        self.teller.tell({"type": "conversation.item.done", "previous_item_id": self._before, "item": item.on_wire()})

    def _of(self, item: Item) -> Event:
        return {"response_id": self.id, "item_id": item.id, "output_index": 0, "content_index": 0}

    def _part(self, kind: str, item: Item, index: int, part: dict[str, Any]) -> None:
        self.teller.tell(self._of(item) | {"type": kind, "output_index": index, "part": part})

    def _on_wire(self) -> dict[str, Any]:
        details: dict[str, Any] | None = None
        if self.status == "cancelled":
            details = {"type": "cancelled", "reason": self.reason or "client_cancelled"}
        return {
            "object": "realtime.response",
            "id": self.id,
            "status": self.status,
            "status_details": details,
            "output": [item.on_wire() for item in self._items],
            "conversation_id": self.asked.conversation_id,
            "output_modalities": ["audio" if self.asked.audio else "text"],
            "max_output_tokens": "inf",
            "audio": {"output": {"format": {"type": "audio/pcm", "rate": RATE}, "voice": self.asked.voice}},
            "usage": None if self.status == "in_progress" else self.usage(),
            "metadata": self.asked.metadata,
        }

    def usage(self) -> dict[str, Any]:
        read, cached, made = self.asked.input, self.asked.cached, self._output
        return {
            "total_tokens": read.total + made.total,
            "input_tokens": read.total,
            "output_tokens": made.total,
            "input_token_details": {
                "text_tokens": read.text,
                "audio_tokens": read.audio,
                "image_tokens": 0,
                "cached_tokens": cached.total,
                "cached_tokens_details": {
                    "text_tokens": cached.text,
                    "audio_tokens": cached.audio,
                    "image_tokens": 0,
                },
            },
            "output_token_details": {"text_tokens": made.text, "audio_tokens": made.audio},
        }


def _pieces(text: str, silence: Samples) -> Iterator[tuple[str, Samples]]:
    """A word each, with its sound in chunks: the transcript runs a little ahead of the audio, as the provider's."""
    if len(silence):
        yield "", silence
    for word in re.findall(r"\S+\s*", text):
        samples = encode(word, RATE)
        chunk = round(_CHUNK_SECONDS * RATE)
        for begin in range(0, max(1, len(samples)), chunk):
            yield (word if begin == 0 else ""), samples[begin : begin + chunk]


def heard_words(item: Item, audio_end_seconds: float, leading_silence_seconds: float) -> str:
    """What a truncation leaves of a transcript: the words that were heard to their end."""
    count = int((audio_end_seconds - leading_silence_seconds) / WORD_SECONDS + 1e-6)
    return " ".join(item.text.split()[: max(0, count)])
