"""What an emulated realtime session holds: the items of its conversation, on the wire, as text, and in tokens."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

INPUT_AUDIO_TOKENS_PER_SECOND = 10
OUTPUT_AUDIO_TOKENS_PER_SECOND = 20
"as the provider counts them: a token for 100 ms of the user's audio, one for 50 ms of the model's"

ItemKind = Literal["message", "function_call", "function_call_output"]


@dataclass(slots=True)
class Item:
    """One item of a conversation."""

    id: str
    kind: ItemKind
    role: str = ""
    "user, assistant or system; of messages"
    text: str = ""
    "what was said or written: the true words, whether they are transcribed for the client or not"
    audio_seconds: float = 0.0
    "of a message that was spoken; 0 for one that was written"
    call_id: str = ""
    name: str = ""
    arguments: str = ""
    output: str = ""
    status: str = "completed"

    @property
    def is_audio(self) -> bool:
        return self.audio_seconds > 0

    def on_wire(self, *, transcript: str | None = None) -> dict[str, Any]:
        """As the provider sends it, without the audio. `transcript`: of a user's audio, once it is known."""
        shown: dict[str, Any] = {"id": self.id, "object": "realtime.item", "type": self.kind, "status": self.status}
        if self.kind == "function_call":
            return shown | {"call_id": self.call_id, "name": self.name, "arguments": self.arguments}
        if self.kind == "function_call_output":
            return shown | {"call_id": self.call_id, "output": self.output}
        return shown | {"role": self.role, "content": self._content(transcript)}

    def _content(self, transcript: str | None) -> list[dict[str, Any]]:
        if self.status == "in_progress":
            return []
        if self.role == "assistant":
            if self.is_audio:
                return [{"type": "output_audio", "transcript": self.text}]
            return [{"type": "output_text", "text": self.text}]
        if self.is_audio:
            return [{"type": "input_audio", "transcript": transcript}]
        return [{"type": "input_text", "text": self.text}]

    def tokens(self) -> Tokens:
        if self.kind != "message":
            return Tokens(text=text_tokens(self.name + self.arguments + self.output))
        if not self.is_audio:
            return Tokens(text=text_tokens(self.text))
        rate = OUTPUT_AUDIO_TOKENS_PER_SECOND if self.role == "assistant" else INPUT_AUDIO_TOKENS_PER_SECOND
        return Tokens(audio=math.ceil(self.audio_seconds * rate - 1e-9))


@dataclass(frozen=True, slots=True)
class Tokens:
    text: int = 0
    audio: int = 0

    @property
    def total(self) -> int:
        return self.text + self.audio

    def __add__(self, other: Tokens) -> Tokens:
        return Tokens(self.text + other.text, self.audio + other.audio)


def text_tokens(text: str) -> int:
    """A token for four characters, as a rule of thumb of the provider's."""
    return math.ceil(len(text) / 4)


class Conversation:
    """The items in their order. Each method raises KeyError for an item that is not there."""

    def __init__(self) -> None:
        self.items: list[Item] = []

    def insert(self, item: Item, after: str | None) -> str | None:
        """`after`: an item's id, "root" for the beginning, None for the end. Returns the id of the item before it."""
        place = len(self.items) if after is None else 0 if after == "root" else self._place(after) + 1
        self.items.insert(place, item)
        return self.items[place - 1].id if place else None

    def get(self, item_id: str) -> Item:
        return self.items[self._place(item_id)]

    def delete(self, item_id: str) -> None:
        del self.items[self._place(item_id)]

    def holds(self, item_id: str) -> bool:
        return any(item.id == item_id for item in self.items)

    def tokens(self) -> Tokens:
        return sum((item.tokens() for item in self.items), Tokens())

    def _place(self, item_id: str) -> int:
        for place, item in enumerate(self.items):
            if item.id == item_id:
                return place
        raise KeyError(item_id)


def item_of(described: dict[str, Any], item_id: str) -> Item:
    """From `conversation.item.create`. Raises ValueError for what the provider would not take."""
    kind = described.get("type")
    if kind == "function_call":
        return Item(
            item_id,
            kind,
            call_id=str(described.get("call_id", "")),
            name=str(described["name"]),
            arguments=str(described.get("arguments", "")),
        )
    if kind == "function_call_output":
        return Item(item_id, kind, call_id=str(described["call_id"]), output=str(described.get("output", "")))
    if kind != "message":
        raise ValueError(f"Invalid value: '{kind}'.")
    role = str(described.get("role", ""))
    allowed = {"assistant": ("output_text",), "system": ("input_text",), "user": ("input_text", "input_audio")}
    parts = described.get("content") or []
    if role not in allowed or any(part.get("type") not in allowed[role] for part in parts):
        raise ValueError(f"Invalid content for a message of '{role}'.")
    texts = (str(part.get("text") or part.get("transcript") or "") for part in parts)
    return Item(item_id, "message", role=role, text=" ".join(text for text in texts if text))


def as_chat(instructions: str, items: Iterable[Item]) -> list[dict[str, Any]]:
    """The conversation as messages of chat completions, so that the same `Replies` answer both APIs."""
    messages: list[dict[str, Any]] = [{"role": "system", "content": instructions}] if instructions else []
    for item in items:
        if item.kind == "function_call":
            function = {"name": item.name, "arguments": item.arguments}
            call = {"id": item.call_id, "type": "function", "function": function}
            messages.append({"role": "assistant", "content": None, "tool_calls": [call]})
        elif item.kind == "function_call_output":
            messages.append({"role": "tool", "tool_call_id": item.call_id, "content": item.output})
        else:
            messages.append({"role": item.role, "content": item.text})
    return messages


def tools_as_chat(tools: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{"type": "function", "function": {key: tool[key] for key in tool if key != "type"}} for tool in tools]


def tokens_of_tools(tools: Sequence[dict[str, Any]]) -> int:
    return text_tokens(json.dumps(list(tools))) if tools else 0
