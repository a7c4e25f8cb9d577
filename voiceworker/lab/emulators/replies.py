"""What the emulated LLM says. By default sentences of tone words, so that a caller can tell which it heard."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from voiceworker.lab.emulators.requests import text_of
from voiceworker.lab.emulators.tones import VOCABULARY

_FIRST_CLAUSE_WORDS = (4, 5, 6)


@dataclass(frozen=True, slots=True)
class ToolCall:
    name: str
    arguments: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Reply:
    text: str = ""
    tool_calls: tuple[ToolCall, ...] = ()


@dataclass(frozen=True, slots=True)
class Conversation:
    """One chat request, as the LLM sees it."""

    api_key: str
    messages: Sequence[dict[str, Any]]
    tools: Sequence[dict[str, Any]] = ()

    @property
    def user_texts(self) -> tuple[str, ...]:
        return tuple(text_of(message) for message in self.messages if message.get("role") == "user")

    @property
    def tool_names(self) -> tuple[str, ...]:
        return tuple(tool.get("function", {}).get("name", "") for tool in self.tools)

    @property
    def is_after_tool(self) -> bool:
        return bool(self.messages) and self.messages[-1].get("role") == "tool"


Replies = Callable[[Conversation], Reply | str]
"""Chooses the reply. It is asked once a request, so also for requests that are cancelled later."""


class Sentences:
    """Sentences of tone words, drawn from the seed and the number of things that the caller has said.

    So a request that is repeated (a speculation, a retry) gets the same reply, and so do two systems under test.
    No word follows itself, and none comes twice within a reply of up to 64 words. A sentence of seven words and more
    has a comma after the fourth, fifth or sixth, as the sentences of a receptionist have (agents/frontdesk.yaml).
    """

    def __init__(self, words: int = 24, *, words_per_sentence: int = 8, seed: int = 0) -> None:
        if words < 1 or words_per_sentence < 1:
            raise ValueError("a reply has at least one word, and so has a sentence")
        self._words = words
        self._words_per_sentence = words_per_sentence
        self._seed = seed

    def __call__(self, conversation: Conversation) -> Reply:
        return Reply(self.text(len(conversation.user_texts)))

    def text(self, turn: int) -> str:
        """The reply to the caller's nth message."""
        order = random.Random(f"{self._seed}/{turn}").sample(VOCABULARY, len(VOCABULARY))
        words = [order[index % len(order)] for index in range(self._words)]
        step = self._words_per_sentence
        draw = random.Random(f"{self._seed}/{turn}/commas")
        sentences = (_sentence(words[begin : begin + step], draw) for begin in range(0, len(words), step))
        return " ".join(sentences)


def _sentence(words: Sequence[str], draw: random.Random) -> str:
    comma_after = draw.choice(_FIRST_CLAUSE_WORDS)
    text = " ".join(words)
    if len(words) > max(_FIRST_CLAUSE_WORDS):
        text = f"{' '.join(words[:comma_after])}, {' '.join(words[comma_after:])}"
    return f"{text.capitalize()}."


def scripted(replies: Sequence[Reply | str], *, then: Replies | None = None) -> Replies:
    """The nth reply for the caller's nth message; a conversation without one (a greeting) gets the first.

    Counted by messages and not by requests, so that speculation gets no other reply than the turn it stands for. The
    turn after a tool call is the same message: there the text follows, `then` decides when there is none.
    """
    after: Replies = then or Sentences()

    def reply(conversation: Conversation) -> Reply | str:
        index = max(0, len(conversation.user_texts) - 1)
        if index >= len(replies):
            return after(conversation)
        chosen = replies[index]
        if conversation.is_after_tool and isinstance(chosen, Reply) and chosen.tool_calls:
            return chosen.text or after(conversation)
        return chosen

    return reply
