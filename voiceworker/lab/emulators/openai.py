"""OpenAI's chat completions (streamed, with tool calls and usage) and speech, as its clients see them."""

from __future__ import annotations

import asyncio
import base64
import json
import re
import time
import uuid
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

from aiohttp import web

from voiceworker.lab.audio import SAMPLE_RATE
from voiceworker.lab.emulators.formats import encoder_for
from voiceworker.lab.emulators.provider import Job, Provider, api_key_of, sleep_until
from voiceworker.lab.emulators.replies import Conversation, Replies, Reply
from voiceworker.lab.emulators.requests import text_of
from voiceworker.lab.emulators.voice import Voice

Handler = Callable[[web.Request], Coroutine[Any, Any, web.StreamResponse]]

_MODELS = ("gpt-4.1-mini", "gpt-4.1", "gpt-4o-mini", "gpt-4o-mini-tts", "tts-1")
_ERROR_TYPES = {400: "invalid_request_error", 401: "invalid_request_error", 429: "rate_limit_exceeded"}
_SPEECH_TOKENS_PER_SECOND = 20
"as OpenAI bills the speech of gpt-4o-mini-tts, roughly"


class OpenAI:
    def __init__(self, provider: Provider, replies: Replies) -> None:
        self.replies = replies
        self._provider = provider

    def routes(self) -> list[web.RouteDef]:
        return [
            web.post("/v1/chat/completions", self._keyed(self._chat)),
            web.post("/v1/audio/speech", self._keyed(self._speech)),
            web.get("/v1/models", self._keyed(self._models)),
            web.get("/v1/", self._keyed(self._nothing)),
        ]

    def _keyed(self, handler: Handler) -> Handler:
        async def checked(http: web.Request) -> web.StreamResponse:
            if not api_key_of(http):
                return _error(401, "You didn't provide an API key.")
            return await handler(http)

        return checked

    async def _models(self, http: web.Request) -> web.StreamResponse:
        data = [{"id": name, "object": "model", "created": 0, "owned_by": "openai"} for name in _MODELS]
        return web.json_response({"object": "list", "data": data})

    async def _nothing(self, http: web.Request) -> web.StreamResponse:
        return _error(404, f"Invalid URL (GET {http.path})")

    # --- chat ---

    async def _chat(self, http: web.Request) -> web.StreamResponse:
        async with self._provider.serving("llm", http) as job:
            if (status := job.refuse()) is not None:
                return _error(status, "The server had an error while processing your request.")
            asked = await _json_of(http)
            if asked is None or not isinstance(asked.get("messages"), list):
                return _error(400, "We could not parse the JSON body of your request, or 'messages' is missing.")
            job.log.messages = asked["messages"]
            job.log.tools = asked.get("tools") or []
            job.account.prompt_tokens += prompt_tokens(asked)
            conversation = Conversation(job.log.api_key, job.log.messages, job.log.tools)
            chosen = self.replies(conversation)
            completion = _Completion(job, asked, Reply(chosen) if isinstance(chosen, str) else chosen)
            return await (completion.stream() if asked.get("stream") else completion.whole())

    # --- speech ---

    async def _speech(self, http: web.Request) -> web.StreamResponse:
        async with self._provider.serving("tts", http) as job:
            if (status := job.refuse()) is not None:
                return _error(status, "The server had an error while processing your request.")
            asked = await _json_of(http)
            if asked is None or not all(isinstance(asked.get(key), str) for key in ("input", "model", "voice")):
                return _error(400, "'input', 'model' and 'voice' are required.")
            try:
                encoder = encoder_for(asked.get("response_format", "mp3"), SAMPLE_RATE)
            except ValueError as error:
                return _error(400, str(error))
            job.log.text = asked["input"]
            job.account.characters += len(job.log.text)
            events = asked.get("stream_format") == "sse"
            content_type = "text/event-stream" if events else encoder.content_type
            answer = web.StreamResponse(headers={"Content-Type": content_type, "x-request-id": job.request_id})

            async def send(data: bytes) -> None:
                if not answer.prepared:
                    await answer.prepare(http)
                if events:
                    data = _event({"type": "speech.audio.delta", "audio": base64.b64encode(data).decode()})
                await answer.write(data)

            before = job.account.audio_seconds
            voice = Voice(job, SAMPLE_RATE, encoder, self._provider.speech_speed, send)
            await voice.speak(job.log.text, job.log.started_at)
            await voice.finish()
            if events:
                seconds = job.account.audio_seconds - before
                await answer.write(_event({"type": "speech.audio.done", "usage": _speech_usage(job.log.text, seconds)}))
            await answer.write_eof()
            return answer


class _Completion:
    """One reply on its way out."""

    def __init__(self, job: Job, asked: dict[str, Any], reply: Reply) -> None:
        self._job = job
        self._asked = asked
        self._tokens = list(_tokens(reply.text))
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

    async def _paced(self) -> Any:
        delays = self._job.delays
        first_at = self._job.log.started_at + delays.first_token_seconds
        for delta in self._deltas():
            await sleep_until(first_at + self._completed / delays.tokens_per_second)
            await self._job.before_sending(self._job.log.first_byte_at)
            self._completed += 1
            self._job.account.completion_tokens += 1
            yield delta
            self._job.log.text += delta.get("content", "")
        if not self._completed:
            await sleep_until(first_at)

    async def stream(self) -> web.StreamResponse:
        headers = {"Content-Type": "text/event-stream; charset=utf-8", "x-request-id": self._job.request_id}
        answer = web.StreamResponse(headers=headers)
        async for delta in self._paced():
            if not answer.prepared:
                await answer.prepare(self._job.http)
                await answer.write(self._chunk({"role": "assistant", "content": "" if self._tokens else None}))
            await answer.write(self._chunk(delta))
            self._job.sent_first_byte()
        if not answer.prepared:
            await answer.prepare(self._job.http)
        await answer.write(self._chunk({}, self._finish_reason))
        if (self._asked.get("stream_options") or {}).get("include_usage"):
            await answer.write(
                _event(self._envelope("chat.completion.chunk") | {"choices": [], "usage": self._usage()})
            )
        await answer.write(b"data: [DONE]\n\n")
        await answer.write_eof()
        return answer

    async def whole(self) -> web.StreamResponse:
        async for _ in self._paced():
            pass
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
        return _event(self._envelope("chat.completion.chunk") | {"choices": [choice]})

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


def _tokens(text: str) -> Iterator[str]:
    yield from re.findall(r"\s*\S+|\s+$", text)


def _speech_usage(text: str, seconds: float) -> dict[str, int]:
    read, made = len(text.split()), round(seconds * _SPEECH_TOKENS_PER_SECOND)
    return {"input_tokens": read, "output_tokens": made, "total_tokens": read + made}


def _event(data: dict[str, Any]) -> bytes:
    return f"data: {json.dumps(data)}\n\n".encode()


def _error(status: int, message: str) -> web.Response:
    kind = _ERROR_TYPES.get(status, "server_error")
    body = {"error": {"message": message, "type": kind, "param": None, "code": None}}
    return web.json_response(body, status=status, headers={"x-request-id": str(uuid.uuid4())})


async def _json_of(http: web.Request) -> dict[str, Any] | None:
    try:
        body = await http.json()
    except (ValueError, UnicodeDecodeError, asyncio.IncompleteReadError):
        return None
    return body if isinstance(body, dict) else None
