"""What the use of a model costs; pure.

A provider prices each unit of its own: minutes of audio heard, tokens read, cached and written, characters spoken. A
`Usage` holds all of them, a `Price` says which of them cost something, and a `PriceTable` finds the price of a model
and turns it into one currency. Money is Decimal from end to end. A model without a price has no cost, which is not the
same as a cost of nothing: whoever asks is told None.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from decimal import Decimal

MILLION = Decimal(1_000_000)
NANO = Decimal("0.000000001")
"the smallest amount that is kept: a token of the cheapest model costs some 25 of them"


class UnknownCurrencyError(ValueError):
    """The table has no exchange rate for it."""


@dataclass(frozen=True, slots=True)
class Usage:
    """What was used of one model, in all the units a provider may bill."""

    role: str
    "stt | llm | tts | realtime"
    model: str
    "as the agent's file names it: `deepgram/nova-3`"
    audio_seconds: float = 0.0
    "of audio sent for recognition"
    input_tokens: int = 0
    "of text, those from the provider's cache included"
    cached_input_tokens: int = 0
    "of those"
    output_tokens: int = 0
    "of text"
    audio_input_tokens: int = 0
    "of sound, those from the provider's cache included"
    audio_output_tokens: int = 0
    characters: int = 0
    "sent to be spoken"
    estimated: bool = False
    "the provider did not tell all of it: the request was cut off before its end"
    cached_audio_input_tokens: int = 0
    "of the tokens of sound that came in"

    def __add__(self, other: Usage) -> Usage:
        """Raises ValueError when the other is of another model."""
        if (self.role, self.model) != (other.role, other.model):
            raise ValueError(f"{self.role} {self.model} and {other.role} {other.model} have no sum")
        sums = {name: getattr(self, name) + getattr(other, name) for name in QUANTITIES}
        return replace(self, **sums, estimated=self.estimated or other.estimated)

    def __sub__(self, earlier: Usage) -> Usage:
        """What has come since `earlier`."""
        return replace(self, **{name: getattr(self, name) - getattr(earlier, name) for name in QUANTITIES})

    @property
    def is_nothing(self) -> bool:
        return not any(getattr(self, name) for name in QUANTITIES)

    @property
    def tokens(self) -> int:
        """In and out, of text and of sound."""
        return self.input_tokens + self.output_tokens + self.audio_input_tokens + self.audio_output_tokens


QUANTITIES = tuple(field.name for field in fields(Usage) if field.name not in ("role", "model", "estimated"))
"the fields of a Usage that add up"


@dataclass(frozen=True, slots=True)
class Price:
    """What one unit of each kind costs; None: this provider does not bill that unit."""

    role: str
    model: str
    "a name, or the beginning of names, ending in `*`"
    currency: str
    "ISO 4217"
    date: str = ""
    "when it was read, YYYY-MM-DD"
    source: str = ""
    "where it was read"
    audio_minute: Decimal | None = None
    input_token: Decimal | None = None
    cached_input_token: Decimal | None = None
    "None: as one that is not cached"
    output_token: Decimal | None = None
    audio_input_token: Decimal | None = None
    cached_audio_input_token: Decimal | None = None
    "None: as one that is not cached"
    audio_output_token: Decimal | None = None
    character: Decimal | None = None

    def is_for(self, role: str, model: str) -> bool:
        if self.role != role:
            return False
        return model.startswith(self.model[:-1]) if self.model.endswith("*") else model == self.model

    def cost(self, usage: Usage) -> Decimal:
        """In the currency of the price; exact."""
        text = usage.input_tokens - usage.cached_input_tokens
        sound = usage.audio_input_tokens - usage.cached_audio_input_tokens
        bill = (
            (Decimal(repr(float(usage.audio_seconds))) / 60, self.audio_minute),
            (text, self.input_token),
            (usage.cached_input_tokens, _first(self.cached_input_token, self.input_token)),
            (usage.output_tokens, self.output_token),
            (sound, self.audio_input_token),
            (usage.cached_audio_input_tokens, _first(self.cached_audio_input_token, self.audio_input_token)),
            (usage.audio_output_tokens, self.audio_output_token),
            (usage.characters, self.character),
        )
        return sum((quantity * unit for quantity, unit in bill if unit is not None), Decimal(0))


def _first(one: Decimal | None, other: Decimal | None) -> Decimal | None:
    return other if one is None else one


class PriceTable:
    """Prices, and what the currencies are worth to each other."""

    def __init__(self, prices: Iterable[Price], rates: Mapping[str, Decimal]) -> None:
        """`rates`: how many units of each currency one unit of a common one buys; which one that is does not matter.

        Raises UnknownCurrencyError when a price has none of them.
        """
        self.prices = tuple(prices)
        self.rates = dict(rates)
        for price in self.prices:
            self.convert(Decimal(0), price.currency, price.currency)

    def find(self, role: str, model: str) -> Price | None:
        """The price of the whole name, else that of its longest beginning; None when there is none."""
        matching = [price for price in self.prices if price.is_for(role, model)]
        return max(matching, key=lambda price: (not price.model.endswith("*"), len(price.model)), default=None)

    def cost(self, usage: Usage, currency: str) -> Decimal | None:
        """None when the model has no price. Raises UnknownCurrencyError."""
        price = self.find(usage.role, usage.model)
        return None if price is None else self.convert(price.cost(usage), price.currency, currency)

    def convert(self, amount: Decimal, from_currency: str, to_currency: str) -> Decimal:
        """Raises UnknownCurrencyError."""
        for currency in (from_currency, to_currency):
            if currency not in self.rates:
                raise UnknownCurrencyError(f"{currency}: no exchange rate; there are {', '.join(sorted(self.rates))}")
        if from_currency == to_currency:
            return amount
        return amount * self.rates[to_currency] / self.rates[from_currency]


def kept(amount: Decimal) -> Decimal:
    """As exact as it is written down: nine decimals."""
    return amount.quantize(NANO)
