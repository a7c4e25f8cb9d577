"""Settings: the only reader of the environment, of `.env` and of the agents' YAML.

Everything is typed, frozen and complete; what is wrong is refused at start with the place, the reason and the remedy.
"""

from __future__ import annotations

import difflib
import logging
import os
import re
import shutil
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal, get_args
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import dotenv
import pydantic
import yaml
from pydantic import BaseModel, ConfigDict, Field, field_validator

from voiceworker.policy.eagerness import Eagerness
from voiceworker.policy.overlap import Policy, Situation
from voiceworker.policy.situations import Marked

ROOT = Path(__file__).resolve().parent.parent
"the checkout: agents/, livekit.yaml, web/ and var/ lie here"

PREFIX = "VOICEWORKER_"

logger = logging.getLogger("voiceworker.config")


class ConfigError(Exception):
    """A setting or a file is wrong. The text is one line for a person: place, reason, remedy."""


class Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=False)


Secret = Annotated[str, Field(repr=False)]
"""never in a repr, so never in a log line or a traceback; its variable X may be given as X_FILE, too"""

Currency = Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
"ISO 4217"
Amount = Annotated[Decimal, Field(gt=0, max_digits=12, decimal_places=6)]


# --- environment -------------------------------------------------------------------------------------------------


class Settings(Frozen):
    """What the environment says. `.env.example` documents each variable; a test loads it."""

    livekit_url: str = "ws://127.0.0.1:7880"
    livekit_url_given: bool = False
    "True when LIVEKIT_URL was set: somebody runs an SFU for us, and we start none"
    livekit_api_key: Secret = ""
    livekit_api_secret: Secret = ""
    public_livekit_url: str = ""
    "what clients are told to connect to, when it differs from livekit_url"
    agent_name: str = "voiceworker"
    "the name under which the worker takes dispatches"
    default_agent: str = "frontdesk"
    agents_directory: Path = ROOT / "agents"
    data_directory: Path = ROOT / "var"
    cache_directory: Path = Path("~/.cache/voiceworker").expanduser()
    "what can be made again: the SFU's program"
    web_directory: Path = ROOT / "web" / "dist"
    database_url: Secret = ""
    "SQLAlchemy URL of the records; empty: SQLite in data_directory"
    api_host: str = "127.0.0.1"
    api_port: Annotated[int, Field(ge=1, le=65535)] = 8080
    api_key: Secret = ""
    "used by `voiceworker call` only: the key it sends to the API"
    sfu_host: str = "127.0.0.1"
    "the address of the SFU that `voiceworker up` starts; another one than loopback opens it to that network"
    sfu_port: Annotated[int, Field(ge=1, le=65535)] = 7880
    sfu_tcp_port: Annotated[int, Field(ge=1, le=65535)] = 7881
    sfu_udp_port: Annotated[int, Field(ge=1, le=65535)] = 7882
    worker_port: Annotated[int, Field(ge=1, le=65535)] = 8081
    max_calls: Annotated[int, Field(ge=1, le=1000)] = 4
    cors_origins: tuple[str, ...] = ()
    trusted_proxies: tuple[str, ...] = ()
    "addresses of proxies whose X-Forwarded-For is believed"
    turn_urls: tuple[str, ...] = ()
    turn_secret: Secret = ""
    clock: datetime | None = None
    "pins the business clock of a rehearsal; None: the real one"
    openai_api_key: Secret = ""
    openai_base_url: str = "https://api.openai.com/v1"
    "or any server that speaks OpenAI's API"
    deepgram_api_key: Secret = ""
    deepgram_base_url: str = "https://api.deepgram.com"
    "or any server that speaks Deepgram's API"
    ollama_base_url: str = ""
    "where Ollama answers, as http://127.0.0.1:11434/v1; empty: there is none"
    elevenlabs_base_url: str = "https://api.elevenlabs.io/v1"
    rime_base_url: str = ""
    "empty: the provider's own"
    provider_keys: dict[str, str] = Field(default={}, repr=False)
    "every variable that ends in _API_KEY but LiveKit's and our own, with its value"
    prices_file: Path | None = None
    "a table of prices instead of the one that comes with the project"
    budget_per_day: Amount | None = None
    "what all calls of one day together may cost; None: no bound"
    budget_currency: Currency = "USD"

    @field_validator("cors_origins", "trusted_proxies", "turn_urls", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value

    @field_validator("agents_directory", "data_directory", "cache_directory", "web_directory", "prices_file")
    @classmethod
    def _absolute(cls, value: Path | None) -> Path | None:
        """A relative path counts from the checkout, in whatever folder a command is run."""
        return None if value is None else ROOT / value.expanduser()

    @field_validator("clock")
    @classmethod
    def _aware(cls, value: datetime | None) -> datetime | None:
        if value is not None and value.tzinfo is None:
            raise ValueError("needs an offset, as in 2026-11-23T09:00:00+00:00")
        return value

    @field_validator("livekit_url", "public_livekit_url")
    @classmethod
    def _websocket(cls, value: str) -> str:
        if value and not re.match(r"^(ws|http)s?://[^/\s]+", value):
            raise ValueError("must look like ws://host:port or wss://host")
        return re.sub(r"^http", "ws", value)

    @property
    def records_url(self) -> str:
        return self.database_url or f"sqlite:///{self.data_directory / 'voiceworker.db'}"

    @property
    def client_livekit_url(self) -> str:
        return self.public_livekit_url or self.livekit_url

    def provider_key(self, variable: str) -> str:
        """The key that the variable holds, as in `ELEVEN_API_KEY`; empty when it is not set."""
        own = _FOREIGN.get(variable)
        return self.provider_keys.get(variable) or (getattr(self, own) if own else "")

    def address(self, variable: str) -> str:
        """What the variable of a provider's address says, as in `OLLAMA_BASE_URL`; empty when it is not set."""
        value: str = getattr(self, _FOREIGN[variable])
        return value

    def now(self) -> datetime:
        """The business clock: pinned in a rehearsal, else the real time, aware."""
        return self.clock or datetime.now(UTC)


_FOREIGN = {
    "LIVEKIT_URL": "livekit_url",
    "LIVEKIT_API_KEY": "livekit_api_key",
    "LIVEKIT_API_SECRET": "livekit_api_secret",
    "OPENAI_API_KEY": "openai_api_key",
    "OPENAI_BASE_URL": "openai_base_url",
    "DEEPGRAM_API_KEY": "deepgram_api_key",
    "DEEPGRAM_BASE_URL": "deepgram_base_url",
    "OLLAMA_BASE_URL": "ollama_base_url",
    "ELEVENLABS_BASE_URL": "elevenlabs_base_url",
    "RIME_BASE_URL": "rime_base_url",
}
_OURS = {
    PREFIX + name.upper(): name
    for name in Settings.model_fields
    if name not in {*_FOREIGN.values(), "livekit_url_given", "provider_keys"}
}
VARIABLES: Mapping[str, str] = _FOREIGN | _OURS
"environment variable -> field of Settings"

SECRETS = frozenset(variable for variable, name in VARIABLES.items() if not Settings.model_fields[name].repr)
"the variables X that may be given as X_FILE: the path of a file that holds the value, as container secrets do"
_KEY_SUFFIX = "_API_KEY"
_NO_PROVIDERS = frozenset({"LIVEKIT_API_KEY", PREFIX + "API_KEY"})


def read_environment(dotenv_path: Path | None = None) -> dict[str, str]:
    """The process environment over the values of the `.env` file (the environment wins)."""
    path = ROOT / ".env" if dotenv_path is None else dotenv_path
    from_file = {key: value for key, value in dotenv.dotenv_values(path).items() if value} if path.is_file() else {}
    secret_files = {name.removesuffix("_FILE") for name, value in os.environ.items() if value}
    return {key: value for key, value in from_file.items() if key not in secret_files} | dict(os.environ)


def _with_secret_files(given: Mapping[str, str]) -> dict[str, str]:
    """The environment, with each secret X read from the file that X_FILE names; a set X goes before its file.

    Raises ConfigError when the file of a secret of ours cannot be read. Other programs have variables that end in
    _API_KEY_FILE as well: theirs may name what they like.
    """
    read: dict[str, str] = {}
    for variable, path in given.items():
        secret = variable.removesuffix("_FILE")
        if secret == variable or not path or given.get(secret):
            continue
        if secret not in SECRETS and (secret.startswith(PREFIX) or not secret.endswith(_KEY_SUFFIX)):
            continue
        try:
            read[secret] = _secret_in(ROOT / Path(path).expanduser())
        except (OSError, ValueError) as error:
            if secret in SECRETS:
                reason = error.strerror if isinstance(error, OSError) else error
                raise ConfigError(f"{variable}: {path} cannot be used: {reason}") from None
    return {**given, **read}


def _secret_in(path: Path) -> str:
    """Raises OSError, and ValueError when the file holds anything but one line of text; never tells what it holds."""
    try:
        text = path.read_text(encoding="utf-8").strip()
    except UnicodeDecodeError:
        raise ValueError("it is not text") from None
    if not text or not text.isprintable():
        raise ValueError("it must hold the secret in one line and nothing else")
    return text


def load_settings(environment: Mapping[str, str] | None = None) -> Settings:
    """Settings from `environment` (default: `.env` and the process environment).

    Raises ConfigError that names the variable, what is wrong with it and what is allowed.
    """
    given = _with_secret_files(read_environment() if environment is None else environment)
    for variable in given:
        if variable.startswith(PREFIX) and variable not in VARIABLES and variable.removesuffix("_FILE") not in SECRETS:
            close = difflib.get_close_matches(variable, VARIABLES, n=1)
            hint = f"did you mean {close[0]}?" if close else "the variables are listed in .env.example"
            raise ConfigError(f"{variable}: no such setting; {hint}")
    values: dict[str, Any] = {field: given[name] for name, field in VARIABLES.items() if given.get(name)}
    values["livekit_url_given"] = "livekit_url" in values
    values["provider_keys"] = {
        name: value
        for name, value in given.items()
        if name.endswith(_KEY_SUFFIX) and name not in _NO_PROVIDERS and value
    }
    if "cache_directory" not in values and given.get("XDG_CACHE_HOME"):
        values["cache_directory"] = Path(given["XDG_CACHE_HOME"]) / "voiceworker"
    try:
        settings = Settings(**values)
    except pydantic.ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = str(first["loc"][0])
        name = next(variable for variable, own in VARIABLES.items() if own == field)
        raise ConfigError(f"{name}: {_reason(first)}") from None
    if settings.livekit_url_given:
        return settings
    return settings.model_copy(update={"livekit_url": f"ws://{settings.sfu_host}:{settings.sfu_port}"})


# --- agent definitions -------------------------------------------------------------------------------------------


class ModelLists(Frozen):
    """Each a list by preference: the first that is usable leads, the other usable ones stand in for it."""

    stt: tuple[str, ...] = ("pocketsphinx",)
    llm: tuple[str, ...] = ("script",)
    tts: tuple[str, ...] = ("espeak/en-us",)
    realtime: tuple[str, ...] = ()
    "speech to speech, instead of the three above; they answer when it cannot"

    @field_validator("stt", "llm", "tts", "realtime", mode="before")
    @classmethod
    def _listed(cls, value: Any) -> Any:
        return [value] if isinstance(value, str) else value


class Endpoint(Frozen):
    """A server that speaks OpenAI's API, as vLLM and llama.cpp do: it answers the model `openai-compatible/NAME`."""

    base_url: Annotated[str, Field(pattern=r"^https?://[^/\s]+")]
    "with its path, as in http://127.0.0.1:8000/v1"
    model: str = ""
    "what the server calls its model; empty: the endpoint's own name"
    api_key_variable: Annotated[str, Field(pattern=r"^([A-Z][A-Z0-9_]*_API_KEY)?$")] = ""
    "the environment variable that holds its key; empty: it asks for none"

    @field_validator("base_url")
    @classmethod
    def _no_password(cls, value: str) -> str:
        if "@" in value.split("//", 1)[1].split("/", 1)[0]:
            raise ValueError("must hold no password; name the variable of the key in api_key_variable")
        return value.rstrip("/")


class OverlapTable(Frozen):
    """What the agent does when the caller speaks while it does; docs/turn-taking.md explains the words."""

    policy: Policy = "duck_then_cut"
    situations: dict[Situation, Policy] = {"important": "ignore"}
    "another policy for a greeting, a sentence that reads back what was understood, ..."
    sentences: dict[Marked, tuple[str, ...]] = {}
    "phrases by which a sentence that reads back, or has to be finished, is known"
    backchannels: Literal["default"] | tuple[str, ...] = "default"
    "a listener's words besides those of the language's lexicon"


class TurnSettings(Frozen):
    eagerness: Eagerness = "balanced"
    end_of_turn: Literal["model", "vad"] = "model"
    "vad: the silence alone decides, for voices and languages that the turn model misjudges"
    overlap: OverlapTable = OverlapTable()
    speculation: bool = True
    "whether replies are prepared while the caller is still finishing; False where every token counts"


class Budget(Frozen):
    """What may be spent on models."""

    amount: Amount
    currency: Currency = "USD"
    warn_at: Annotated[float, Field(gt=0, le=1)] = 0.8
    "the share of the amount at which a warning is given"


class Limits(Frozen):
    max_seconds: Annotated[int, Field(ge=10, le=86400)] = 1800
    silence_seconds: Annotated[float, Field(ge=3, le=600)] = 15
    "how long both may be silent before the caller is asked whether he is still there; as long again before the goodbye"
    budget: Budget | None = None
    "for one call; None: no bound"
    budget_per_day: Budget | None = None
    "for all calls of this agent in one day"


class Farewells(Frozen):
    """What the agent says of its own accord."""

    still_there: str = "Are you still there?"
    silent: str = "I can't hear you, so I will hang up now. Please call again any time. Goodbye."
    time_limit: str = "I am sorry, our time for this call is up. Please call again any time. Goodbye."
    stumbled: str = "I am sorry, something went wrong here. Could you say that again?"


class AgentDefinition(Frozen):
    """One file of agents/."""

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,40}$")]
    language: Annotated[str, Field(pattern=r"^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$")] = "en"
    timezone: str = "UTC"
    instructions: str
    greeting: str
    models: ModelLists = ModelLists()
    endpoints: dict[Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_.-]*$")], Endpoint] = {}
    "servers of one's own, by the name under which the models' lists have them: openai-compatible/NAME"
    routes: list[Any] = []
    "which callers get which models; read by voiceworker.policy.routing"
    turns: TurnSettings = TurnSettings()
    tools: tuple[str, ...] = ()
    tool_settings: dict[str, dict[str, Any]] = {}
    limits: Limits = Limits()
    phrases: Farewells = Farewells()
    script: dict[str, Any] = {}

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError):
            raise ValueError("no such time zone; use a name like Europe/London") from None
        return value


