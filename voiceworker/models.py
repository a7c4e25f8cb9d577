"""Model names of an agent's file: what each of them needs, and which of a list can answer. Pure of any engine."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from importlib.util import find_spec
from pathlib import Path

from voiceworker.config import AgentDefinition, Endpoint, Settings
from voiceworker.providers import COMPATIBLE, PROVIDERS, ROLES, Provider, Role

__all__ = [
    "EMBEDDED",
    "ROLES",
    "ModelChoice",
    "ModelName",
    "NoModel",
    "Role",
    "choose_models",
    "endpoint_of",
    "is_installed",
    "weights_folder",
    "weights_of",
    "what_is_missing",
]

EMBEDDED: dict[Role, str] = {"stt": "pocketsphinx", "llm": "script", "tts": "espeak"}
"needs no key, no download, no network"

FETCH = "python agent.py download-files"


@dataclass(frozen=True, slots=True)
class ModelName:
    """`provider`, `provider/model` or, for voices, `provider/model/voice`; as in `deepgram/nova-3`."""

    provider: str
    model: str = ""
    voice: str = ""

    @classmethod
    def parse(cls, text: str, role: Role) -> ModelName:
        """Raises ValueError that names what is allowed for the role."""
        name, _, model = text.partition("/")
        provider = PROVIDERS.get(name)
        if provider is None or role not in provider.models:
            able = [other for other, one in PROVIDERS.items() if role in one.models]
            raise ValueError(
                f"{text!r}: no such {role} model here; {_guess(name, able)}known providers: {', '.join(able)}"
            )
        voice = ""
        if provider.voices and role in ("tts", "realtime"):
            model, _, voice = model.partition("/")
        if not model and not provider.nameless:
            raise ValueError(f"{text!r}: name the model too, as in {provider.example[role]}")
        _check_called(text, model, role, provider)
        return cls(name, model, voice)

    @property
    def priced(self) -> str:
        """The name under which its price stands: that of all its voices, and of both of OpenAI's interfaces."""
        provider = PROVIDERS[self.provider].bills_as or self.provider
        return f"{provider}/{self.model}" if self.model else provider

    @property
    def embedded(self) -> bool:
        return PROVIDERS[self.provider].embedded

    @property
    def paid(self) -> bool:
        """Whether somebody sends a bill for it, as far as can be known: it is asked for a key."""
        return bool(PROVIDERS[self.provider].key)

    def __str__(self) -> str:
        return "/".join(part for part in (self.provider, self.model, self.voice) if part)


def _guess(name: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, list(known), n=1)
    return f"did you mean {close[0]}? " if close and close[0] != name else ""


def _check_called(text: str, model: str, role: Role, provider: Provider) -> None:
    own = [pattern for pattern in provider.models[role] if pattern != "*"]
    if any(fnmatchcase(model, pattern) for pattern in own):
        return
    for other, patterns in provider.models.items():
        if other != role and any(fnmatchcase(model, pattern) for pattern in patterns if pattern != "*"):
            raise ValueError(f"{text!r} is no {role} model; put it into the list `{other}`")
    if "*" in provider.models[role] or not model:
        return
    if not own:
        raise ValueError(f"{text!r}: write {provider.example[role]}, it has one model only")
    theirs = ", ".join(own)
    elsewhere = f"; for a server of your own write {COMPATIBLE}/NAME" if provider is PROVIDERS["openai"] else ""
    raise ValueError(f"{text!r}: no such {role} model; theirs are called {theirs}{elsewhere}")


def is_installed(module: str) -> bool:
    """Whether it could be imported; it is not."""
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:
        return False


def weights_folder(provider: str, settings: Settings) -> Path:
    """Where the files of a provider's models lie that answer on this machine."""
    return settings.cache_directory / provider


