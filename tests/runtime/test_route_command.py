"""`voiceworker route`; and docs/routing.md: its example decides what its table says, and prints what the page shows."""

from __future__ import annotations

import json
import re
import shlex
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml
from typer.testing import CliRunner, Result

from voiceworker.config import ROOT, ConfigError
from voiceworker.policy.routing import parse_routes
from voiceworker.runtime.route_command import route

PAGE = (ROOT / "docs" / "routing.md").read_text(encoding="utf-8")
(EXAMPLE,) = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
AGENT = "name: desk\ninstructions: Be kind.\ngreeting: Hello.\nscript: {help: x}\n"


def ask(agents: Path, *options: str, **environment: str) -> Result:
    app = typer.Typer()
    app.command()(route)
    nothing = {
        "OPENAI_API_KEY": "",
        "DEEPGRAM_API_KEY": "",
        "VOICEWORKER_DEFAULT_AGENT": "desk",
        "VOICEWORKER_CLOCK": "",
    }
    return CliRunner().invoke(app, options, env=nothing | {"VOICEWORKER_AGENTS_DIRECTORY": str(agents)} | environment)


@pytest.fixture
def agents(tmp_path: Path) -> Path:
    (tmp_path / "desk.yaml").write_text(AGENT + EXAMPLE, encoding="utf-8")
    return tmp_path


# --- the page ---


def rows() -> list[tuple[str, str, str]]:
    table = PAGE.split("| call | rules | what changes |\n|---|---|---|\n")[1].split("\n\n")[0]
    return [tuple(cell.strip() for cell in line.strip("| ").split(" | ")) for line in table.splitlines()]  # type: ignore[misc]


@pytest.mark.parametrize(("call", "rules", "changes"), rows())
def test_the_example_of_the_page_decides_what_its_table_says(agents: Path, call: str, rules: str, changes: str) -> None:
    metadata, at, load = re.fullmatch(r"`(.*)` at (\S+?)(?:, load ([\d.]+))?", call).groups()  # type: ignore[union-attr]
    found = json.loads(ask(agents, "--metadata", metadata, "--at", at, "--load", load or "0", "--json").stdout)
    assert [found["rule"], *([found["arm"]] if found["arm"] else [])] == re.findall(r"`([^`]*)`", rules)
    own = json.loads(ask(agents, "--at", "2026-11-24T12:00+01:00", "--json").stdout)
    assert changes == ("; ".join(differences(own, found)) or "nothing")


def differences(own: dict[str, Any], found: dict[str, Any]) -> list[str]:
    lists = {role: ", ".join(model["name"] for model in models) for role, models in found["models"].items()}
    usual = {role: ", ".join(model["name"] for model in models) for role, models in own["models"].items()}
    words = [f"{word} {found[word]}" for word in ("language", "eagerness") if found[word]]
    return [f"{role} {names}" for role, names in lists.items() if names != usual[role]] + words


@pytest.mark.parametrize("line", PAGE.split("| condition | holds |\n|---|---|\n")[1].split("\n\n")[0].splitlines())
def test_the_conditions_of_the_page_can_be_written_like_that(line: str) -> None:
    condition = yaml.safe_load(re.findall(r"`(.*?)`", line)[0])
    assert len(parse_routes([{"when": condition, "llm": ["script"]}]).rules[0].conditions) == 1


def test_the_page_shows_what_the_command_prints(agents: Path) -> None:
    (block,) = re.findall(r"```\n\$ voiceworker route (.*?)```", PAGE, re.DOTALL)
    command, _, printed = block.partition("\n")
    assert ask(agents, *shlex.split(command)).stdout == printed


# --- the command ---


def test_every_model_of_the_lists_says_whether_it_answers_or_what_it_lacks(agents: Path) -> None:
    found = json.loads(ask(agents, "--json", OPENAI_API_KEY="k", DEEPGRAM_API_KEY="k").stdout)
    assert found["models"]["stt"] == [
        {"name": "deepgram/nova-3", "state": "answers"},
        {"name": "pocketsphinx", "state": "stands by"},
    ]
    assert found["models"]["llm"][0] == {"name": "openai/gpt-4.1-mini", "state": "answers"}


def test_a_key_is_in_no_line(agents: Path) -> None:
    assert "planted" not in ask(agents, OPENAI_API_KEY="planted", DEEPGRAM_API_KEY="planted").output


