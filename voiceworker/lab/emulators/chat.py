"""One reply of OpenAI's chat completions on its way out: streamed or whole, with tool calls and usage."""

from __future__ import annotations

import json
import re
import time
import uuid
from collections.abc import AsyncIterator, Iterator
from typing import Any

from aiohttp import web

from voiceworker.lab.emulators.errors import openai_error, openai_error_body
from voiceworker.lab.emulators.provider import NO_JSON, EarlyCloseError, Job, MidstreamError, sleep_until
from voiceworker.lab.emulators.replies import Reply
from voiceworker.lab.emulators.requests import text_of
from voiceworker.lab.emulators.wire import Stream


class Completion:
    """One reply on its way out."""

    def __init__(self, job: Job, asked: dict[str, Any], reply: Reply) -> None:
        self._job = job
        self._asked = asked
        self._tokens = list(tokens_of(reply.text))
        self._calls = [
            (f"call_{uuid.uuid4().hex[:24]}", call.name, json.dumps(call.arguments)) for call in reply.tool_calls
        ]
        limit = asked.get("max_completion_tokens") or asked.get("max_tokens")
        self._finish_reason = "tool_calls" if self._calls else "stop"
        if limit is not None and len(self._tokens) > int(limit):
            self._tokens, self._calls, self._finish_reason = self._tokens[: int(limit)], [], "length"
        self._completed = 0

    def _deltas(self) -> Iterator[dict[str, Any]]:
        """A token each, as the provider streams them."""
        for token in self._tokens:
            yield {"content": token}
        for index, (call_id, name, arguments) in enumerate(self._calls):
            self._job.log.tool_calls.append(name)
            begin = {"name": name, "arguments": ""}
            yield {"tool_calls": [{"index": index, "id": call_id, "type": "function", "function": begin}]}
            for piece in re.findall(r".{1,4}", arguments, re.DOTALL):
                yield {"tool_calls": [{"index": index, "function": {"arguments": piece}}]}

    async def _paced(self) -> AsyncIterator[dict[str, Any] | None]:
        """None: a frame that is no JSON is due."""
        delays = self._job.delays
        first_at = self._job.log.started_at + delays.first_token_seconds
        for delta in self._deltas():
            await sleep_until(first_at + self._completed / delays.tokens_per_second)
            if await self._job.before_sending(self._job.log.first_byte_at):
                yield None
            self._completed += 1
            self._job.account.completion_tokens += 1
            yield delta
            self._job.log.text += delta.get("content", "")
        if not self._completed:
            await sleep_until(first_at)

    async def stream(self) -> web.StreamResponse:
        headers = {"Content-Type": "text/event-stream; charset=utf-8", "x-request-id": self._job.request_id}
        answer = Stream(headers=headers)
        try:
            await self._stream_into(answer)
        except EarlyCloseError:
            await self._prepare(answer)
        except MidstreamError as error:
            await self._prepare(answer)
            await answer.write(server_sent_event({"error": openai_error_body(error.status)}))
        await answer.write_eof()
        return answer

    async def _prepare(self, answer: web.StreamResponse) -> None:
        if not answer.prepared:
            await answer.prepare(self._job.http)

    async def _stream_into(self, answer: web.StreamResponse) -> None:
        async for delta in self._paced():
            if not answer.prepared:
                await self._prepare(answer)
                await answer.write(self._chunk({"role": "assistant", "content": "" if self._tokens else None}))
            await answer.write(f"data: {NO_JSON}\n\n".encode() if delta is None else self._chunk(delta))
            self._job.sent_first_byte()
        await self._prepare(answer)
        await answer.write(self._chunk({}, self._finish_reason))
        if (self._asked.get("stream_options") or {}).get("include_usage"):
            await answer.write(
                server_sent_event(self._envelope("chat.completion.chunk") | {"choices": [], "usage": self._usage()})
            )
        await answer.write(b"data: [DONE]\n\n")

    async def whole(self) -> web.StreamResponse:
        is_nonsense = False
        try:
            async for delta in self._paced():
                is_nonsense = is_nonsense or delta is None
        except EarlyCloseError:
            is_nonsense = True
        except MidstreamError as error:
            return openai_error(error.status)
        if is_nonsense:
            return web.Response(text=NO_JSON, content_type="application/json")
        message: dict[str, Any] = {"role": "assistant", "content": self._job.log.text or None, "refusal": None}
        if self._calls:
            message["tool_calls"] = [
                {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}}
                for call_id, name, arguments in self._calls
            ]
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": self._finish_reason}
        self._job.sent_first_byte()
        return web.json_response(self._envelope("chat.completion") | {"choices": [choice], "usage": self._usage()})

    def _chunk(self, delta: dict[str, Any], finish_reason: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
        return server_sent_event(self._envelope("chat.completion.chunk") | {"choices": [choice]})

    def _envelope(self, kind: str) -> dict[str, Any]:
        return {
            "id": f"chatcmpl-{self._job.request_id}",
            "object": kind,
            "created": int(time.time()),
            "model": self._asked.get("model", "gpt-4.1-mini"),
            "service_tier": "default",
            "system_fingerprint": "fp_emulated",
        }

    def _usage(self) -> dict[str, Any]:
        prompt = prompt_tokens(self._asked)
        return {
            "prompt_tokens": prompt,
            "completion_tokens": self._completed,
            "total_tokens": prompt + self._completed,
            "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
        }


def prompt_tokens(asked: dict[str, Any]) -> int:
    """A word is a token, four a message as OpenAI counts them, and four characters of a tool's schema or call."""
    messages = [message for message in asked["messages"] if isinstance(message, dict)]
    words = sum(len(text_of(message).split()) + 4 for message in messages)
    calls = sum(len(json.dumps(message["tool_calls"])) for message in messages if message.get("tool_calls"))
    schemas = len(json.dumps(asked["tools"])) if asked.get("tools") else 0
    return words + (calls + schemas) // 4


def tokens_of(text: str) -> Iterator[str]:
    """A word each, with the space before it."""
    yield from re.findall(r"\s*\S+|\s+$", text)


def server_sent_event(data: dict[str, Any]) -> bytes:
    return f"data: {json.dumps(data)}\n\n".encode()
