from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voiceworker.config import (
    ROOT,
    SECRETS,
    VARIABLES,
    AgentCatalog,
    Budget,
    ConfigError,
    Settings,
    load_agent,
    load_settings,
    read_environment,
)

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
    assert set(documented) == {*VARIABLES, "ELEVEN_API_KEY", "RIME_API_KEY"}
    load_settings({name: value for name, value in documented.items() if value})


SECRET = "planted-secret-7"


def test_a_secret_is_read_from_the_file_that_its_variable_names(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text(SECRET + "\n", encoding="utf-8")
    for variable in sorted(SECRETS):
        field = VARIABLES[variable]
        assert getattr(load_settings({f"{variable}_FILE": str(file)}), field) == SECRET
        assert getattr(load_settings({f"{variable}_FILE": str(file), variable: "given"}), field) == "given"
    assert load_settings({"VLLM_API_KEY_FILE": str(file)}).provider_key("VLLM_API_KEY") == SECRET


@pytest.mark.parametrize("content", [b"", b"  \n", b"two\nlines", b"\xff\xfe", None])
def test_a_secret_file_that_holds_no_secret_is_told_by_its_variable(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "key"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ConfigError, match=r"^OPENAI_API_KEY_FILE: .*key cannot be used: ") as caught:
        load_settings({"OPENAI_API_KEY_FILE": str(file)})
    assert "two" not in str(caught.value)
    assert load_settings({"SOMEBODY_ELSES_API_KEY_FILE": str(file)}).provider_keys == {}


def test_the_file_of_a_secret_in_the_environment_goes_before_the_env_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".env").write_text("LIVEKIT_API_SECRET=old\nDEEPGRAM_API_KEY=kept\n", encoding="utf-8")
    (tmp_path / "secret").write_text(SECRET, encoding="utf-8")
    monkeypatch.delenv("LIVEKIT_API_SECRET", raising=False)
    monkeypatch.setenv("LIVEKIT_API_SECRET_FILE", str(tmp_path / "secret"))
    settings = load_settings(read_environment(tmp_path / ".env"))
    assert (settings.livekit_api_secret, settings.deepgram_api_key) == (SECRET, "kept")


def test_only_secrets_are_read_from_files() -> None:
    with pytest.raises(ConfigError, match="VOICEWORKER_API_PORT_FILE: no such setting"):
        load_settings({"VOICEWORKER_API_PORT_FILE": "/x"})


def test_every_key_of_a_provider_is_there_and_none_of_ours() -> None:
    keys = {
        "OPENAI_API_KEY": "a",
        "VLLM_API_KEY": "b",
        "LIVEKIT_API_KEY": "c",
        "VOICEWORKER_API_KEY": "d",
        "X_KEY": "e",
    }
    settings = load_settings(keys)
    assert settings.provider_keys == {"OPENAI_API_KEY": "a", "VLLM_API_KEY": "b"}
    assert (settings.provider_key("VLLM_API_KEY"), settings.provider_key("RIME_API_KEY")) == ("b", "")
    assert Settings(openai_api_key="k").provider_key("OPENAI_API_KEY") == "k"


def test_no_secret_is_in_the_representation_of_the_settings() -> None:
    settings = load_settings({"VLLM_API_KEY": SECRET, **dict.fromkeys(SECRETS, SECRET)})
    assert settings.openai_api_key == SECRET
    assert SECRET not in f"{settings!r} {settings}"


def test_the_money_of_a_day_is_exact() -> None:
    settings = load_settings({"VOICEWORKER_BUDGET_PER_DAY": "0.10", "VOICEWORKER_BUDGET_CURRENCY": "EUR"})
    assert (settings.budget_per_day, settings.budget_currency) == (Decimal("0.10"), "EUR")
    assert load_settings({}).budget_per_day is None


def test_an_agents_file_is_read(tmp_path: Path) -> None:
    definition = load_agent(write(tmp_path, GOOD))
    assert (definition.limits.max_seconds, definition.models.llm) == (60, ("script",))
    assert definition.limits.history_items == 400


MODELS = (
    GOOD.replace("limits: {max_seconds: 60}\n", "")
    + """\
  realtime: openai/gpt-realtime
endpoints:
  vllm: {base_url: "http://127.0.0.1:8000/v1/", model: qwen3, api_key_variable: VLLM_API_KEY}
limits:
  budget: {amount: 0.10, currency: EUR}
  budget_per_day: {amount: "25", warn_at: 0.5}
routes:
  - when: {plan: free}
    llm: [script]
"""
)


def test_an_agents_file_names_its_models_servers_budgets_and_routes(tmp_path: Path) -> None:
    definition = load_agent(write(tmp_path, MODELS))
    assert definition.models.realtime == ("openai/gpt-realtime",)
    assert definition.endpoints["vllm"].base_url == "http://127.0.0.1:8000/v1"
    assert definition.limits.budget == Budget(amount=Decimal("0.10"), currency="EUR", warn_at=0.8)
    assert definition.limits.budget_per_day == Budget(amount=Decimal(25), currency="USD", warn_at=0.5)
    assert definition.routes == [{"when": {"plan": "free"}, "llm": ["script"]}]


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        (GOOD + "greting: Hi.\n", 9, "no such key; did you mean greeting"),
        (GOOD.replace("{max_seconds: 60}", "\n  max_seconds: 60\n  max_second: 3"), 10, "did you mean max_seconds"),
        (GOOD.replace("max_seconds: 60", "max_seconds: often"), 8, "valid integer"),
        (GOOD.replace("max_seconds: 60", "history_items: 10"), 8, "greater than or equal to 20"),
        (GOOD.replace("Europe/London", "Mars/Base"), 3, "no such time zone"),
        (GOOD.replace("instructions: Be kind.\n", ""), 1, "instructions: is missing"),
        (GOOD.replace("name: desk", "name: other"), 1, "is called desk.yaml"),
        (GOOD + "greeting: Again.\n", 9, "stands here twice"),
        (GOOD + "turns: {eagerness: hasty}\n", 9, "'patient', 'balanced' or 'eager'"),
        (GOOD + "models: [\n", 10, "not valid YAML"),
        (GOOD + "x: 2026-99-99\n", 1, "not valid YAML"),
        ("- a\n- b\n", 1, "must be a mapping"),
        (MODELS.replace("model: qwen3", "modle: qwen3"), 10, "did you mean model? Allowed here: base_url, model"),
        (MODELS.replace("http://127", "http://me:pw@127"), 10, "name the variable of the key in api_key_variable"),
        (MODELS.replace("VLLM_API_KEY", "sk-1234"), 10, "should match pattern"),
        (MODELS.replace("amount: 0.10", "amount: 0"), 12, "greater than 0"),
        (MODELS.replace("warn_at", "warn_by"), 13, "did you mean warn_at"),
        (MODELS.replace("currency: EUR", "currency: euro"), 12, "should match pattern"),
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


def test_a_folder_that_is_to_keep_copies_of_itself_is_left_alone(tmp_path: Path) -> None:
    desk = write(tmp_path, GOOD)
    catalog = AgentCatalog(tmp_path, None, tmp_path / "here" / "..")
    before = desk.stat()
    first = catalog.get("desk")
    assert first is not None
    assert catalog.get("desk") is first
    assert (desk.stat().st_ino, desk.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


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
