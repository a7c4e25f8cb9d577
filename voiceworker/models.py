"""Model names of an agent's file: what each of them needs, and which one of a list answers. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from voiceworker.config import AgentDefinition, Settings

Role = Literal["stt", "llm", "tts"]

EMBEDDED: dict[Role, str] = {"stt": "pocketsphinx", "llm": "script", "tts": "espeak"}
"needs no key, no download, no network"

_PROVIDERS: dict[str, frozenset[Role]] = {
    "pocketsphinx": frozenset({"stt"}),
    "script": frozenset({"llm"}),
    "espeak": frozenset({"tts"}),
    "openai": frozenset({"stt", "llm", "tts"}),
    "deepgram": frozenset({"stt", "tts"}),
}


@dataclass(frozen=True, slots=True)
class ModelName:
    """`provider` or `provider/model`, as in `deepgram/nova-3`."""

    provider: str
    model: str = ""

    @classmethod
    def parse(cls, text: str, role: Role) -> ModelName:
        """Raises ValueError that names what is allowed for the role."""
        provider, _, model = text.partition("/")
        if role not in _PROVIDERS.get(provider, frozenset()):
            able = ", ".join(name for name, roles in _PROVIDERS.items() if role in roles)
            raise ValueError(f"{text!r}: no such {role} model here; known providers: {able}")
        if provider in ("openai", "deepgram") and not model:
            raise ValueError(f"{text!r}: name the model too, as in {provider}/MODEL")
        return cls(provider, model)

    def __str__(self) -> str:
        return f"{self.provider}/{self.model}" if self.model else self.provider


def what_is_missing(name: ModelName, settings: Settings) -> str | None:
    """What has to be there before this model can answer; None when it can."""
    if name.provider == "openai" and not settings.openai_api_key:
        return "set OPENAI_API_KEY"
    if name.provider == "deepgram" and not settings.deepgram_api_key:
        return "set DEEPGRAM_API_KEY"
    return None


@dataclass(frozen=True, slots=True)
class ModelChoice:
    role: Role
    chosen: ModelName
    better: tuple[tuple[ModelName, str], ...]
    "those preferred to it, each with what is missing"


def choose_models(definition: AgentDefinition, settings: Settings) -> dict[Role, ModelChoice]:
    """For each role the first model of the agent's list that is usable. Raises ValueError when none is."""
    lists: dict[Role, tuple[str, ...]] = {
        "stt": definition.models.stt,
        "llm": definition.models.llm,
        "tts": definition.models.tts,
    }
    return {role: _first_usable(role, names, settings) for role, names in lists.items()}


def _first_usable(role: Role, texts: tuple[str, ...], settings: Settings) -> ModelChoice:
    better: list[tuple[ModelName, str]] = []
    for name in [ModelName.parse(text, role) for text in texts]:
        missing = what_is_missing(name, settings)
        if missing is None:
            return ModelChoice(role, name, tuple(better))
        better.append((name, missing))
    reasons = "; ".join(f"{name}: {missing}" for name, missing in better)
    raise ValueError(
        f"no usable {role} model: {reasons or 'the list is empty'}. Add {EMBEDDED[role]} as the last of the list"
    )
