from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import pytest
from typer.testing import CliRunner

from voiceworker.cli import app
from voiceworker.config import ROOT, ConfigError, Settings, load_agent
from voiceworker.models_command import rows_of, tariff
from voiceworker.policy.pricing import Price, PriceTable
from voiceworker.prices import load_prices

AGENT = """\
name: desk
instructions: Be kind.
greeting: Hello.
models:
  stt: [deepgram/nova-3, pocketsphinx]
  llm: [openai/gpt-4.1-mini, ollama/llama3.2, script]
  tts: [openai/gpt-4o-mini-tts/coral, espeak/en-us]
script: {help: x}
routes:
  - {when: {plan: free}, llm: [script, openai/gpt-4.1-nano]}
"""


@pytest.fixture
def agents(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "desk.yaml").write_text(AGENT, encoding="utf-8")
    monkeypatch.setenv("VOICEWORKER_AGENTS_DIRECTORY", str(tmp_path))
    for variable in ("OPENAI_API_KEY", "DEEPGRAM_API_KEY", "OLLAMA_BASE_URL"):
        monkeypatch.delenv(variable, raising=False)
    return tmp_path


def test_each_model_has_its_part_what_it_lacks_and_its_price(agents: Path) -> None:
    definition = load_agent(agents / "desk.yaml")
    rows = rows_of(definition, Settings(openai_api_key="k"), load_prices())
    assert [(row.role, str(row.name), row.part, row.missing) for row in rows] == [
        ("stt", "deepgram/nova-3", "not usable", "set DEEPGRAM_API_KEY"),
        ("stt", "pocketsphinx", "leads", ""),
        ("llm", "openai/gpt-4.1-mini", "leads", ""),
        ("llm", "ollama/llama3.2", "not usable", "set OLLAMA_BASE_URL"),
        ("llm", "script", "stands by", ""),
        ("llm", "openai/gpt-4.1-nano", "by a route", ""),
        ("tts", "openai/gpt-4o-mini-tts/coral", "leads", ""),
        ("tts", "espeak/en-us", "stands by", ""),
    ]
    assert all(row.price is not None for row in rows)


def test_a_realtime_model_leads_before_the_pipeline(agents: Path) -> None:
    path = agents / "desk.yaml"
    path.write_text(AGENT.replace("models:", "models:\n  realtime: openai/gpt-realtime"), encoding="utf-8")
    with_key = rows_of(load_agent(path), Settings(openai_api_key="k"), load_prices())
    assert [row.role for row in with_key if row.part == "leads"] == ["realtime"]
    assert [row.role for row in with_key][-1] == "realtime"
    without = rows_of(load_agent(path), Settings(), load_prices())
    assert [row.role for row in without if row.part == "leads"] == ["stt", "llm", "tts"]


def test_a_name_without_a_meaning_is_one_line(agents: Path) -> None:
    path = agents / "desk.yaml"
    path.write_text(AGENT.replace("gpt-4.1-nano", "gpt-realtime"), encoding="utf-8")
    with pytest.raises(ConfigError, match=r"agent desk: models\.llm: 'openai/gpt-realtime' is no llm model"):
        rows_of(load_agent(path), Settings(), PriceTable([], {}))


def test_the_command_prints_a_table_of_every_agent(agents: Path) -> None:
    outcome = CliRunner().invoke(app, ["models"], env={"COLUMNS": "160"})
    assert outcome.exit_code == 0
    assert "set DEEPGRAM_API_KEY" in outcome.output
    assert "USD 0.40 in, 0.10 cached, 1.60 out, for a million tokens" in outcome.output


def test_the_command_prints_one_json_document_without_any_key(agents: Path) -> None:
    arguments = ["models", "--agent", "desk", "--no-probe", "--json"]
    outcome = CliRunner().invoke(app, arguments, env={"OPENAI_API_KEY": "planted-key"})
    rows = json.loads(outcome.output)["agents"]["desk"]
    assert rows[2]["part"] == "leads"
    assert rows[2]["missing"] is None
    assert rows[2]["price"]["source"].startswith("https://")
    assert "planted" not in outcome.output


def test_an_agent_that_is_not_there_is_told_with_those_that_are(agents: Path) -> None:
    outcome = CliRunner().invoke(app, ["models", "--agent", "office"])
    assert isinstance(outcome.exception, ConfigError)
    assert "there are: desk" in str(outcome.exception)


def test_the_front_desks_models_have_prices() -> None:
    definition = load_agent(ROOT / "agents" / "frontdesk.yaml")
    assert all(row.price for row in rows_of(definition, Settings(), load_prices()))


def test_a_price_is_told_in_a_few_words() -> None:
    def price(**units: str) -> Price:
        return Price("llm", "x", "EUR", **{key: Decimal(unit) for key, unit in units.items()})  # type: ignore[arg-type]

    assert tariff(None) == "unknown"
    assert tariff(price()) == "free"
    assert tariff(price(audio_minute="0.006")) == "EUR 0.006 a minute"
    assert tariff(price(character="0.000030")) == "EUR 30 a million characters"
    assert tariff(price(input_token="0.0000004")) == "EUR 0.40 in, for a million tokens"
