"""The README's example does what it shows."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

import yaml
from livekit.agents import llm
from livekit.plugins.script import Script

README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")
TOOLS = ("place_order", "kitchen_queue")


def clock() -> datetime:
    return datetime(2026, 11, 23, 9, 0, tzinfo=UTC)


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)


def test_the_conversation_of_the_readme_goes_as_it_is_shown() -> None:
    mapping = yaml.safe_load(blocks("yaml")[0])["script"]
    script = Script.from_mapping(mapping, clock=clock, timezone="Europe/London", tools=TOOLS)
    context = llm.ChatContext.empty()
    for speaker, text in re.findall(r"^(caller|agent): +(.*?)(?: +→.*)?$", blocks("text")[0], flags=re.MULTILINE):
        if speaker == "caller":
            context.add_message(role="user", content=text)
            continue
        plan = script.next_step(context.items, TOOLS)
        if plan.call is not None:
            arguments = dict(plan.call.arguments)
            assert arguments == {"pizza": "pepperoni", "count": "2", "time": "20:00", "name": "Anna"}
            context.items.append(llm.FunctionCall(call_id="1", name=plan.call.tool, arguments="{}"))
            output = llm.FunctionCallOutput(call_id="1", name=plan.call.tool, output='{"number": 42}', is_error=False)
            context.items.append(output)
            plan = script.next_step(context.items, TOOLS)
        assert plan.text == text
        context.add_message(role="assistant", content=plan.text)


def test_the_lookups_of_the_readme_can_be_read() -> None:
    mapping = yaml.safe_load(blocks("yaml")[0])["script"]
    mapping["slots"]["date"] = {"type": "date", "ask": "When?"}
    mapping["intents"]["order"]["slots"].append("date")
    mapping["intents"]["order"] |= yaml.safe_load(blocks("yaml")[1])
    assert Script.from_mapping(mapping, clock=clock, timezone="UTC").jsgf()
