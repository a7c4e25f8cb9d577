"""Reads a table of prices; `prices.toml` beside this file is the one that comes with the project."""

from __future__ import annotations

import re
import tomllib
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

from voiceworker.config import ConfigError
from voiceworker.policy.pricing import MILLION, Price, PriceTable

BUILT_IN = Path(__file__).parent / "prices.toml"

_ROLES = ("stt", "llm", "tts", "realtime")
_UNITS: dict[str, tuple[str, Decimal]] = {
    "audio_minute": ("audio_minute", Decimal(1)),
    "million_input_tokens": ("input_token", MILLION),
    "million_cached_input_tokens": ("cached_input_token", MILLION),
    "million_output_tokens": ("output_token", MILLION),
    "million_audio_input_tokens": ("audio_input_token", MILLION),
    "million_cached_audio_input_tokens": ("cached_audio_input_token", MILLION),
    "million_audio_output_tokens": ("audio_output_token", MILLION),
    "million_characters": ("character", MILLION),
    "thousand_characters": ("character", Decimal(1000)),
}
"key of the file -> field of Price, and how many of its units the key's figure buys"
_WORDS = ("model", "role", "currency", "date", "source")
_KEYS = (*_WORDS, "free", *_UNITS)


def load_prices(path: Path | None = None) -> PriceTable:
    """The table in the file, None: the one that comes with the project.

    Raises ConfigError `FILE:LINE: KEY: reason`.
    """
    return _Reader(path or BUILT_IN).table()


class _Reader:
    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._text = path.read_text(encoding="utf-8")
            self._data: dict[str, Any] = tomllib.loads(self._text, parse_float=Decimal)
        except FileNotFoundError:
            raise ConfigError(f"{path}: no such file") from None
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"{path}: cannot be read: {error}") from None
        except tomllib.TOMLDecodeError as error:
            problem, _, place = str(error).partition(" (at ")
            line = re.search(r"line (\d+)", place)
            raise ConfigError(f"{path}:{line[1] if line else self._last_line}: not valid TOML: {problem}") from None

    def table(self) -> PriceTable:
        for key in self._data:
            if key not in ("rates", "price"):
                raise self._error(self._line_of(key), key, "no such key; there are rates, price")
        rates = self._rates()
        entries = self._data.get("price", [])
        if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
            raise self._error(self._line_of("price"), "price", "write each as [[price]]")
        prices = [self._price(entry, index, rates) for index, entry in enumerate(entries)]
        seen: set[tuple[str, str]] = set()
        for index, price in enumerate(prices):
            if (price.role, price.model) in seen:
                raise self._wrong(index, "model", f"{price.role} {price.model} stands here twice")
            seen.add((price.role, price.model))
        return PriceTable(prices, rates)

    def _rates(self) -> dict[str, Decimal]:
        given = self._data.get("rates")
        if not isinstance(given, dict):
            raise self._error(self._line_of("rates"), "rates", "needed: [rates] with USD = 1 and others beside it")
        rates: dict[str, Decimal] = {}
        for currency, value in given.items():
            if currency in ("date", "source"):
                continue
            line = self._line_of(currency, after=self._line_of("rates"))
            if not re.fullmatch("[A-Z]{3}", currency):
                raise self._error(line, f"rates.{currency}", "not a currency; three letters as USD, EUR, GBP")
            rates[currency] = self._amount(value, line, f"rates.{currency}")
            if not rates[currency]:
                raise self._error(line, f"rates.{currency}", "must be more than 0")
        if not rates:
            raise self._error(self._line_of("rates"), "rates", "holds no currency")
        return rates

    def _price(self, entry: dict[str, Any], index: int, rates: dict[str, Decimal]) -> Price:
        for key in entry:
            if key not in _KEYS:
                raise self._wrong(index, key, f"no such key; there are {', '.join(_KEYS)}")
        words = {key: self._word(entry, index, key) for key in _WORDS}
        if words["role"] not in _ROLES:
            raise self._wrong(index, "role", f"one of {', '.join(_ROLES)}")
        if words["currency"] not in rates:
            raise self._wrong(index, "currency", f"has no rate; there are {', '.join(sorted(rates))}")
        try:
            date.fromisoformat(words["date"])
        except ValueError:
            raise self._wrong(index, "date", "must be a day, as 2026-01-31") from None
        if "*" in words["model"][:-1]:
            raise self._wrong(index, "model", "a * may stand at its end only")
        price = Price(words["role"], words["model"], words["currency"], words["date"], words["source"])
        return replace(price, **self._units(entry, index))

    def _word(self, entry: dict[str, Any], index: int, key: str) -> str:
        value = entry.get(key, "USD" if key == "currency" else None)
        if isinstance(value, date):
            return value.isoformat()
        if not isinstance(value, str) or not value:
            raise self._wrong(index, key, "needed, as 2026-01-31" if key == "date" else "needed, as text")
        return value

    def _units(self, entry: dict[str, Any], index: int) -> dict[str, Any]:
        units: dict[str, Any] = {}
        for key, (field, amount) in _UNITS.items():
            if key not in entry:
                continue
            if field in units:
                raise self._wrong(index, key, "this unit has a price already")
            line = self._line_in(index, key)
            units[field] = self._amount(entry[key], line, f"price.{key}") / amount
        if entry.get("free", False) not in (True, False):
            raise self._wrong(index, "free", "true, or leave it out")
        if bool(units) == bool(entry.get("free", False)):
            raise self._wrong(index, "free", f"give free = true, or at least one of {', '.join(_UNITS)}; not both")
        return units

    def _amount(self, value: Any, line: int, key: str) -> Decimal:
        if isinstance(value, bool) or not isinstance(value, int | Decimal):
            raise self._error(line, key, "must be a number, as 0.0077")
        amount = Decimal(value)
        if not amount.is_finite() or amount < 0:
            raise self._error(line, key, "must be 0 or more")
        return amount

    # --- where it stands ---

    @property
    def _last_line(self) -> int:
        return self._text.count("\n") + 1

    def _line_of(self, key: str, after: int = 1) -> int:
        """Of a key or the head of a table, at or after a line; 1 when it is not found."""
        wanted = re.compile(rf"""\s*(\[+\s*)?["']?{re.escape(key)}["']?\s*[\]=]""")
        lines = self._text.splitlines()
        return next((number for number in range(after, len(lines) + 1) if wanted.match(lines[number - 1])), after)

    def _line_in(self, index: int, key: str) -> int:
        """Of a key of the nth [[price]], or of its head."""
        lines = self._text.splitlines()
        heads = [number for number, line in enumerate(lines, 1) if re.match(r"\s*\[\[\s*price\s*\]\]", line)]
        if index >= len(heads):
            return self._line_of("price")
        end = heads[index + 1] if index + 1 < len(heads) else len(lines) + 1
        line = self._line_of(key, heads[index])
        return line if line < end else heads[index]

    def _wrong(self, index: int, key: str, reason: str) -> ConfigError:
        return self._error(self._line_in(index, key), f"price.{key}", reason)

    def _error(self, line: int, key: str, reason: str) -> ConfigError:
        return ConfigError(f"{self._path}:{line}: {key}: {reason}")