def test_without_a_time_it_is_the_business_clock(agents: Path) -> None:
    found = json.loads(ask(agents, "--json", VOICEWORKER_CLOCK="2026-11-24T21:00:00+01:00").stdout)
    assert (found["rule"], found["at"]) == ("night", "2026-11-24T21:00:00+01:00")
    assert datetime.fromisoformat(found["at"]).tzinfo is not None


def test_the_session_decides_the_arm_of_a_caller_who_is_not_known(agents: Path) -> None:
    pro = ("--metadata", '{"plan": "pro"}')
    arms = {json.loads(ask(agents, *pro, "--session", f"s{n}", "--json").stdout)["arm"] for n in range(12)}
    assert arms == {"voices:usual", "voices:aura"}
    assert "no --session is given" in ask(agents, *pro).stdout
    assert "no --session is given" not in ask(agents, *pro, "--session", "s1").stdout


def test_an_agent_without_routes_is_shown_with_its_own_models(tmp_path: Path) -> None:
    (tmp_path / "desk.yaml").write_text(AGENT, encoding="utf-8")
    said = ask(tmp_path).stdout
    assert "the agent's file has no routes" in said
    assert "rule default" in said


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--agent", "nobody"], "no agent 'nobody' in .*; there are: desk"),
        (["--agent", "../desk"], "no agent"),
        (["--metadata", "{"], "--metadata: must be JSON"),
        (["--metadata", "[]"], "--metadata: must be a JSON object"),
        (["--at", "tomorrow"], "--at: must be a time with its offset"),
        (["--at", "2026-11-24T21:00:00"], "--at: must be a time with its offset"),
    ],
)
def test_a_mistake_on_the_command_line_is_named(agents: Path, options: list[str], said: str) -> None:
    error = ask(agents, *options).exception
    assert isinstance(error, ConfigError)
    assert re.search(said, str(error))


def test_a_broken_route_is_told_with_file_and_line(agents: Path) -> None:
    path = agents / "desk.yaml"
    broken = path.read_text(encoding="utf-8").replace('hours: "20:00-07:00"', 'hours: "20-7"')
    path.write_text(broken, encoding="utf-8")
    line = next(number for number, text in enumerate(broken.splitlines(), 1) if "20-7" in text)
    error = ask(agents).exception
    assert isinstance(error, ConfigError)
    assert str(error).startswith(f"{path}:{line}: routes.3.when.hours: must be hours of the day")


def test_a_model_that_a_rule_misspells_is_told_with_file_and_line(tmp_path: Path) -> None:
    path = tmp_path / "desk.yaml"
    path.write_text(AGENT + "routes:\n  - when: {plan: free}\n    llm: [scripted]\n", encoding="utf-8")
    error = ask(tmp_path).exception
    assert isinstance(error, ConfigError)
    assert re.match(rf"{path}:7: routes\.0\.llm\.0: 'scripted': no such llm model", str(error))


def test_a_realtime_model_that_can_answers_alone(tmp_path: Path) -> None:
    text = AGENT + "models: {realtime: openai/gpt-realtime}\nroutes: [{name: free, when: {plan: free}, realtime: []}]\n"
    (tmp_path / "desk.yaml").write_text(text, encoding="utf-8")
    models = json.loads(ask(tmp_path, "--json", OPENAI_API_KEY="k").stdout)["models"]
    assert models["realtime"] == [{"name": "openai/gpt-realtime", "state": "answers"}]
    assert models["llm"] == [{"name": "script", "state": "stands by"}]
    without = json.loads(ask(tmp_path, "--json").stdout)["models"]
    assert without["realtime"] == [{"name": "openai/gpt-realtime", "state": "set OPENAI_API_KEY"}]
    assert without["llm"] == [{"name": "script", "state": "answers"}]
    free = json.loads(ask(tmp_path, "--json", "--metadata", '{"plan": "free"}', OPENAI_API_KEY="k").stdout)["models"]
    assert "realtime" not in free


def test_lists_that_no_call_could_be_held_with_are_shown_and_end_in_an_error(tmp_path: Path) -> None:
    (tmp_path / "desk.yaml").write_text(AGENT + "routes: [{name: paid, llm: openai/gpt-4.1}]\n", encoding="utf-8")
    result = ask(tmp_path)
    assert isinstance(result.exception, ConfigError)
    assert re.search("paid: no usable llm model: openai/gpt-4.1: set OPENAI_API_KEY", str(result.exception))
    assert "openai/gpt-4.1" in result.stdout
