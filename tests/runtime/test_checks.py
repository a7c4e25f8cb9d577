from __future__ import annotations

from pathlib import Path

import pytest

from voiceworker.config import ROOT, AgentDefinition, PlaceError, Settings, load_agent
from voiceworker.runtime.checks import definition_check

FRONT_DESK = load_agent(ROOT / "agents" / "frontdesk.yaml")


def check(definition: AgentDefinition, directory: Path) -> None:
    definition_check(Settings(cache_directory=directory), {"calendar": lambda _: []})(definition)


def test_the_front_desk_is_in_order(tmp_path: Path) -> None:
    check(FRONT_DESK, tmp_path)


@pytest.mark.parametrize(
    ("change", "place", "said"),
    [
        ({"models": {"tts": ["espeak/nonsense"]}}, ("models", "tts"), "nonsense"),
        ({"models": {"stt": ["nonsense"]}}, ("models", "stt", 0), "known providers"),
        ({"language": "de"}, ("models", "stt"), "English"),
        ({"script": {}}, ("models", "llm"), "needs the key `script:`"),
        ({"models": {"llm": ["openai-compatible/vllm"]}}, ("models", "llm", 0), "no endpoint 'vllm'"),
        ({"models": {"llm": ["openai/x"]}}, ("models", "llm"), "set OPENAI_API_KEY"),
        ({"models": {"realtime": ["openai/gpt-4.1"]}}, ("models", "realtime", 0), "no such realtime model"),
        ({"routes": [{"when": {"plan": "free"}}]}, ("routes", 0), "decides nothing"),
        ({"routes": [{"when": {"plan": "free"}, "llm": ["opnai/x"]}]}, ("routes", 0, "llm", 0), "known providers"),
        ({"routes": [{"when": {"plan": "free"}, "llm": ["openai/x"]}]}, ("routes", 0, "llm"), "set OPENAI_API_KEY"),
        ({"routes": [{"when": {"plan": "free"}, "tts": ["espeak/xx"]}]}, ("routes", 0, "tts"), "xx"),
        ({"limits": {"budget": {"amount": 1, "currency": "XXX"}}}, ("limits", "budget", "currency"), "XXX"),
        ({"tools": ["calendar", "horoscope"]}, ("tools", 1), "there are: calendar"),
        ({"tools": []}, ("tool_settings", "calendar"), "of no tool"),
        ({"script": {"nonsense": 1}}, ("script", "nonsense"), "nonsense|unknown"),
    ],
)
def test_what_would_fail_in_a_call_is_found_at_its_place(
    change: dict[str, object], place: tuple[str | int, ...], said: str, tmp_path: Path
) -> None:
    definition = AgentDefinition(**(FRONT_DESK.model_dump() | change))
    with pytest.raises(PlaceError, match=said) as caught:
        check(definition, tmp_path)
    assert caught.value.place == place
