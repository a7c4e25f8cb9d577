"""One file of agents/, as a model: what an agent is told, hears, says, may do and may cost."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, field_validator

from voiceworker.config.terms import Amount, Currency, Frozen
from voiceworker.policy.eagerness import Eagerness
from voiceworker.policy.overlap import Policy, Situation
from voiceworker.policy.situations import Marked


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
    situations: dict[Situation, Policy] = Field(default={"important": "ignore"})
    "another policy for a greeting, a sentence that reads back what was understood, ..."
    sentences: dict[Marked, tuple[str, ...]] = Field(default={})
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
    speech_gate: bool = True
    "whether recognisers that are paid by the second are sent speech only"
    history_items: Annotated[int, Field(ge=20, le=10_000)] = 400
    """of the conversation: messages, tools' calls and their outputs that a language model is told and a call keeps; the
    oldest go first"""


class Farewells(Frozen):
    """What the agent says of its own accord."""

    still_there: str = "Are you still there?"
    silent: str = "I can't hear you, so I will hang up now. Please call again any time. Goodbye."
    time_limit: str = "I am sorry, our time for this call is up. Please call again any time. Goodbye."
    budget_spent: str = "I am sorry, I have to end our call here. Please call again later. Goodbye."
    stumbled: str = "I am sorry, something went wrong here. Could you say that again?"
    unheard: str = "I am sorry, I did not hear that. Could you say it again?"
    one_moment: str = "One moment, please."
    "while the language model takes its time"
    out_of_order: str = "I am sorry, we have a technical problem, and I cannot go on."
    "the end of the call when models stay out of order; in the built-in voice when no other answers. What follows:"
    call_again: str = "Please call again in a few minutes. Goodbye."
    call_back: str = "We will call you back as soon as we can. Goodbye."
    "instead of it, when `outage.callback` is on and the caller's number is known"


class OutageSettings(Frozen):
    """What the caller is offered when the models stay out of order."""

    callback: bool = False
    "whether to promise one, and write it down: somebody has to look at `voiceworker callbacks`"
    number_key: str = "phone"
    "the key of the session's metadata that holds the caller's number; who calls by telephone is known by his own"


class AgentDefinition(Frozen):
    """One file of agents/."""

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,40}$")]
    language: Annotated[str, Field(pattern=r"^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$")] = "en"
    timezone: str = "UTC"
    instructions: str
    greeting: str
    models: ModelLists = ModelLists()
    endpoints: dict[Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_.-]*$")], Endpoint] = Field(default={})
    "servers of one's own, by the name under which the models' lists have them: openai-compatible/NAME"
    routes: list[Any] = Field(default=[])
    "which callers get which models; read by voiceworker.policy.routing"
    turns: TurnSettings = TurnSettings()
    tools: tuple[str, ...] = ()
    tool_settings: dict[str, dict[str, Any]] = Field(default={})
    limits: Limits = Limits()
    phrases: Farewells = Farewells()
    outage: OutageSettings = OutageSettings()
    script: dict[str, Any] = Field(default={})

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError):
            raise ValueError("no such time zone; use a name like Europe/London") from None
        return value
