"""Counts what a call uses of its providers, and what that costs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from livekit import rtc
from livekit.agents import llm, metrics, stt, tts

from voiceworker.policy.pricing import PriceTable, Usage, kept
from voiceworker.runtime.metering.language import MeteredLLM
from voiceworker.runtime.metering.recognition import MeteredSTT
from voiceworker.runtime.metering.requests import Request, TokenCounts
from voiceworker.runtime.metering.voices import MeteredTTS, SpeechCounts

_Key = tuple[int, str, str]
"turn, role, model"


@dataclass(frozen=True, slots=True)
class TurnUsage:
    """What one turn used of one model."""

    turn: int
    "0: before the caller's first; a turn goes from the moment when the caller has finished to the next such moment"
    usage: Usage
    cost: Decimal | None
    "in the meter's currency; None: the model has no price"


@dataclass(frozen=True, slots=True)
class Totals:
    """Of the whole call, up to now."""

    seconds: float
    "of audio that was recognised"
    tokens: int
    characters: int
    "that were spoken"
    cost: Decimal
    "of all models that have a price"
    currency: str
    unpriced: tuple[str, ...]
    "the models that were used and have none"


class Meter:
    """Of one call. The engines it gives out are ordinary ones; everything that goes through them is counted."""

    def __init__(self, prices: PriceTable, currency: str) -> None:
        """Raises UnknownCurrencyError."""
        prices.convert(Decimal(0), currency, currency)
        self._prices = prices
        self._currency = currency
        self._changed: Callable[[], None] = lambda: None
        self._settled: dict[_Key, Usage] = {}
        self._taken: dict[_Key, tuple[Usage, Decimal]] = {}
        self._takes_whole = False
        self._past: dict[tuple[str, str], Usage] = {}
        "by role and model: of turns that are in the records, so that a long call does not grow"
        self._open: dict[Request, None] = {}
        self._tokens: dict[str, TokenCounts] = {}
        self._speech: dict[str, SpeechCounts] = {}
        self.turn = 0

    def listen(self, changed: Callable[[], None]) -> None:
        """It is called when something was counted; often. Engines are made, and counted, before a call has them."""
        self._changed = changed

    # --- engines ---

    def stt(self, name: str, engine: stt.STT[Any]) -> stt.STT[Any]:
        """Of a gated recogniser what the gate lets through is counted: what it keeps back costs nothing."""
        return MeteredSTT(engine, name, self)

    def llm(self, name: str, engine: llm.LLM[Any]) -> llm.LLM[Any]:
        return MeteredLLM(engine, name, self, self._tokens.setdefault(name, TokenCounts()))

    def tts(self, name: str, engine: tts.TTS[Any]) -> tts.TTS[Any]:
        price = self._prices.find("tts", name)
        by_tokens = price is not None and price.audio_output_token is not None
        counts = self._speech.setdefault(name, SpeechCounts(by_tokens=by_tokens))
        return MeteredTTS(engine, name, self, counts)

    def realtime(self, name: str, source: rtc.EventEmitter[Any]) -> None:
        """Counts a speech-to-speech session or model by the figures that come with each of its answers, and with each
        transcript of the caller's words."""

        def told(figures: object) -> None:
            if isinstance(figures, metrics.RealtimeModelMetrics):
                self.add(realtime_usage(name, figures))
            elif isinstance(figures, metrics.STTMetrics):
                self.add(transcription_usage(name, figures))

        source.on("metrics_collected", told)

    # --- counting ---

    def begin_turn(self) -> None:
        """The caller has finished: what is used from here on is of the next turn."""
        for request in self._open:
            self.add(request.divide(self.turn + 1), self.turn)
        self.turn += 1

    def add(self, usage: Usage, turn: int | None = None) -> None:
        if usage.is_nothing:
            return
        key = (self.turn if turn is None else turn, usage.role, usage.model)
        known = self._settled.get(key)
        self._settled[key] = usage if known is None else known + usage
        self._changed()

    def opened(self, request: Request) -> None:
        """It counts from here on, by what its `usage()` says."""
        self._open[request] = None

    def settled(self, request: Request) -> None:
        """It is over."""
        if request in self._open:
            del self._open[request]
            self.add(request.usage(), request.turn)

    def counted(self) -> None:
        """An open request has used more."""
        self._changed()

    # --- what came of it ---

    def take(self, *, whole: bool = False) -> list[TurnUsage]:
        """What has come since the last time, for the records: figures add up, and so do costs.

        Of requests that are not over only what was divided off at the end of a turn, unless it shall be the `whole`;
        then it is so from there on.
        """
        self._takes_whole = self._takes_whole or whole
        now = self._sums(with_open=self._takes_whole)
        taken: list[TurnUsage] = []
        for key in sorted(now):
            usage, (before, paid) = now[key], self._taken.get(key, (Usage(key[1], key[2]), Decimal(0)))
            cost = self._prices.cost(usage, self._currency)
            cost = None if cost is None else kept(cost)
            if usage != before:
                since = replace(usage - before, estimated=usage.estimated)
                taken.append(TurnUsage(key[0], since, None if cost is None else cost - paid))
                self._taken[key] = usage, cost or Decimal(0)
        self._forget()
        return taken

    def _forget(self) -> None:
        """Turns that were taken and are over; what comes late of one is told as an entry of its own."""
        going_on = {self.turn, *(request.turn for request in self._open)}
        for key in [key for key in self._taken if key[0] not in going_on]:
            del self._taken[key]
            usage, model = self._settled.pop(key, None), key[1:]
            if usage is not None:  # else it was of a request that came to nothing
                self._past[model] = self._past[model] + usage if model in self._past else usage

    def turns(self) -> list[TurnUsage]:
        """By turn, role and model, in this order; open requests as far as they are. What was taken for the records is
        there until its turn is over."""
        sums = self._sums(with_open=True)
        return [TurnUsage(key[0], sums[key], self._prices.cost(sums[key], self._currency)) for key in sorted(sums)]

    def _sums(self, *, with_open: bool) -> dict[_Key, Usage]:
        sums = dict(self._settled)
        for request in self._open if with_open else ():
            usage = request.usage()
            if usage.is_nothing:
                continue
            key = (request.turn, usage.role, usage.model)
            sums[key] = sums[key] + usage if key in sums else usage
        return sums

    def totals(self) -> Totals:
        used = [*self._past.values(), *self._sums(with_open=True).values()]
        costs = [(usage, self._prices.cost(usage, self._currency)) for usage in used]
        return Totals(
            seconds=sum(usage.audio_seconds for usage in used),
            tokens=sum(usage.tokens for usage in used),
            characters=sum(usage.characters for usage in used),
            cost=sum((cost for _, cost in costs if cost is not None), Decimal(0)),
            currency=self._currency,
            unpriced=tuple(sorted({usage.model for usage, cost in costs if cost is None})),
        )


def realtime_usage(name: str, figures: metrics.RealtimeModelMetrics) -> Usage:
    """Images are left out: nobody sends any here."""
    came, went = figures.input_token_details, figures.output_token_details
    cached = came.cached_tokens_details
    return Usage(
        role="realtime",
        model=name,
        input_tokens=came.text_tokens,
        cached_input_tokens=min(cached.text_tokens if cached else 0, came.text_tokens),
        output_tokens=went.text_tokens,
        audio_input_tokens=came.audio_tokens,
        cached_audio_input_tokens=min(cached.audio_tokens if cached else 0, came.audio_tokens),
        audio_output_tokens=went.audio_tokens,
    )


_HEARD_TOKENS_A_SECOND = 10
"of a caller's sound: https://platform.openai.com/docs/guides/realtime-costs"


def transcription_usage(name: str, figures: metrics.STTMetrics) -> Usage:
    """Of the model that writes down the caller's words beside a speech-to-speech model of the same provider."""
    model = figures.metadata.model_name if figures.metadata is not None else None
    seconds = figures.audio_duration or figures.input_audio_tokens / _HEARD_TOKENS_A_SECOND
    return Usage("stt", f"{name.partition('/')[0]}/{model or 'unknown'}", audio_seconds=seconds)
