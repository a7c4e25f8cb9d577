"""What a request to OpenAI's Responses API says, and what the provider remembers of those before."""

from __future__ import annotations

import json
import uuid
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any

Message = dict[str, Any]

_REMEMBERED = 1000
"responses, of all clients; the provider keeps them for 30 days"


class UnknownResponseError(ValueError):
    """`previous_response_id` names none that is remembered."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One request, its conversation as chat messages: that is what replies are chosen by."""

    body: Message
    messages: tuple[Message, ...]
    "what came before, by `previous_response_id`, and what this request adds"
    tools: tuple[Message, ...]
    "as chat requests have them"

    @property
    def model(self) -> str:
        return str(self.body.get("model", "gpt-4.1"))

    @property
    def max_tokens(self) -> int | None:
        limit = self.body.get("max_output_tokens")
        return None if limit is None else int(limit)

    def as_chat(self) -> Message:
        """For counting tokens."""
        return {"messages": [*self._instructions(), *self.messages], "tools": list(self.tools)}

    def conversation(self) -> list[Message]:
        return [*self._instructions(), *self.messages]

    def _instructions(self) -> list[Message]:
        text = self.body.get("instructions")
        return [{"role": "system", "content": text}] if text else []


@dataclass(slots=True)
class ResponseMemory:
    """The conversations that led to each response, by its id and by who asked."""

    _known: OrderedDict[tuple[str, str], tuple[Message, ...]] = field(default_factory=OrderedDict)

    def read(self, body: Message, api_key: str) -> Asked:
        """Raises UnknownResponseError, and ValueError for a body that is no request."""
        before: tuple[Message, ...] = ()
        previous = body.get("previous_response_id")
        if previous is not None:
            known = self._known.get((api_key, str(previous)))
            if known is None:
                raise UnknownResponseError(f"Previous response with id '{previous}' not found.")
            before = known
        tools = tuple(_chat_tool(tool) for tool in body.get("tools") or [] if tool.get("type") == "function")
        return Asked(body, (*before, *_chat_messages(body.get("input"))), tools)

    def remember(self, response_id: str, api_key: str, asked: Asked, output: list[Message]) -> None:
        """Also what is not to be stored: the next request on the same WebSocket may still name it."""
        self._known[api_key, response_id] = (*asked.messages, *_chat_messages(output))
        while len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)


def _chat_messages(items: Any) -> list[Message]:
    if isinstance(items, str):
        return [{"role": "user", "content": items}]
    if not isinstance(items, list):
        raise ValueError("Missing required parameter: 'input'.")
    messages: list[Message] = []
    for item in items:
        if not isinstance(item, dict):
            raise ValueError("Invalid type for 'input': an item is no object.")
        kind = item.get("type", "message")
        if kind == "message":
            messages.append({"role": item.get("role", "user"), "content": _text(item.get("content"))})
        elif kind == "function_call":
            function = {"name": item.get("name", ""), "arguments": item.get("arguments", "")}
            call = {"id": item.get("call_id"), "type": "function", "function": function}
            messages.append({"role": "assistant", "content": None, "tool_calls": [call]})
        elif kind == "function_call_output":
            output = item.get("output")
            text = output if isinstance(output, str) else json.dumps(output)
            messages.append({"role": "tool", "tool_call_id": item.get("call_id"), "content": text})
    return messages


def _text(content: Any) -> str:
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    return " ".join(str(part.get("text", "")) for part in parts if str(part.get("type", "")).endswith("_text"))


def _chat_tool(tool: Message) -> Message:
    function = {key: value for key, value in tool.items() if key in ("name", "description", "parameters", "strict")}
    return {"type": "function", "function": function}


def new_id(prefix: str) -> str:
    return f"{prefix}_{uuid.uuid4().hex}"
