from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from voiceworker.config import AgentDefinition, Settings
from voiceworker.dispatch import CallRequest
from voiceworker.records import Records, migrate, open_records
from voiceworker.records.workers import Heartbeat
from voiceworker.runtime.engines import EngineBuilder
from voiceworker.runtime.routed_engines import current_load, routed_engines
from voiceworker.runtime.routing import CallRouting

NOON = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
SCRIPT = {"help": "help", "intents": {"hours": {"phrases": ["opening hours"], "say": ["From nine."]}}}
FREE = {"name": "free", "when": {"plan": "free"}, "tts": ["espeak/en-gb"]}


def desk(*routes: dict[str, Any]) -> AgentDefinition:
    keys = {"name": "desk", "instructions": "x", "greeting": "y", "script": SCRIPT, "routes": list(routes)}
    return AgentDefinition.model_validate(keys)


class Builder:
    """Builds engines and counts how often."""

    def __init__(self, directory: Path) -> None:
        self._settings = Settings(cache_directory=directory)
        self.built = 0

    def __call__(self, definition: AgentDefinition) -> EngineBuilder:
        self.built += 1
        return EngineBuilder(definition, self._settings, lambda: NOON)


async def routed(
    build: Builder,
    definition: AgentDefinition,
    *,
    waiting: EngineBuilder | None = None,
    load: float = 0,
    **metadata: Any,
) -> tuple[CallRouting, EngineBuilder]:
    return await routed_engines(definition, CallRequest(session="ses_1", metadata=metadata), NOON, load, build, waiting)


async def test_engines_that_wait_are_taken_when_no_rule_changes_them(tmp_path: Path) -> None:
    build, definition = Builder(tmp_path), desk(FREE)
    waiting = build(definition)
    routing, engines = await routed(build, definition, waiting=waiting, plan="pro")
    assert engines is waiting
    assert (routing.decision.rule, build.built) == ("default", 1)


async def test_a_rule_that_matches_has_engines_of_its_own(tmp_path: Path) -> None:
    build, definition = Builder(tmp_path), desk(FREE)
    routing, engines = await routed(build, definition, waiting=build(definition), plan="free")
    assert routing.decision.rule == "free"
    assert engines.definition.models.tts == ("espeak/en-gb",)
    assert str(engines.choices["tts"].chosen) == "espeak/en-gb"


async def test_engines_of_another_agent_are_not_taken(tmp_path: Path) -> None:
    build, definition = Builder(tmp_path), desk()
    other = build(definition.model_copy(update={"greeting": "z"}))
    _, engines = await routed(build, definition, waiting=other)
    assert engines.definition == definition


async def test_rules_that_do_not_go_together_leave_the_call_to_the_agents_own_models(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    german, own_ears = {"name": "german", "when": {"language": "de"}, "language": "de"}, {"stt": ["pocketsphinx"]}
    build, definition = Builder(tmp_path), desk(own_ears | {"name": "local"}, german)
    waiting = build(definition)
    with caplog.at_level(logging.ERROR, "voiceworker.routing"):
        routing, engines = await routed(build, definition, waiting=waiting, language="de")
    assert engines is waiting
    assert (routing.decision.rule, routing.definition.language) == ("default", "en")
    assert "local + german: " in caplog.text
    assert "the agent's own models answer" in caplog.text


async def test_a_load_that_a_rule_asks_for_is_heeded(tmp_path: Path) -> None:
    definition = desk({"name": "busy", "when": {"load": "> 0.8"}, "tts": ["espeak/en-gb"]})
    assert (await routed(Builder(tmp_path), definition, load=0.9))[0].decision.rule == "busy"
    assert (await routed(Builder(tmp_path), definition, load=0.8))[0].decision.rule == "default"


@pytest.fixture
def records(tmp_path: Path) -> Iterator[Records]:
    url = f"sqlite:///{tmp_path / 'voiceworker.db'}"
    migrate(url)
    opened = open_records(url)
    yield opened
    opened.close()


def test_the_load_is_what_the_workers_that_beat_have_said(records: Records) -> None:
    now = datetime.now(UTC)
    assert current_load(records) == 0
    records.workers.beat(Heartbeat("a", free_slots=1, capacity=4, calls=3, beat_at=now + timedelta(minutes=1)))
    records.workers.beat(Heartbeat("gone", free_slots=0, capacity=4, calls=4, beat_at=now - timedelta(minutes=1)))
    assert current_load(records) == 0.75


def test_a_database_that_is_away_is_no_load(tmp_path: Path) -> None:
    never_migrated = open_records(f"sqlite:///{tmp_path / 'empty.db'}")
    try:
        assert current_load(never_migrated) == 0
    finally:
        never_migrated.close()
