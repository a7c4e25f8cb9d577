"""docs/models.md says what the registry does: its example is in order, and its table has every model and no other."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from voiceworker.config import ROOT, Endpoint, Settings, load_agent
from voiceworker.models import choose_models
from voiceworker.providers import COMPATIBLE, PROVIDERS, Provider, Role

TEXT = (ROOT / "docs" / "models.md").read_text(encoding="utf-8")
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in TEXT.splitlines()
    if re.match(r"\| (stt|llm|tts|realtime) \|", line)
]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def needs(name: str, provider: Provider) -> str:
    parts = [f"extra `{provider.extra}`"] if provider.extra else []
    parts += [f"`{variable}`" for variable in (provider.key, provider.address) if variable]
    parts += ["weights"] if provider.weights else []
    parts += ["an endpoint"] if name == COMPATIBLE else []
    return ", ".join(parts) or "nothing"


def registered() -> list[list[str]]:
    return [
        [role, f"`{provider.example[role]}`", ", ".join(f"`{pattern}`" for pattern in patterns), needs(name, provider)]
        for name, provider in PROVIDERS.items()
        for role, patterns in provider.models.items()
    ]


def test_the_table_has_every_model_of_the_registry_with_what_it_needs_and_no_other() -> None:
    assert sorted(row[:4] for row in ROWS) == sorted(registered())


def test_the_example_of_the_page_is_an_agents_file(tmp_path: Path) -> None:
    (example,) = re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)
    path = tmp_path / "desk.yaml"
    path.write_text("name: desk\ninstructions: Be kind.\ngreeting: Hello.\n" + example, encoding="utf-8")
    definition = load_agent(path)
    bare = choose_models(definition, Settings(cache_directory=tmp_path))
    assert {role: str(choice.usable[-1]) for role, choice in bare.items() if choice.usable} == {
        "stt": "pocketsphinx",
        "llm": "script",
        "tts": "espeak/en-us",
    }
    keys = {"OPENAI_API_KEY": "k", "DEEPGRAM_API_KEY": "k", "VLLM_API_KEY": "k"}
    better = choose_models(definition, Settings(cache_directory=tmp_path, provider_keys=keys))
    assert str(better["realtime"].chosen) == "openai/gpt-realtime"
    assert [str(name) for name in better["llm"].usable] == ["openai/gpt-4.1-mini", "openai-compatible/vllm", "script"]


@pytest.mark.parametrize("extra", sorted({one.extra for one in PROVIDERS.values() if one.extra}))
def test_every_extra_that_a_remedy_names_can_be_installed(extra: str) -> None:
    assert PYPROJECT["project"]["optional-dependencies"][extra]


@pytest.mark.parametrize("variable", sorted({one.key or one.address for one in PROVIDERS.values()} - {""}))
def test_every_variable_that_a_remedy_names_is_in_the_example_file(variable: str) -> None:
    assert f"# {variable}=\n" in (ROOT / ".env.example").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "word", [*Endpoint.model_fields, "voiceworker/providers.py", "voiceworker/runtime/stock_engines.py"]
)
def test_the_page_names_each_key_of_an_endpoint_and_where_a_provider_is_added(word: str) -> None:
    assert f"`{word}`" in TEXT


@pytest.mark.parametrize("path", sorted(set(re.findall(r"`((?:voiceworker|tests)/[\w/.]+|agent\.py)`", TEXT))))
def test_every_file_that_the_page_names_is_there(path: str) -> None:
    assert (ROOT / path).is_file()


def test_every_role_has_a_model_that_needs_nothing() -> None:
    free: set[Role] = {role for provider in PROVIDERS.values() if provider.embedded for role in provider.models}
    assert free == {"stt", "llm", "tts"}