class AgentFile:
    """A parsed YAML file that can still say on which line a key stands."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            text = path.read_text(encoding="utf-8")
        except FileNotFoundError:
            raise ConfigError(f"{path}: no such file") from None
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"{path}: cannot be read: {error}") from None
        try:
            self._root = yaml.compose(text, Loader=yaml.CSafeLoader)
            self.data: Any = yaml.load(text, Loader=yaml.CSafeLoader)
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            line = mark.line + 1 if mark else 1
            problem = getattr(error, "problem", None) or "not YAML"
            raise ConfigError(f"{path}:{line}: not valid YAML: {problem}") from None
        except (ValueError, RecursionError):  # a date like 2026-99-99, a hundred thousand brackets
            raise ConfigError(
                f"{path}:1: not valid YAML: a value cannot be read; put dates and numbers in quotes"
            ) from None
        if not isinstance(self.data, dict):
            raise ConfigError(f"{path}:1: must be a mapping with the keys {_names(AgentDefinition)}")
        self._refuse_doubles(self._root)

    def line(self, place: tuple[str | int, ...]) -> int:
        """The 1-based line of the key or list item at `place`; of the nearest parent that stands in the file."""
        node, line = self._root, 1
        for step in place:
            if isinstance(node, yaml.MappingNode):
                found = next((pair for pair in node.value if pair[0].value == str(step)), None)
                if found is None:
                    break
                line, node = found[0].start_mark.line + 1, found[1]
            elif isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
                node = node.value[step]
                line = node.start_mark.line + 1
            else:
                break
        return line

    def error(self, place: tuple[str | int, ...], reason: str) -> ConfigError:
        where = ".".join(str(step) for step in place)
        return ConfigError(f"{self.path}:{self.line(place)}: {where}: {reason}")

    def _refuse_doubles(self, node: Any) -> None:
        if isinstance(node, yaml.MappingNode):
            seen: set[str] = set()
            for key, value in node.value:
                if key.value in seen:
                    raise ConfigError(f"{self.path}:{key.start_mark.line + 1}: {key.value}: stands here twice")
                seen.add(key.value)
                self._refuse_doubles(value)
        elif isinstance(node, yaml.SequenceNode):
            for item in node.value:
                self._refuse_doubles(item)


class PlaceError(Exception):
    """What is wrong at one place of an agent's file, told by whoever reads that part of it."""

    def __init__(self, place: tuple[str | int, ...], reason: str) -> None:
        super().__init__(reason)
        self.place = place