def what_is_missing(
    name: ModelName,
    definition: AgentDefinition,
    settings: Settings,
    installed: Callable[[str], bool] = is_installed,
) -> str | None:
    """What has to be done before this model can answer; None when it can."""
    provider = PROVIDERS[name.provider]
    variable = provider.key
    if name.provider == COMPATIBLE:
        variable = endpoint_of(name, definition).api_key_variable
    if variable and not settings.provider_key(variable):
        return f"set {variable}"
    if provider.address and not settings.address(provider.address):
        return f"set {provider.address}"
    if name.provider == "script" and not definition.script:
        return "needs the key `script:` in this file"
    modules = [f"livekit.plugins.{provider.plugin}"] if provider.plugin else []
    if provider.engine:
        modules.append(provider.engine)
    if not all(installed(module) for module in modules):
        return f"install its extra: pip install 'voiceworker[{provider.extra}]'"
    if not all(path.is_file() for path in weights_of(name, settings)):
        return f"fetch its files: {FETCH}"
    return None


def weights_of(name: ModelName, settings: Settings) -> list[Path]:
    """The files that a model which answers on this machine consists of; none for the others."""
    folder = weights_folder(name.provider, settings)
    names = {"model": name.model, "folder": name.model.replace("/", "--")}
    return [folder / file.format(**names) for file in PROVIDERS[name.provider].weights]


def endpoint_of(name: ModelName, definition: AgentDefinition) -> Endpoint:
    """The server that answers `openai-compatible/NAME`. Raises ValueError that names those there are."""
    endpoint = definition.endpoints.get(name.model)
    if endpoint is None:
        guess = _guess(name.model, definition.endpoints)
        known = ", ".join(definition.endpoints) or "none"
        raise ValueError(f"'{name}': no endpoint {name.model!r}; {guess}There are under the key `endpoints`: {known}")
    return endpoint


class NoModel(ValueError):
    """A role has no usable model. The text is one line for a person and names the remedies."""

    def __init__(self, role: Role, unusable: tuple[tuple[ModelName, str], ...]) -> None:
        reasons = "; ".join(f"{name}: {reason}" for name, reason in unusable) or "the list is empty"
        super().__init__(f"no usable {role} model: {reasons}. Add {EMBEDDED[role]} as the last of the list")
        self.role = role


@dataclass(frozen=True, slots=True)
class ModelChoice:
    role: Role
    usable: tuple[ModelName, ...]
    "in the order of the file: the first leads, the others stand in for it. Empty for `realtime` only, or beside it"
    unusable: tuple[tuple[ModelName, str], ...]
    "each with what is missing"
    better: tuple[tuple[ModelName, str], ...]
    "the unusable that are preferred to the first usable"

    @property
    def chosen(self) -> ModelName:
        """The first that is usable. Raises IndexError when none is."""
        return self.usable[0]


def choose_models(definition: AgentDefinition, settings: Settings) -> dict[Role, ModelChoice]:
    """For each role the usable models of the agent's list, and what the others need.

    `realtime` is there when the agent's file has such a list. Raises NoModel when a role has no usable model; only
    where a realtime model is usable may the roles that stand by for it be without one.
    """
    lists = {role: _choose(role, definition, settings) for role in ROLES if getattr(definition.models, role)}
    realtime = lists.get("realtime")
    for role in EMBEDDED:
        choice = lists.get(role)
        if (choice is None or not choice.usable) and not (realtime and realtime.usable):
            raise NoModel(role, choice.unusable if choice else ())
    return lists


def _choose(role: Role, definition: AgentDefinition, settings: Settings) -> ModelChoice:
    usable: list[ModelName] = []
    unusable: list[tuple[ModelName, str]] = []
    better = 0
    for text in getattr(definition.models, role):
        name = ModelName.parse(text, role)
        missing = what_is_missing(name, definition, settings)
        if missing is not None:
            unusable.append((name, missing))
            better += not usable
        elif name not in usable:
            usable.append(name)
    return ModelChoice(role, tuple(usable), tuple(unusable), tuple(unusable[:better]))
