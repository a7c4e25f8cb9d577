"""What a call is handed of the rules; a broken rule is found at its line; a changed file serves the next call."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from voiceworker.config import AgentCatalog, AgentDefinition, ConfigError, PlaceError, load_agent
from voiceworker.records.workers import Heartbeat
from voiceworker.runtime.routing import CallRouting, check_routes, load_of, sticky_key

NOON = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
DESK = """\
name: desk
timezone: Europe/London
instructions: Be kind.
greeting: Hello.
routes:
  - name: free
    when: {plan: free}
    llm: [script]
  - name: complaint
    when: {intent: complaint}
    llm: [openai/gpt-4.1, script]
  - name: german
    when: {language: de}
    stt: [deepgram/nova-3]
    language: de
    eagerness: patient
"""


def desk(*routes: dict[str, Any], **keys: Any) -> AgentDefinition:
    return AgentDefinition(name="desk", instructions="x", greeting="y", routes=list(routes), **keys)


def call(definition: AgentDefinition, session: str = "ses_1", load: float = 0, **metadata: Any) -> CallRouting:
    return CallRouting(definition, metadata, session, NOON, load)


# --- one call ---


def test_a_call_that_no_rule_matches_has_the_agents_own_definition(tmp_path: Path) -> None:
    definition = write(tmp_path, DESK)
    assert call(definition).definition is definition


def test_a_call_has_the_definition_that_the_rules_make_of_the_agents(tmp_path: Path) -> None:
    definition = write(tmp_path, DESK)
    routed = call(definition, language="de-CH").definition
    assert (routed.language, routed.turns.eagerness, routed.models.stt) == ("de", "patient", ("deepgram/nova-3",))
    assert (routed.models.llm, routed.models.tts) == (definition.models.llm, definition.models.tts)
    assert (definition.language, definition.models.stt) == ("en", ("pocketsphinx",))


def test_an_intent_that_comes_up_changes_the_language_model_that_its_rule_names(tmp_path: Path) -> None:
    routing = call(write(tmp_path, DESK), plan="pro")
    assert routing.intents == ("complaint",)
    assert not routing.learn_intent("opening hours")
    assert routing.learn_intent("complaint")
    assert routing.definition.models.llm == routing.decision.models["llm"] == ("openai/gpt-4.1", "script")
    assert routing.decision.rule == "complaint"
    assert not routing.learn_intent("complaint")
    assert routing.learn_intent("opening hours")
    assert list(routing.definition.models.llm) == ["script"]


def test_an_intent_does_not_lift_a_caller_over_the_rule_before_it(tmp_path: Path) -> None:
    routing = call(write(tmp_path, DESK), plan="free")
    assert not routing.learn_intent("complaint")
    assert routing.definition.models.llm == ("script",)


def test_an_intent_changes_neither_ears_nor_voice_nor_language_of_a_call_that_is_held() -> None:
    rule = {"when": {"intent": "complaint"}, "llm": ["a"], "stt": ["b"], "tts": ["c"], "language": "de"}
    routing = call(desk(rule))
    before = routing.definition
    assert routing.learn_intent("complaint")
    assert routing.definition.models == before.models.model_copy(update={"llm": ("a",)})
    assert routing.decision.models == {
        "stt": before.models.stt,
        "llm": ("a",),
        "tts": before.models.tts,
        "realtime": (),
    }
    assert routing.definition.language == "en"


def test_the_hour_and_the_load_of_the_beginning_stand_for_the_whole_call() -> None:
    definition = desk({"when": {"hours": "12:00-12:01", "load": "< 0.5", "intent": "x"}, "llm": ["a"]})
    assert call(definition).learn_intent("x")


def test_a_caller_who_is_known_stays_in_his_arm_from_call_to_call() -> None:
    definition = desk({"name": "trial", "split": {"a": {"llm": ["x"]}, "b": {"llm": ["y"]}}})
    assert len({call(definition, f"ses_{n}", user_id=7).decision.arm for n in range(20)}) == 1
    assert len({call(definition, f"ses_{n}").decision.arm for n in range(20)}) == 2


@pytest.mark.parametrize(
    ("metadata", "key"),
    [
        ({"user_id": 0}, "0"),
        ({"user": "ann", "caller": "x"}, "ann"),
        ({"user": True, "caller": "x"}, "x"),
        ({"user": "", "phone": "+4930"}, "+4930"),
        ({"user": {"id": 3}}, ""),
        ({}, ""),
    ],
)
def test_who_calls_is_the_first_that_the_metadata_tells(metadata: dict[str, Any], key: str) -> None:
    assert sticky_key(metadata) == key


def test_the_load_is_that_of_all_workers() -> None:
    def beat(calls: int, capacity: int) -> Heartbeat:
        return Heartbeat("w", free_slots=capacity - calls, capacity=capacity, calls=calls, beat_at=NOON)

    assert load_of([beat(1, 4), beat(4, 4)]) == pytest.approx(5 / 8)
    assert load_of([]) == 0
    assert load_of([beat(5, 4)]) == 1


# --- what is found at load ---


def check(definition: AgentDefinition) -> None:
    """As runtime/checks.py: a mistake is told at the place of the definition where it stands."""
    for role in ("stt", "llm", "tts"):
        for index, name in enumerate(getattr(definition.models, role)):
            if name == "nonsense":
                raise PlaceError(("models", role, index), "no such model")
    if definition.language == "de" and definition.models.stt == ("pocketsphinx",):
        raise PlaceError(("models", "stt"), "English only")
    if definition.models.llm == ("paid",):
        raise PlaceError(("models",), "no usable llm model")


@pytest.mark.parametrize(
    ("rule", "place"),
    [
        ({"llm": ["script", "nonsense"]}, ("routes", 0, "llm", 1)),
        ({"llm": ["paid"]}, ("routes", 0)),
        ({"language": "de"}, ("routes", 0, "language")),
        ({"language": "de", "stt": ["pocketsphinx"]}, ("routes", 0, "stt")),
        ({"split": {"a": {}, "b": {"tts": ["nonsense"]}}}, ("routes", 0, "split", "b", "tts", 0)),
        ({"tts": ["espeak"], "split": {"a": {}, "b": {"llm": ["nonsense"]}}}, ("routes", 0, "split", "b", "llm", 0)),
        ({"when": {"hours": "9"}, "llm": ["x"]}, ("routes", 0, "when", "hours")),
    ],
)
def test_what_a_rule_or_one_of_its_arms_would_do_wrong_is_found_where_it_stands(
    rule: dict[str, Any], place: tuple[str | int, ...]
) -> None:
    with pytest.raises(PlaceError) as caught:
        check_routes(desk(rule), check)
    assert caught.value.place == place


def test_rules_that_are_in_order_pass() -> None:
    check_routes(desk({"llm": ["script"]}, {"language": "de", "stt": ["deepgram/nova-3"]}), check)
    check_routes(desk(), check)


# --- a file that changes while calls go on ---


def write(directory: Path, text: str) -> AgentDefinition:
    return load_agent(replace(directory, text))


def replace(directory: Path, text: str) -> Path:
    """As an editor saves: a new file in the place of the old one."""
    path, fresh = directory / "desk.yaml", directory / ".desk.yaml.swp"
    fresh.write_text(text, encoding="utf-8")
    fresh.replace(path)
    return path


BROKEN = [
    (DESK.replace("[script]", "[nonsense]"), 8, "no such model"),
    (DESK.replace("[openai/gpt-4.1, script]", "[]"), 11, "must name a model"),
    (DESK.replace("{language: de}", "{language: [de}"), 13, "not valid YAML"),
    (DESK.replace("eagerness: patient", "eagerness: hasty"), 16, "one of patient"),
    (DESK.replace("when: {plan: free}", "whem: {plan: free}"), 7, "did you mean when"),
]


@pytest.fixture
def catalog(tmp_path: Path) -> AgentCatalog:
    replace(tmp_path, DESK)
    return AgentCatalog(tmp_path, lambda definition: check_routes(definition, check), tmp_path / "kept")


def get(catalog: AgentCatalog) -> AgentDefinition:
    definition = catalog.get("desk")
    assert definition is not None
    return definition


def test_a_changed_rule_serves_the_next_call_and_not_the_one_that_is_held(
    catalog: AgentCatalog, tmp_path: Path
) -> None:
    held = call(get(catalog), plan="free")
    replace(tmp_path, DESK.replace("[script]", "[ollama/llama3, script]"))
    assert call(get(catalog), plan="free").definition.models.llm == ("ollama/llama3", "script")
    assert held.definition.models.llm == ("script",)
    assert not held.learn_intent("complaint")


@pytest.mark.parametrize(("text", "line", "said"), BROKEN)
def test_a_broken_file_is_refused_with_its_line_and_the_last_good_rules_go_on(
    catalog: AgentCatalog, tmp_path: Path, text: str, line: int, said: str
) -> None:
    good = get(catalog)
    replace(tmp_path, text)
    assert get(catalog) == good
    assert catalog.problems["desk"].startswith(f"{tmp_path / 'desk.yaml'}:{line}: ")
    assert said in catalog.problems["desk"]
    mended = DESK.replace("plan: free", "plan: trial")
    replace(tmp_path, mended)
    assert call(get(catalog), plan="trial").decision.rule == "free"
    assert catalog.problems == {}


def test_a_process_that_starts_while_the_file_is_broken_has_the_last_good_rules(
    catalog: AgentCatalog, tmp_path: Path
) -> None:
    get(catalog)
    replace(tmp_path, BROKEN[0][0])
    later = AgentCatalog(tmp_path, lambda definition: check_routes(definition, check), tmp_path / "kept")
    assert call(get(later), plan="free").decision.rule == "free"


def test_a_process_that_has_not_read_the_newest_good_version_takes_it_when_the_file_breaks(
    catalog: AgentCatalog, tmp_path: Path
) -> None:
    """A process that waits for its call has read the file when it started, and not since."""
    waiting = AgentCatalog(tmp_path, lambda definition: check_routes(definition, check), tmp_path / "kept")
    get(waiting)
    replace(tmp_path, DESK.replace("plan: free", "plan: trial"))
    get(catalog)
    replace(tmp_path, BROKEN[0][0])
    assert call(get(waiting), plan="trial").decision.rule == "free"


def test_calls_go_on_while_the_file_is_changed_and_broken_over_and_over(catalog: AgentCatalog, tmp_path: Path) -> None:
    """After each change one more call begins; all of them learn intents, and keep the models that they began with."""
    held: list[tuple[CallRouting, str]] = []
    for number in range(20):
        replace(tmp_path, DESK.replace("[script]", f"[ollama/v{number}, script]"))
        held.append((call(get(catalog), plan="free"), f"ollama/v{number}"))
        replace(tmp_path, BROKEN[number % len(BROKEN)][0])
        held.append((call(get(catalog), plan="free"), f"ollama/v{number}"))
        assert "desk" in catalog.problems
        for routing, first in held:
            assert not routing.learn_intent("complaint" if number % 2 else "hours")
            assert routing.definition.models.llm[0] == first


def test_the_mistake_of_a_rule_is_told_by_load_agent_with_file_and_line(tmp_path: Path) -> None:
    path = replace(tmp_path, BROKEN[1][0])
    with pytest.raises(ConfigError, match=f"{path}:11: routes.1.llm: must name a model"):
        load_agent(path, lambda definition: check_routes(definition, check))
