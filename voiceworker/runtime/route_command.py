"""`voiceworker route`: which models would answer a call, and why."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import typer

from voiceworker.config import AgentDefinition, ConfigError, PlaceError, Settings, load_agent, load_settings
from voiceworker.models import ModelName, choose_models
from voiceworker.policy.routing import ROLES
from voiceworker.runtime.routing import CallRouting, check_routes, sticky_key

_METADATA_EXAMPLE = """'{"plan": "free"}'"""


def route(
    agent: Annotated[str, typer.Option(help="The agent that is called; default: VOICEWORKER_DEFAULT_AGENT.")] = "",
    metadata: Annotated[str, typer.Option(help="The session's metadata, a JSON object.")] = "{}",
    at: Annotated[str, typer.Option(help="When, as in 2026-11-23T19:30:00+01:00; default: now.")] = "",
    load: Annotated[float, typer.Option(min=0, max=1, help="Share of all workers' places that is taken.")] = 0,
    session: Annotated[str, typer.Option(help="The session's id: by it calls are split whose caller is unknown.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")] = False,
) -> None:
    """Explain which rules of an agent's file choose the models of a call, and which model of each list would answer."""
    settings = load_settings()
    definition = _agent(settings, agent or settings.default_agent)
    question = _Question(_object(metadata), _moment(at) if at else settings.now(), load, session)
    routing = CallRouting(definition, question.metadata, session, question.now, load)
    lists, unusable = _lists(routing.definition, settings)
    if as_json:
        typer.echo(json.dumps(_document(question, routing, lists), ensure_ascii=False, indent=2))
    else:
        typer.echo("\n".join(_lines(question, routing, lists)))
    if unusable:
        raise ConfigError(f"{routing.decision.rule}: {unusable}")


@dataclass(frozen=True, slots=True)
class _Question:
    metadata: dict[str, Any]
    now: datetime
    load: float
    session: str


@dataclass(frozen=True, slots=True)
class _Model:
    name: str
    state: str
    "answers | stands by | what it lacks"


def _agent(settings: Settings, name: str) -> AgentDefinition:
    directory = settings.agents_directory
    names = sorted(path.stem for path in directory.glob("*.yaml"))
    if name not in names:
        raise ConfigError(f"--agent: no agent {name!r} in {directory}; there are: {', '.join(names) or 'none'}")
    return load_agent(directory / f"{name}.yaml", _check)


def _check(definition: AgentDefinition) -> None:
    """That there are such rules and such models; what else a call needs, the worker checks."""
    _check_names(definition)
    check_routes(definition, _check_names)


def _check_names(definition: AgentDefinition) -> None:
    for role in ROLES:
        for index, text in enumerate(getattr(definition.models, role)):
            try:
                ModelName.parse(text, role)
            except ValueError as error:
                raise PlaceError(("models", role, index), str(error)) from None


def _object(text: str) -> dict[str, Any]:
    try:
        metadata = json.loads(text)
    except (ValueError, RecursionError):
        raise ConfigError(f"--metadata: must be JSON, as in {_METADATA_EXAMPLE}") from None
    if not isinstance(metadata, dict):
        raise ConfigError(f"--metadata: must be a JSON object, as in {_METADATA_EXAMPLE}")
    return metadata


def _moment(text: str) -> datetime:
    wrong = ConfigError("--at: must be a time with its offset, as in 2026-11-23T19:30:00+01:00")
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise wrong from None
    if moment.tzinfo is None:
        raise wrong
    return moment


def _lists(definition: AgentDefinition, settings: Settings) -> tuple[dict[str, list[_Model]], str]:
    """Each role's models with their states; and why no call could be held with them, empty when one can."""
    lists: dict[str, list[_Model]] = {
        role: [_Model(name, "") for name in getattr(definition.models, role)] for role in ROLES
    }
    try:
        choices = choose_models(definition, settings)
    except ValueError as error:
        return lists, str(error)
    realtime = choices.get("realtime")
    leads = "stands by" if realtime and realtime.usable else "answers"
    for role, choice in choices.items():
        states = {str(name): "stands by" for name in choice.usable} | {
            str(name): lack for name, lack in choice.unusable
        }
        if choice.usable:
            states[str(choice.chosen)] = "answers" if role == "realtime" else leads
        lists[role] = [_Model(one.name, states[one.name]) for one in lists[role]]
    return {role: models for role, models in lists.items() if models}, ""


def _lines(question: _Question, routing: CallRouting, lists: dict[str, list[_Model]]) -> list[str]:
    definition, decision = routing.definition, routing.decision
    local = question.now.astimezone(ZoneInfo(definition.timezone))
    lines = [f"{definition.name}, {local:%a %Y-%m-%d %H:%M} {definition.timezone}, load {question.load:.2f}", ""]
    width = max((len(one.rule) for one in decision.explanations), default=0)
    for one in decision.explanations:
        lines.append(f"  {one.rule:{width}}  {'' if one.matched else 'no: '}{one.text}")
    if not decision.explanations:
        lines.append("  the agent's file has no routes")
    arm = f", arm {decision.arm}" if decision.arm else ""
    lines += ["", f"rule {decision.rule}{arm}"]
    if decision.arm and not (question.session or sticky_key(question.metadata)):
        lines.append("  the arm goes by the session: the metadata does not tell who calls, and no --session is given")
    longest = max(len(model.name) for models in lists.values() for model in models)
    for role, models in lists.items():
        for index, model in enumerate(models):
            lines.append(f"  {'' if index else role:9}  {model.name:{longest}}  {model.state}".rstrip())
    lines += [f"  {word:9}  {value}" for word, value in _words(routing).items() if value]
    return lines


def _words(routing: CallRouting) -> dict[str, str | None]:
    return {"language": routing.decision.language, "eagerness": routing.decision.eagerness}


def _document(question: _Question, routing: CallRouting, lists: dict[str, list[_Model]]) -> dict[str, Any]:
    decision = routing.decision
    return {
        "agent": routing.definition.name,
        "at": question.now.isoformat(),
        "load": question.load,
        "rule": decision.rule,
        "arm": decision.arm,
        "models": {role: [{"name": one.name, "state": one.state} for one in models] for role, models in lists.items()},
        **_words(routing),
        "rules": [
            {"name": one.rule, "matched": one.matched, "arm": one.arm, "decides": one.decided, "why": one.text}
            for one in decision.explanations
        ],
    }
