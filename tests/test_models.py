from __future__ import annotations

import pytest

from voiceworker.config import AgentDefinition, Settings
from voiceworker.models import ModelName, choose_models


def definition(**models: list[str]) -> AgentDefinition:
    return AgentDefinition(name="desk", instructions="x", greeting="y", models=models, script={"help": "x"})  # type: ignore[arg-type]


def test_the_first_usable_model_of_a_list_answers_and_the_better_ones_say_what_they_need() -> None:
    choice = choose_models(definition(stt=["deepgram/nova-3", "pocketsphinx"]), Settings())["stt"]
    assert str(choice.chosen) == "pocketsphinx"
    assert [(str(name), missing) for name, missing in choice.better] == [("deepgram/nova-3", "set DEEPGRAM_API_KEY")]


def test_a_key_brings_the_better_model() -> None:
    with_key = Settings(openai_api_key="k", deepgram_api_key="k")
    choices = choose_models(definition(stt=["deepgram/nova-3", "pocketsphinx"], llm=["openai/gpt-4.1-mini"]), with_key)
    assert (str(choices["stt"].chosen), str(choices["llm"].chosen)) == ("deepgram/nova-3", "openai/gpt-4.1-mini")


def test_a_list_without_a_usable_model_is_an_error_that_names_the_remedy() -> None:
    with pytest.raises(ValueError, match=r"no usable llm model: openai/x: set OPENAI_API_KEY. Add script as the last"):
        choose_models(definition(llm=["openai/x"]), Settings())


@pytest.mark.parametrize(
    ("text", "role", "said"),
    [
        ("whisperer/tiny", "stt", "known providers: pocketsphinx, openai, deepgram"),
        ("deepgram/nova-3", "llm", "no such llm model"),
        ("openai", "tts", "name the model too"),
    ],
)
def test_an_unknown_model_is_told_with_what_there_is(text: str, role: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        ModelName.parse(text, role)  # type: ignore[arg-type]