AgentCheck = Callable[["AgentDefinition"], None]
"""raises PlaceError for what only the reader of a part can know: the script's rules, a tool's settings"""


def load_agent(path: Path, check: AgentCheck | None = None) -> AgentDefinition:
    """The definition in the file. Raises ConfigError `FILE:LINE: KEY: reason; allowed values`."""
    file = AgentFile(path)
    try:
        definition = AgentDefinition(**file.data)
    except pydantic.ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise file.error(_place(first["loc"]), _reason(first)) from None
    except TypeError:
        raise ConfigError(f"{path}:1: keys must be words: {_names(AgentDefinition)}") from None
    if definition.name != path.stem:
        raise file.error(("name",), f"is {definition.name!r} but the file is called {path.name}; name both alike")
    if check is not None:
        try:
            check(definition)
        except PlaceError as error:
            raise file.error(error.place, str(error)) from None
    return definition


class AgentCatalog:
    """The agents of a folder. A changed file serves the next session; a broken one leaves the last good in force."""

    def __init__(self, directory: Path, check: AgentCheck | None = None, last_good: Path | None = None) -> None:
        """`last_good`: a folder for copies of good files, so that a process that starts later has them as well."""
        self._directory = directory
        self._check = check
        self._last_good = last_good
        self._seen: dict[str, tuple[float, AgentDefinition | None]] = {}
        "name -> when its file was changed last, and the newest good version"
        self.problems: dict[str, str] = {}
        "name -> why its file is refused at present"

    def names(self) -> list[str]:
        """The names of all agents whose file is, or has been, good; sorted."""
        present = sorted(path.stem for path in self._directory.glob("*.yaml"))
        return [name for name in present if self.get(name) is not None]

    def get(self, name: str) -> AgentDefinition | None:
        """The newest good version, or None when there is none. Reads the file again only when it has changed."""
        if not re.match(r"^[a-z][a-z0-9_-]{0,40}$", name):
            return None
        path = self._directory / f"{name}.yaml"
        try:
            changed_at = path.stat().st_mtime
        except OSError:
            return None
        seen_at, good = self._seen.get(name, (None, None))
        if seen_at == changed_at:
            return good
        try:
            good = load_agent(path, self._check)
            self.problems.pop(name, None)
            self._keep(path)
        except ConfigError as error:
            self.problems[name] = str(error)
            good = good or self._kept(path.name)
            logger.error("%s; %s", error, "its last good version goes on" if good else "it answers no calls")
        self._seen[name] = (changed_at, good)
        return good

    def _keep(self, path: Path) -> None:
        if self._last_good is None:
            return
        self._last_good.mkdir(parents=True, exist_ok=True)
        fresh = self._last_good / f"{path.name}.{os.getpid()}"
        shutil.copyfile(path, fresh)
        fresh.replace(self._last_good / path.name)

    def _kept(self, file_name: str) -> AgentDefinition | None:
        if self._last_good is None:
            return None
        try:
            return load_agent(self._last_good / file_name, self._check)
        except ConfigError:
            return None


