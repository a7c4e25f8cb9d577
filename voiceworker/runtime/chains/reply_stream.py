"""One reply of a chain of language models: who is asked, for how long, and what of it is new."""

from __future__ import annotations

import asyncio
import dataclasses
import time
from collections.abc import AsyncIterable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from livekit.agents import APIConnectionError, APIConnectOptions, llm

from voiceworker.policy.continuation import Continuation, ends_a_sentence
from voiceworker.runtime.chains.breakers import Trying
from voiceworker.runtime.chains.links import Failure, GivenUpError, Link
from voiceworker.runtime.history import in_turns
from voiceworker.runtime.piecewise import first_clause_end
from voiceworker.runtime.tasks import Tasks

if TYPE_CHECKING:
    from voiceworker.runtime.chains.language_model import LanguageModelChain

GO_ON = (
    "Your reply to the user was interrupted by a technical fault after the words above, which the user has heard. "
    "Write the rest of that reply only, beginning with the very next word. Do not repeat any of it, do not greet, do "
    "not mention the fault."
)

_CHARACTERS_PER_SECOND = 15.0
"of speech: what has been written lasts so long"
_FILLER_AGAIN_SECONDS = 0.1


@dataclass(slots=True)
class Written:
    """What one attempt has written so far."""

    text: str = ""
    passed: int = 0
    "characters of it that are new, and so are spoken"
    has_tool_calls: bool = False
    usage_came: bool = False
    first_at: float | None = None
    last_at: float = 0.0

    def note(self, chunk: llm.ChatChunk, now: float) -> None:
        self.usage_came = self.usage_came or chunk.usage is not None
        if chunk.delta is not None and chunk.has_response():
            self.text += chunk.delta.content or ""
            self.has_tool_calls = self.has_tool_calls or bool(chunk.delta.tool_calls)
            self.first_at = self.first_at or now
            self.last_at = now


