"""One response of OpenAI's Responses API as it is made: its events, in their order and at their time."""

from __future__ import annotations

import json
import re
import time
from collections.abc import AsyncIterator
from typing import Any

from voiceworker.lab.emulators.chat import prompt_tokens, tokens_of
from voiceworker.lab.emulators.provider import EarlyCloseError, Job, MidstreamError, sleep_until
from voiceworker.lab.emulators.replies import Reply
from voiceworker.lab.emulators.responses_context import Asked, Message, ResponseMemory, new_id


class ResponseInMaking:
    def __init__(self, job: Job, asked: Asked, reply: Reply, memory: ResponseMemory) -> None:
        self.id = new_id("resp")
        self.output: list[Message] = []
        "the items that are complete"
        self._job = job
        self._asked = asked
        self._memory = memory
        self._tokens = list(tokens_of(reply.text))
        self._calls = list(reply.tool_calls)
        self._is_cut = asked.max_tokens is not None and len(self._tokens) > asked.max_tokens
        if self._is_cut:
            self._tokens, self._calls = self._tokens[: asked.max_tokens], []
        self._made = 0
        self._sequence = 0
        self._created_at = int(time.time())
        job.account.prompt_tokens += prompt_tokens(asked.as_chat())

    async def events(self) -> AsyncIterator[Message | None]:
        """None: a frame that is no JSON is due. A fault that is told of ends them with `response.failed`.

        Raises FaultError when they end without a word.
        """
        yield self._event("response.created", response=self._response("in_progress"))
        yield self._event("response.in_progress", response=self._response("in_progress"))
        try:
            if self._tokens or not self._calls:
                async for event in self._message():
                    yield event
            for call in self._calls:
                async for event in self._call(call.name, json.dumps(call.arguments)):
                    yield event
        except MidstreamError:
            yield self._event("response.failed", response=self._response("failed"))
            return
        kind = "incomplete" if self._is_cut else "completed"
        self._memory.remember(self.id, self._job.log.api_key, self._asked, self.output)
        self._job.is_complete = True
        yield self._event(f"response.{kind}", response=self._response(kind))

    # --- items ---

    async def _message(self) -> AsyncIterator[Message | None]:
        item_id, index = new_id("msg"), len(self.output)
        place: Message = {"item_id": item_id, "output_index": index, "content_index": 0}
        item: Message = {"id": item_id, "type": "message", "role": "assistant", "status": "in_progress", "content": []}
        yield self._event("response.output_item.added", output_index=index, item=item)
        yield self._event("response.content_part.added", **place, part=_part(""))
        text = ""
        async for token in self._paced(self._tokens):
            if token is not None:
                text += token
                self._job.log.text = text
                yield self._event("response.output_text.delta", **place, delta=token, logprobs=[])
            else:
                yield None
        yield self._event("response.output_text.done", **place, text=text, logprobs=[])
        yield self._event("response.content_part.done", **place, part=_part(text))
        done = item | {"status": "incomplete" if self._is_cut else "completed", "content": [_part(text)]}
        self.output.append(done)
        yield self._event("response.output_item.done", output_index=index, item=done)

    async def _call(self, name: str, arguments: str) -> AsyncIterator[Message | None]:
        item_id, call_id, index = new_id("fc"), f"call_{new_id('')[1:25]}", len(self.output)
        place: Message = {"item_id": item_id, "output_index": index}
        head: Message = {"id": item_id, "type": "function_call", "call_id": call_id, "name": name}
        self._job.log.tool_calls.append(name)
        begun = head | {"arguments": "", "status": "in_progress"}
        yield self._event("response.output_item.added", output_index=index, item=begun)
        async for piece in self._paced(re.findall(r".{1,4}", arguments, re.DOTALL)):
            kind = "response.function_call_arguments.delta"
            yield None if piece is None else self._event(kind, **place, delta=piece)
        yield self._event("response.function_call_arguments.done", **place, arguments=arguments)
        done = head | {"arguments": arguments, "status": "completed"}
        self.output.append(done)
        yield self._event("response.output_item.done", output_index=index, item=done)

    async def _paced(self, pieces: list[str]) -> AsyncIterator[str | None]:
        delays = self._job.delays
        first_at = self._job.log.started_at + delays.first_token_seconds
        for piece in pieces:
            await sleep_until(first_at + self._made / delays.tokens_per_second)
            if await self._job.before_sending(self._job.log.first_byte_at):
                yield None
            self._made += 1
            self._job.account.completion_tokens += 1
            self._job.sent_first_byte()
            yield piece

    # --- objects ---

    def _event(self, kind: str, **fields: Any) -> Message:
        self._sequence += 1
        return {"type": kind, "sequence_number": self._sequence - 1} | fields

    def _response(self, status: str) -> Message:
        body = self._asked.body
        is_over = status in ("completed", "incomplete")
        tools = [{"strict": True, "description": None, "parameters": {}} | tool for tool in body.get("tools") or []]
        failed = {"code": "server_error", "message": "The server had an error while processing your request."}
        return {
            "id": self.id,
            "object": "response",
            "created_at": self._created_at,
            "completed_at": int(time.time()) if status == "completed" else None,
            "status": status,
            "background": False,
            "error": failed if status == "failed" else None,
            "incomplete_details": {"reason": "max_output_tokens"} if status == "incomplete" else None,
            "instructions": body.get("instructions"),
            "max_output_tokens": self._asked.max_tokens,
            "max_tool_calls": None,
            "model": self._asked.model,
            "output": list(self.output) if is_over else [],
            "parallel_tool_calls": body.get("parallel_tool_calls", True),
            "previous_response_id": body.get("previous_response_id"),
            "reasoning": body.get("reasoning") or {"effort": None, "summary": None},
            "safety_identifier": None,
            "service_tier": "default" if is_over else "auto",
            "temperature": body.get("temperature", 1.0),
            "text": body.get("text") or {"format": {"type": "text"}, "verbosity": "medium"},
            "tool_choice": body.get("tool_choice", "auto"),
            "tools": tools,
            "top_logprobs": 0,
            "top_p": body.get("top_p", 1.0),
            "truncation": body.get("truncation", "disabled"),
            "usage": self._usage() if is_over else None,
            "user": body.get("user"),
            "metadata": body.get("metadata") or {},
        }

    def _usage(self) -> Message:
        prompt = prompt_tokens(self._asked.as_chat())
        return {
            "input_tokens": prompt,
            "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
            "output_tokens": self._made,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": prompt + self._made,
        }


def _part(text: str) -> Message:
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


async def whole_response(making: ResponseInMaking) -> tuple[int, Message | None]:
    """For a client that does not stream: the status, and the response as it is in the end. None: nonsense is due."""
    last: Message | None = None
    is_nonsense = False
    try:
        async for event in making.events():
            is_nonsense = is_nonsense or event is None
            last = event or last
    except EarlyCloseError:
        return 200, None
    if is_nonsense or last is None:
        return 200, None
    response: Message = last["response"]
    return (500 if response["status"] == "failed" else 200), response