# --- wording -----------------------------------------------------------------------------------------------------


def _names(model: type[BaseModel]) -> str:
    return ", ".join(model.model_fields)


def _place(location: tuple[str | int, ...]) -> tuple[str | int, ...]:
    return tuple(location)


def _reason(error: Any) -> str:
    """One clause for a person out of a pydantic error; the value itself is never echoed (it may be a secret)."""
    kind, context = error["type"], error.get("ctx", {})
    if kind == "extra_forbidden":
        owner = _owner(error["loc"])
        key = str(error["loc"][-1])
        close = difflib.get_close_matches(key, owner.model_fields, n=1)
        guess = f"did you mean {close[0]}? " if close else ""
        return f"no such key; {guess}Allowed here: {_names(owner)}"
    if kind == "missing":
        return "is missing"
    if kind == "value_error":
        return str(context.get("error", error["msg"]))
    message: str = error["msg"]
    return message[0].lower() + message[1:]


def _owner(location: tuple[str | int, ...]) -> type[BaseModel]:
    """The model in which the key at `location` stands."""
    owner: type[BaseModel] = AgentDefinition
    for step in location[:-1]:
        field = owner.model_fields.get(str(step))
        if field is None:  # a key of a mapping or a place in a list: the model of its values has been found already
            continue
        inner = next((kind for kind in (field.annotation, *get_args(field.annotation)) if _is_model(kind)), None)
        if inner is None:
            break
        owner = inner
    return owner


def _is_model(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)
