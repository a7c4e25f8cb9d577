"""What the environment and `.env` say; the only reader of both."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import dotenv
import pydantic
from pydantic import Field, field_validator

from voiceworker.config.secret_files import KEY_SUFFIX, with_secret_files
from voiceworker.config.terms import Amount, ConfigError, Currency, Frozen, reason

ROOT = Path(__file__).resolve().parents[2]
"the checkout: agents/, livekit.yaml, web/ and var/ lie here"

PREFIX = "VOICEWORKER_"

Secret = Annotated[str, Field(repr=False)]
"""never in a repr, so never in a log line or a traceback; its variable X may be given as X_FILE, too"""


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
    realtime_cap_seconds: Annotated[float, Field(ge=15, le=86400)] = 3600
    "after how long the provider of a speech-to-speech model ends a connection; ours is renewed before"

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
_NO_PROVIDERS = frozenset({"LIVEKIT_API_KEY", PREFIX + "API_KEY"})


def read_environment(dotenv_path: Path | None = None) -> dict[str, str]:
    """The process environment over the values of the `.env` file (the environment wins)."""
    path = ROOT / ".env" if dotenv_path is None else dotenv_path
    from_file = {key: value for key, value in dotenv.dotenv_values(path).items() if value} if path.is_file() else {}
    secret_files = {name.removesuffix("_FILE") for name, value in os.environ.items() if value}
    return {key: value for key, value in from_file.items() if key not in secret_files} | dict(os.environ)


def load_settings(environment: Mapping[str, str] | None = None) -> Settings:
    """Settings from `environment` (default: `.env` and the process environment).

    Raises ConfigError that names the variable, what is wrong with it and what is allowed.
    """
    given = with_secret_files(read_environment() if environment is None else environment, SECRETS, ROOT)
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
        if name.endswith(KEY_SUFFIX) and name not in _NO_PROVIDERS and value
    }
    if "cache_directory" not in values and given.get("XDG_CACHE_HOME"):
        values["cache_directory"] = Path(given["XDG_CACHE_HOME"]) / "voiceworker"
    try:
        settings = Settings(**values)
    except pydantic.ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = str(first["loc"][0])
        name = next(variable for variable, own in VARIABLES.items() if own == field)
        raise ConfigError(f"{name}: {reason(first, Settings)}") from None
    if settings.livekit_url_given:
        return settings
    return settings.model_copy(update={"livekit_url": f"ws://{settings.sfu_host}:{settings.sfu_port}"})
