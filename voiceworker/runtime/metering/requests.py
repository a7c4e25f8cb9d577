"""One request to a provider, from its beginning to its end, and what of it is on the bill.

What counts is what the provider was asked for, not what came of it: an answer that was cut off, prepared in vain or
broken off is charged as far as it was made. Where the provider told the figures they are its own. Where a request
ended before that they are estimated, by what the finished requests to the same model have taught.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Protocol

from livekit.agents import APIConnectionError, APIStatusError, APITimeoutError, llm, tokenize

from voiceworker.policy.pricing import Usage

TOKENS_A_CHARACTER = 0.25
"of English, before anything was learnt: https://platform.openai.com/tokenizer"
SPEECH_TOKENS_A_SECOND = 20.0
"of OpenAI's voices, before anything was learnt: 12 dollars a million of them are told to be 0.015 a minute"


class Request(Protocol):
    turn: int
    "to which it belongs"

    def sent(self) -> None:
        """The provider has been asked."""

    def answering(self) -> None:
        """Its answer begins, be it a refusal."""

    def usage(self) -> Usage:
        """Of the attempt that is under way, up to now."""

    def divide(self, turn: int) -> Usage:
        """Another turn begins: what is of the one before, when the request outlasts it."""

    def failed(self, error: Exception, *, goes_on: bool) -> None:
        """The attempt has failed; `goes_on`: the plugin tries again."""

    def told(self, figures: object) -> None:
        """The plugin's own account of it, one of livekit.agents.metrics."""


class Counter(Protocol):
    """Where requests are counted; the Meter."""

    turn: int

    def opened(self, request: Request) -> None:
        """It counts from here on, by what its `usage()` says."""

    def settled(self, request: Request) -> None:
        """It is over."""

    def add(self, usage: Usage, turn: int | None = None) -> None:
        """Counts what is over already; without a turn it is of the present one."""

    def counted(self) -> None:
        """An open request has used more."""


current: ContextVar[Request | None] = ContextVar("request that is being made", default=None)
"""The plugins tell of failures and figures by events of the whole engine. They do so in tasks that each stream starts
when it is made, and a task keeps the context of its start: so an event is known to be of the request that is here."""


@contextmanager
def made_for(request: Request) -> Iterator[None]:
    """What is started within belongs to the request."""
    before = current.set(request)
    try:
        yield
    finally:
        current.reset(before)


def tell_when_sent(engine: object) -> bool:
    """Lets the requests of an engine on OpenAI's client be told when they are on their way; False for another one.

    A request that is given up while a connection is made for it never reaches the provider, and that takes long: a
    connection on which a request is given up is lost, so the next one needs a new one.
    """
    hooks = getattr(getattr(getattr(engine, "_client", None), "_client", None), "event_hooks", None)
    if not isinstance(hooks, dict) or "request" not in hooks:
        return False
    hooks["request"].append(_watch)
    return True


async def _watch(http: Any) -> None:
    """`http` is a request of httpx or httpx2; by the events of its connection:
    https://www.encode.io/httpcore/extensions/#trace."""
    request = current.get()
    if request is None:
        return

    async def trace(event: str, _details: object) -> None:
        if event.endswith("send_request_body.started"):  # its end is not told when it is given up in this moment
            request.sent()
        elif event.endswith("receive_response_headers.complete"):
            request.answering()

    http.extensions["trace"] = trace


def was_charged(error: Exception, *, begun: bool, answered: bool) -> bool:
    """Whether the provider asks money for an attempt that was sent and failed. `begun`: its answer had begun;
    `answered`: something of it had come.

    It does for what it answered, and for what it was still working on when we lost patience. It does not for what it
    refused, nor when the connection ended before the answer began.
    """
    if answered:
        return True
    if isinstance(error, APIStatusError):
        return not 400 <= error.status_code < 600  # others are the codes of a WebSocket that was open
    return begun or isinstance(error, APITimeoutError) or not isinstance(error, APIConnectionError)


# --- what is learnt ---


class Rate:
    """How much of one comes with how much of another, by all that was seen together."""

    def __init__(self, before: float) -> None:
        self._before = before
        self._of, self._to = 0.0, 0.0

    def learn(self, of: float, to: float) -> None:
        self._of += of
        self._to += to

    def __call__(self, of: float) -> float:
        return of * (self._to / self._of if self._of and self._to else self._before)


class TokenCounts:
    """What a language model makes of characters.

    Prompts grow from turn to turn and share their greater part, so a prompt is estimated from the last one that was
    counted: only what differs goes by the rate.
    """

    def __init__(self) -> None:
        self._prompts = Rate(TOKENS_A_CHARACTER)
        self._answers = Rate(TOKENS_A_CHARACTER)
        self._last: tuple[int, int] | None = None
        "characters and tokens"

    def learn_prompt(self, characters: int, tokens: int) -> None:
        self._prompts.learn(characters, tokens)
        self._last = (characters, tokens)

    def learn_answer(self, characters: int, tokens: int) -> None:
        self._answers.learn(characters, tokens)

    def prompt(self, characters: int) -> int:
        if self._last is None:
            return round(self._prompts(characters))
        counted, tokens = self._last
        return max(0, round(tokens + self._prompts(characters - counted)))

    def answer(self, characters: int) -> int:
        return round(self._answers(characters))


# --- what is sent, and what comes ---


def prompt_characters(context: llm.ChatContext) -> int:
    """Of everything in a conversation that goes to the model, tools left out."""
    count = 0
    for item in context.items:
        match item:
            case llm.ChatMessage():
                count += len(item.text_content or "")
            case llm.FunctionCall():
                count += len(item.name) + len(item.arguments)
            case llm.FunctionCallOutput():
                count += len(item.output)
    return count


def answer_characters(chunk: llm.ChatChunk) -> int:
    """Of what the model has written in it, calls of tools among it."""
    if chunk.delta is None:
        return 0
    calls = sum(len(call.name) + len(call.arguments) for call in chunk.delta.tool_calls)
    return len(chunk.delta.content or "") + calls


class ToolLengths:
    """Characters of the tools' descriptions; the same tools come with every turn of a call."""

    def __init__(self) -> None:
        self._tools: list[llm.Tool] = []
        self._characters = 0

    def of(self, tools: Sequence[llm.Tool]) -> int:
        if list(tools) != self._tools:
            self._tools = list(tools)
            schemas = llm.ToolContext(self._tools).parse_function_tools("openai", strict=True)
            self._characters = len(json.dumps(schemas)) if schemas else 0
        return self._characters


_WORDS = tokenize.basic.WordTokenizer(ignore_punctuation=False)


def characters_sent(text: str, *, whole: bool) -> int:
    """Of a text that is streamed to a voice, by now; `whole`: nothing more of it comes.

    The plugins of Deepgram, ElevenLabs and Rime send it by words or sentences, each with a space after it, whatever
    space there was; and hold the last one back until they know its end.
    """
    words = _WORDS.tokenize(text)
    return sum(len(word) + 1 for word in (words if whole else words[:-1]))
