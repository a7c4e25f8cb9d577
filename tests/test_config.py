from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voiceworker.config import ROOT, VARIABLES, AgentCatalog, ConfigError, load_agent, load_settings

GOOD = """\
name: desk
language: en
timezone: Europe/London
instructions: Be kind.
greeting: Hello.
models:
  stt: [pocketsphinx]
limits: {max_seconds: 60}
"""


def write(directory: Path, text: str, name: str = "desk") -> Path:
    path = directory / f"{name}.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_an_unknown_variable_of_ours_is_an_error_that_guesses_what_was_meant() -> None:
    with pytest.raises(ConfigError, match="VOICEWORKER_MAX_CALL: no such setting; did you mean VOICEWORKER_MAX_CALLS"):
        load_settings({"VOICEWORKER_MAX_CALL": "3"})


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("VOICEWORKER_API_PORT", "http", "valid integer"),
        ("VOICEWORKER_API_PORT", "70000", "less than or equal to 65535"),
        ("VOICEWORKER_CLOCK", "2026-11-23T09:00:00", "needs an offset"),
        ("LIVEKIT_URL", "livekit.example.com", "must look like ws://host:port"),
        ("VOICEWORKER_MAX_CALLS", "0", "greater than or equal to 1"),
    ],
)
def test_a_wrong_value_is_named_by_its_variable_and_not_echoed(variable: str, value: str, said: str) -> None:
    with pytest.raises(ConfigError, match=f"{variable}: .*{said}"):
        load_settings({variable: value})


def test_the_sfu_address_is_ours_until_somebody_names_another() -> None:
    assert load_settings({"VOICEWORKER_SFU_PORT": "7990"}).livekit_url == "ws://127.0.0.1:7990"
    elsewhere = load_settings({"LIVEKIT_URL": "https://sfu.example.com"})
    assert (elsewhere.livekit_url, elsewhere.livekit_url_given) == ("wss://sfu.example.com", True)


def test_the_cache_follows_the_xdg_variable() -> None:
    assert load_settings({"XDG_CACHE_HOME": "/x"}).cache_directory == Path("/x/voiceworker")


def test_the_example_file_documents_every_variable_and_loads() -> None:
    lines = (ROOT / ".env.example").read_text(encoding="utf-8").splitlines()
    documented = {line.lstrip("# ").split("=")[0]: line.lstrip("# ").split("=", 1)[1] for line in lines if "=" in line}
    assert set(documented) == set(VARIABLES)
    load_settings({name: value for name, value in documented.items() if value})


def test_an_agents_file_is_read(tmp_path: Path) -> None:
    definition = load_agent(write(tmp_path, GOOD))
    assert (definition.limits.max_seconds, definition.models.llm) == (60, ("script",))


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        (GOOD + "greting: Hi.\n", 9, "no such key; did you mean greeting"),
        (GOOD.replace("{max_seconds: 60}", "\n  max_seconds: 60\n  max_second: 3"), 10, "did you mean max_seconds"),
        (GOOD.replace("max_seconds: 60", "max_seconds: often"), 8, "valid integer"),
        (GOOD.replace("Europe/London", "Mars/Base"), 3, "no such time zone"),
        (GOOD.replace("instructions: Be kind.\n", ""), 1, "instructions: is missing"),
        (GOOD.replace("name: desk", "name: other"), 1, "is called desk.yaml"),
        (GOOD + "greeting: Again.\n", 9, "stands here twice"),
        (GOOD + "turns: {eagerness: hasty}\n", 9, "'patient', 'balanced' or 'eager'"),
        (GOOD + "models: [\n", 10, "not valid YAML"),
        (GOOD + "x: 2026-99-99\n", 1, "not valid YAML"),
        ("- a\n- b\n", 1, "must be a mapping"),
        ("", 1, "must be a mapping"),
    ],
)
def test_a_mistake_is_told_with_file_line_and_what_is_allowed(tmp_path: Path, text: str, line: int, said: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(ConfigError) as caught:
        load_agent(path)
    assert str(caught.value).startswith(f"{path}:{line}: ")
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "desk.yaml"
    path.write_bytes(b"name: \xff\xfe")
    with pytest.raises(ConfigError, match="cannot be read"):
        load_agent(path)


def test_a_changed_file_serves_the_next_session_and_a_broken_one_does_not(tmp_path: Path) -> None:
    import os

    path = write(tmp_path, GOOD)
    catalog = AgentCatalog(tmp_path)
    first = catalog.get("desk")
    write(tmp_path, GOOD.replace("Hello.", "Good day."))
    os.utime(path, (1, 1))
    second = catalog.get("desk")
    write(tmp_path, "name: [")
    os.utime(path, (2, 2))
    assert first is not None
    assert second is not None
    assert (first.greeting, second.greeting, catalog.get("desk")) == ("Hello.", "Good day.", second)
    assert "desk.yaml:2: not valid YAML" in catalog.problems["desk"]
    assert catalog.names() == ["desk"]


def test_a_process_that_starts_after_a_broken_change_still_has_the_last_good_version(tmp_path: Path) -> None:
    agents, kept = tmp_path / "agents", tmp_path / "kept"
    agents.mkdir()
    write(agents, GOOD)
    assert AgentCatalog(agents, None, kept).get("desk") is not None
    write(agents, GOOD + "nonsense: 1\n")
    later = AgentCatalog(agents, None, kept)
    definition = later.get("desk")
    assert definition is not None
    assert definition.greeting == "Hello."
    assert "nonsense" in later.problems["desk"]


def test_a_relative_folder_counts_from_the_checkout() -> None:
    assert load_settings({"VOICEWORKER_DATA_DIRECTORY": "data"}).data_directory == ROOT / "data"
    assert load_settings({"VOICEWORKER_DATA_DIRECTORY": "~/data"}).data_directory == Path("~/data").expanduser()


@given(st.text())
def test_no_name_reaches_outside_the_folder(name: str) -> None:
    assert AgentCatalog(Path("/nowhere")).get(f"../{name}") is None


@given(st.text(max_size=300))
def test_no_text_makes_the_reader_fail_otherwise_than_by_a_clear_error(text: str) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "desk.yaml"
        path.write_text(text, encoding="utf-8", errors="replace")
        with pytest.raises(ConfigError):
            load_agent(path)
