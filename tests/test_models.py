from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voiceworker.config import AgentDefinition, Endpoint, Settings
from voiceworker.models import (
    ModelName,
    NoModel,
    choose_models,
    is_installed,
    weights_of,
    what_is_missing,
)
from voiceworker.providers import PROVIDERS, ROLES, Role

VLLM = {"vllm": Endpoint(base_url="http://127.0.0.1:8000/v1", model="qwen3", api_key_variable="VLLM_API_KEY")}


def definition(**models: list[str]) -> AgentDefinition:
    return AgentDefinition(
        name="desk",
        instructions="x",
        greeting="y",
        models=models,  # type: ignore[arg-type]
        script={"help": "x"},
        endpoints=VLLM,
    )


def test_the_first_usable_model_of_a_list_answers_and_the_better_ones_say_what_they_need() -> None:
    choice = choose_models(definition(stt=["deepgram/nova-3", "pocketsphinx"]), Settings())["stt"]
    assert str(choice.chosen) == "pocketsphinx"
    assert [(str(name), missing) for name, missing in choice.better] == [("deepgram/nova-3", "set DEEPGRAM_API_KEY")]


def test_a_key_brings_the_better_model() -> None:
    with_key = Settings(openai_api_key="k", deepgram_api_key="k")
    choices = choose_models(definition(stt=["deepgram/nova-3", "pocketsphinx"], llm=["openai/gpt-4.1-mini"]), with_key)
    assert (str(choices["stt"].chosen), str(choices["llm"].chosen)) == ("deepgram/nova-3", "openai/gpt-4.1-mini")


def test_all_usable_models_of_a_list_are_a_chain_in_the_order_of_the_file() -> None:
    lists = ["deepgram/aura-2-thalia-en", "openai/tts-1/ash", "espeak", "openai/tts-1/ash"]
    choice = choose_models(definition(tts=lists), Settings(openai_api_key="k"))["tts"]
    assert [str(name) for name in choice.usable] == ["openai/tts-1/ash", "espeak"]
    assert [str(name) for name, _ in choice.better] == ["deepgram/aura-2-thalia-en"]
    late = choose_models(definition(tts=["espeak", "openai/tts-1"]), Settings())["tts"]
    assert (len(late.unusable), late.better) == (1, ())


def test_a_list_without_a_usable_model_is_an_error_that_names_the_remedy() -> None:
    with pytest.raises(NoModel, match=r"no usable llm model: openai/x: set OPENAI_API_KEY. Add script as the last"):
        choose_models(definition(llm=["openai/x"]), Settings())
    with pytest.raises(NoModel, match=r"no usable stt model: the list is empty"):
        choose_models(definition(stt=[]), Settings())


def test_a_realtime_model_alone_is_enough_once_it_is_usable() -> None:
    alone = definition(realtime=["openai/gpt-realtime/marin"], llm=["openai/x"]).model_copy(update={"script": {}})
    choices = choose_models(alone, Settings(openai_api_key="k"))
    assert choices["realtime"].chosen == ModelName("openai", "gpt-realtime", "marin")
    only = definition(realtime=["openai/gpt-realtime"]).model_copy(update={"script": {}})
    assert choose_models(only, Settings(openai_api_key="k"))["llm"].usable == ()
    with pytest.raises(NoModel, match="no usable llm model: script: needs the key `script:`"):
        choose_models(only, Settings())
    assert "realtime" not in choose_models(definition(), Settings())