class ChainedReply(llm.LLMStream):
    _llm_request_span_name: ClassVar[str] = "llm_chain"
    _llm_attempt_span_name: ClassVar[str | None] = None
    _genai_operation_name: ClassVar[str | None] = None

    def __init__(
        self,
        chain: LanguageModelChain,
        chat_ctx: llm.ChatContext,
        tools: list[llm.Tool],
        conn_options: APIConnectOptions,
        request: dict[str, Any],
    ) -> None:
        # each link is asked once: to repeat the whole chain would be seconds of silence
        super().__init__(
            chain, chat_ctx=chat_ctx, tools=tools, conn_options=dataclasses.replace(conn_options, max_retry=0)
        )
        self._chain = chain
        self._request = request
        self._said = ""
        self._calls_made = False
        self._tried: list[str] = []
        self._failure: Failure | None = None
        self._began_at = time.monotonic()

    async def _run(self) -> None:
        fillers = Tasks()
        if self._chain.filler is not None:
            fillers.spawn(self._fill(self._chain.filler), "filler of a reply")
        try:
            while (picked := self._pick()) is not None:
                link, trying = picked
                self._tried.append(link.name)
                try:
                    await self._ask(link, trying)
                    return
                except Exception as error:  # whatever it is: the next model is asked
                    self._failure = self._chain.retry_afters.failure_of(error)
                    trying.failed(self._failure)
                    if self._calls_made:
                        return  # the call is made once; its result begins another reply
        finally:
            await fillers.aclose()
        reason = self._failure.reason if self._failure else "none is there"
        raise APIConnectionError(f"no language model answers: {reason}", retryable=False)

    def _pick(self) -> tuple[Link[llm.LLM[Any]], Trying] | None:
        """Who is asked next; None: everybody was."""
        fresh = [link for link in self._chain.links if link.name not in self._tried]
        if not fresh and len(self._chain.links) == len(self._tried) == 1 and self._may_pass():
            fresh = list(self._chain.links)  # nobody stands by: what passes may have passed already
        if self._said:
            able = [link for link in fresh if link.continues]
            again = [link for link in self._chain.links if link.continues and self._tried.count(link.name) == 1]
            fresh = able or again or fresh  # who knows the conversation goes on better than rules do
        return self._chain.breakers.admit_first("llm", fresh)

    def _may_pass(self) -> bool:
        waited, patience = time.monotonic() - self._began_at, self._chain.patience.first_token_seconds
        return self._failure is not None and self._failure.may_pass(waited, patience)

    async def _ask(self, link: Link[llm.LLM[Any]], trying: Trying) -> None:
        """Raises whatever the engine does, GivenUpError when it takes too long."""
        patience = self._patience_with(link)
        options = dataclasses.replace(self._conn_options, max_retry=0, timeout=patience + 1)
        stream = link.engine.chat(
            chat_ctx=self._context_for(link), tools=self._tools, conn_options=options, **self._request
        )
        written, began_at = Written(), time.monotonic()
        rest = Continuation(self._said) if link.continues else None
        try:
            while True:
                try:
                    deadline = began_at + patience if written.first_at is None else self._next_token_by(link, written)
                    async with asyncio.timeout(deadline - time.monotonic()):
                        chunk = await anext(stream)
                except StopAsyncIteration:
                    break
                except TimeoutError:
                    raise GivenUpError("no token came" if written.first_at is None else "tokens stalled") from None
                began = written.first_at is None
                written.note(chunk, time.monotonic())
                if began and written.first_at is not None:
                    self._chain.now_serves(link, self._failure)
                    if rest is None:
                        self._say(_PAUSE if self._said and not ends_a_sentence(self._said) else "")
                before = len(self._said)
                self._pass(chunk, rest)
                written.passed += len(self._said) - before
            if self._chain.was_cut_off(link, written):
                raise GivenUpError("closed early")
            self._say(rest.finish() if rest is not None else "")
            trying.succeeded()
        except asyncio.CancelledError:
            # a reply that was cut short by the caller shows as well that the model works
            trying.abandoned() if written.first_at is None else trying.succeeded()
            raise
        finally:
            # what hangs may hang when it is closed, too; the next model does not wait for that
            self._chain.tasks.spawn(stream.aclose(), "end of a reply's request")

    def _patience_with(self, link: Link[llm.LLM[Any]]) -> float:
        patience = self._chain.patience
        if len(set(self._tried)) == len(self._chain.links):
            return max(patience.last_token_seconds, link.patience_seconds or 0.0)
        usual = patience.first_token_seconds if len(self._tried) == 1 else patience.next_token_seconds
        return usual if link.patience_seconds is None else link.patience_seconds

    def _next_token_by(self, link: Link[llm.LLM[Any]], written: Written) -> float:
        settings = self._chain.patience
        first_at = written.first_at or written.last_at
        if not (written.has_tool_calls or first_clause_end(self._said) or ends_a_sentence(self._said)):
            # nothing of it can be spoken yet: all of this is silence
            stalled_at = written.last_at + settings.stall_seconds
            if all(one.name in self._tried for one in self._chain.links):
                return stalled_at
            return min(stalled_at, first_at + max(settings.first_clause_seconds, link.patience_seconds or 0.0))
        spoken_at = first_at + written.passed / _CHARACTERS_PER_SECOND
        if not written.passed:  # it repeats what was said: nothing of it is heard, and it goes on
            spoken_at = written.last_at
        return min(spoken_at + settings.stall_seconds, written.last_at + settings.longest_gap_seconds)

    def _context_for(self, link: Link[llm.LLM[Any]]) -> llm.ChatContext:
        if not link.continues:
            return self._chat_ctx
        context = in_turns(self._chat_ctx)
        if self._said:
            context.add_message(role="assistant", content=self._said)
            context.add_message(role="system", content=GO_ON)
        return context

    def _pass(self, chunk: llm.ChatChunk, rest: Continuation | None) -> None:
        """Hands on what is new of it."""
        delta = chunk.delta
        if delta is not None and delta.content:
            text = delta.content if rest is None else rest.push(delta.content)
            self._said += text
            delta = delta.model_copy(update={"content": text or None})
            chunk = chunk.model_copy(update={"delta": delta})
        if delta is not None and delta.tool_calls:
            self._calls_made = True
        if chunk.usage is not None or (delta is not None and (delta.content or delta.tool_calls or delta.extra)):
            self._event_ch.send_nowait(chunk)

    def _say(self, text: str) -> None:
        if text:
            self._said += text
            self._event_ch.send_nowait(_chunk(text))

    async def _fill(self, filler: Callable[[], str]) -> None:
        await asyncio.sleep(self._chain.patience.filler_seconds)
        while not (self._said or self._calls_made):
            if text := filler():
                self._event_ch.send_nowait(_chunk(f"{text.strip()} "))
                return
            await asyncio.sleep(_FILLER_AGAIN_SECONDS)

    async def _metrics_monitor_task(self, event_aiter: AsyncIterable[llm.ChatChunk]) -> None:
        async for _ in event_aiter:  # the engines tell their own
            pass


_PAUSE = "… "
"where a sentence was left unfinished"


def _chunk(text: str) -> llm.ChatChunk:
    return llm.ChatChunk(id="chain", delta=llm.ChoiceDelta(role="assistant", content=text))
