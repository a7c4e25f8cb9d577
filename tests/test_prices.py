from __future__ import annotations

import re
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from voiceworker.config import ConfigError
from voiceworker.policy.pricing import Usage
from voiceworker.prices import BUILT_IN, load_prices

RATES = "[rates]\nUSD = 1\nEUR = 0.8\n"
ENTRY = '[[price]]\nmodel = "a/b"\nrole = "llm"\ncurrency = "EUR"\ndate = 2026-01-31\nsource = "https://a"\n'


def read(tmp_path: Path, text: str) -> Decimal | None:
    file = tmp_path / "prices.toml"
    file.write_text(text, encoding="utf-8")
    usage = Usage("llm", "a/b", audio_seconds=60, input_tokens=10**6, characters=2000)
    return load_prices(file).cost(usage, "USD")


def test_the_table_of_the_project_is_whole() -> None:
    table = load_prices()
    for price in table.prices:
        assert date.fromisoformat(price.date) <= date(2026, 11, 21)
        assert re.match("https://|runs here", price.source)
    assert {"USD", "EUR", "GBP"} <= set(table.rates)


@pytest.mark.parametrize(
    ("role", "model", "usage", "cost"),
    [
        ("stt", "deepgram/nova-3", {"audio_seconds": 3600}, "0.462"),
        ("stt", "deepgram/flux-general-en", {"audio_seconds": 60}, "0.0077"),
        ("stt", "openai/whisper-1", {"audio_seconds": 600}, "0.06"),
        ("stt", "openai/gpt-4o-transcribe", {"audio_seconds": 60}, "0.006"),
        ("llm", "openai/gpt-4.1-mini", {"input_tokens": 10**6, "output_tokens": 10**6}, "2.00"),
        ("llm", "openai/gpt-4.1", {"input_tokens": 10**6, "cached_input_tokens": 10**6}, "0.50"),
        ("llm", "openai/gpt-4o-mini", {"output_tokens": 10**6}, "0.60"),
        ("tts", "deepgram/aura-2-thalia-en", {"characters": 1000}, "0.030"),
        ("tts", "openai/gpt-4o-mini-tts", {"input_tokens": 10**6, "audio_output_tokens": 10**6}, "12.60"),
        ("tts", "elevenlabs/eleven_flash_v2_5", {"characters": 1000}, "0.15"),
        ("tts", "rime/mistv2", {"characters": 1000}, "0.030"),
        ("realtime", "openai/gpt-realtime", {"audio_input_tokens": 10**6, "audio_output_tokens": 10**6}, "96.00"),
        ("stt", "pocketsphinx", {"audio_seconds": 3600}, "0"),
        ("stt", "whisper/small.en", {"audio_seconds": 3600}, "0"),
        ("llm", "script", {"input_tokens": 1000}, "0"),
        ("llm", "ollama/llama3.2", {"input_tokens": 1000}, "0"),
        ("tts", "espeak/en-us", {"characters": 1000}, "0"),
        ("tts", "piper/en_GB-alba-medium", {"characters": 1000}, "0"),
    ],
)
def test_a_model_costs_what_its_provider_lists(role: str, model: str, usage: dict[str, float], cost: str) -> None:
    assert load_prices().cost(Usage(role, model, **usage), "USD") == Decimal(cost)  # type: ignore[arg-type]


@pytest.mark.parametrize(("role", "model"), [("llm", "openai/gpt-9"), ("llm", "openai-compatible/mine")])
def test_what_is_not_in_the_table_has_no_known_cost(role: str, model: str) -> None:
    assert load_prices().cost(Usage(role, model, input_tokens=1), "USD") is None


def test_a_file_of_ones_own_is_read_in_its_own_currency(tmp_path: Path) -> None:
    assert read(tmp_path, RATES + ENTRY + "million_input_tokens = 0.40\nthousand_characters = 0.2\n") == 1
    assert read(tmp_path, RATES + ENTRY + "audio_minute = 4\nmillion_characters = 0\n") == 5
    assert read(tmp_path, RATES + ENTRY + "free = true\n") == 0


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        ("[rates\n", 1, "not valid TOML"),
        ('[rates]\nUSD = 1\n[[price]]\nmodel = "x\n', 4, "not valid TOML"),
        ("rates = 3\n", 1, "rates: needed"),
        ("[rates]\nUSD = 1\neuro = 2\n", 3, "rates.euro: not a currency"),
        ("[rates]\nUSD = 1\nEUR = 0\n", 3, "rates.EUR: must be more than 0"),
        ('[rates]\nUSD = 1\nEUR = "x"\n', 3, "rates.EUR: must be a number"),
        (RATES + "[prices]\n", 4, "prices: no such key"),
        (RATES + ENTRY, 4, "price.free: give free = true, or at least one of audio_minute"),
        (RATES + ENTRY + "free = true\naudio_minute = 1\n", 10, "price.free: give"),
        (RATES + ENTRY + "per_minute = 1\n", 10, "price.per_minute: no such key"),
        (RATES + ENTRY + "audio_minute = -1\n", 10, "price.audio_minute: must be 0 or more"),
        (RATES + ENTRY + "audio_minute = nan\n", 10, "price.audio_minute: must be 0 or more"),
        (RATES + ENTRY + "audio_minute = true\n", 10, "price.audio_minute: must be a number"),
        (RATES + ENTRY + "free = 1\n" + "audio_minute = 1\n", 10, "price.free"),
        (RATES + ENTRY + "million_characters = 1\nthousand_characters = 1\n", 11, "has a price already"),
        (RATES + ENTRY.replace('"llm"', '"brain"') + "free = true\n", 6, "price.role: one of stt, llm"),
        (RATES + ENTRY.replace('"EUR"', '"SEK"') + "free = true\n", 7, "price.currency: has no rate"),
        (RATES + ENTRY.replace("2026-01-31", '"soon"') + "free = true\n", 8, "price.date: must be a day"),
        (RATES + ENTRY.replace('source = "https://a"\n', "") + "free = true\n", 4, "price.source: needed"),
        (RATES + ENTRY.replace("a/b", "a*b") + "free = true\n", 5, "price.model: a * may stand at its end"),
        (RATES + 2 * (ENTRY + "free = true\n"), 12, "price.model: llm a/b stands here twice"),
    ],
)
def test_a_mistake_is_told_with_its_file_line_and_key(tmp_path: Path, text: str, line: int, reason: str) -> None:
    with pytest.raises(ConfigError) as raised:
        read(tmp_path, text)
    assert str(raised.value).startswith(f"{tmp_path / 'prices.toml'}:{line}: "), str(raised.value)
    assert reason in str(raised.value)


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such file"):
        load_prices(tmp_path / "none.toml")


def test_the_table_is_part_of_the_package() -> None:
    assert BUILT_IN.parent.name == "voiceworker"