@pytest.mark.parametrize(
    ("text", "role", "said"),
    [
        ("whisperer/tiny", "stt", "known providers: deepgram, openai, openai-compatible"),
        ("opnai/gpt-4.1-mini", "llm", r"here; did you mean openai\? known providers: openai, "),
        ("deepgram/nova-3", "llm", "no such llm model"),
        ("deepgram/aura-2-thalia-en", "stt", "is no stt model; put it into the list `tts`"),
        ("deepgram/nvoa-3", "stt", r"theirs are called nova\*, flux-\*"),
        ("openai", "tts", "name the model too, as in openai/gpt-4o-mini-tts"),
        ("openai/gpt-realtime", "llm", "put it into the list `realtime`"),
        ("openai/gpt-4.1-mini", "tts", "for a server of your own write openai-compatible/NAME"),
        ("openai/gpt-4o-transcribe", "llm", "put it into the list `stt`"),
        ("pocketsphinx/en", "stt", "write pocketsphinx, it has one model only"),
        ("", "llm", "no such llm model"),
    ],
)
def test_an_unknown_model_is_told_with_what_there_is(text: str, role: Role, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        ModelName.parse(text, role)


@pytest.mark.parametrize("provider", PROVIDERS)
def test_the_example_of_every_provider_is_a_name_it_understands(provider: str) -> None:
    assert set(PROVIDERS[provider].example) == set(PROVIDERS[provider].models)
    for role, text in PROVIDERS[provider].example.items():
        assert str(ModelName.parse(text, role)) == text


@given(st.sampled_from(ROLES), st.sampled_from(sorted(PROVIDERS)), st.text(max_size=30))
def test_a_name_is_understood_and_written_back_as_it_was_or_refused(role: Role, provider: str, rest: str) -> None:
    text = f"{provider}/{rest}"
    with contextlib.suppress(ValueError):
        assert str(ModelName.parse(text, role)).rstrip("/") == text.rstrip("/")


def test_all_voices_of_a_model_have_its_price() -> None:
    assert ModelName.parse("elevenlabs/eleven_flash_v2_5/abc", "tts").priced == "elevenlabs/eleven_flash_v2_5"
    assert ModelName.parse("openai-responses/gpt-4.1-mini", "llm").priced == "openai/gpt-4.1-mini"
    assert ModelName.parse("whisper/Systran/faster-distil", "stt").priced == "whisper/Systran/faster-distil"


@pytest.mark.parametrize(
    ("text", "role", "settings", "missing"),
    [
        ("openai/gpt-4.1-mini", "llm", {}, "set OPENAI_API_KEY"),
        ("openai-responses/gpt-4.1-mini", "llm", {}, "set OPENAI_API_KEY"),
        ("openai/gpt-realtime", "realtime", {"openai_api_key": "k"}, None),
        ("ollama/llama3.2", "llm", {}, "set OLLAMA_BASE_URL"),
        ("ollama/llama3.2", "llm", {"ollama_base_url": "http://127.0.0.1:11434/v1"}, None),
        ("openai-compatible/vllm", "llm", {}, "set VLLM_API_KEY"),
        ("openai-compatible/vllm", "llm", {"provider_keys": {"VLLM_API_KEY": "k"}}, None),
        ("elevenlabs/eleven_flash_v2_5", "tts", {}, "set ELEVEN_API_KEY"),
        ("rime/mistv2", "tts", {"provider_keys": {"RIME_API_KEY": "k"}}, None),
        ("pocketsphinx", "stt", {}, None),
    ],
)
def test_each_model_says_what_it_needs(text: str, role: Role, settings: dict[str, object], missing: str | None) -> None:
    here = Settings.model_validate(settings)
    assert what_is_missing(ModelName.parse(text, role), definition(), here, lambda _: True) == missing


def test_an_extra_that_is_not_installed_is_named_and_then_the_files(tmp_path: Path) -> None:
    settings, name = Settings(cache_directory=tmp_path), ModelName.parse("whisper/small.en", "stt")
    missing = what_is_missing(name, definition(), settings, lambda module: module != "faster_whisper")
    assert missing == "install its extra: pip install 'voiceworker[whisper]'"
    assert what_is_missing(name, definition(), settings, lambda _: True) == (
        "fetch its files: python agent.py download-files"
    )
    for path in weights_of(name, settings):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    assert what_is_missing(name, definition(), settings, lambda _: True) is None


def test_a_module_is_looked_for_without_being_imported() -> None:
    assert is_installed("livekit.plugins.openai")
    assert not is_installed("livekit.plugins.nonsense")
    assert not is_installed("nonsense.nonsense")


def test_an_endpoint_that_is_not_in_the_file_is_an_error_that_guesses() -> None:
    with pytest.raises(ValueError, match=r"no endpoint 'vlm'; did you mean vllm\? There are under the key"):
        choose_models(definition(llm=["openai-compatible/vlm", "script"]), Settings())
