"""`voiceworker models`: the models of the agents, whether each could answer, how soon, and at what price."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from voiceworker.config import AgentCatalog, AgentDefinition, ConfigError, Settings, load_settings
from voiceworker.models import ModelName, what_is_missing
from voiceworker.policy.pricing import MILLION, Price, PriceTable
from voiceworker.policy.routing import RouteError, parse_routes
from voiceworker.prices import load_prices
from voiceworker.probe import Answer, Probe, ask_all, probe_of
from voiceworker.providers import ROLES, Role

_BY_RANK: tuple[Role, ...] = ("realtime", "stt", "llm", "tts")
"where a realtime model leads, the others stand by"


@dataclass(frozen=True, slots=True)
class Row:
    role: Role
    name: ModelName
    part: str
    "leads | stands by | by a route | not usable"
    missing: str
    "what has to be done before it can answer; empty when it can"
    probe: Probe | None
    price: Price | None


def models(
    agent: Annotated[str, typer.Option(help="Only this agent's; default: all agents'.")] = "",
    probe: Annotated[bool, typer.Option("--probe/--no-probe", help="Ask each provider for something free.")] = True,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")] = False,
) -> None:
    """Show each model of the agents: its part, whether it could answer or what it needs, how soon, and its price."""
    settings = load_settings()
    prices = load_prices(settings.prices_file)
    tables = {one.name: rows_of(one, settings, prices) for one in _definitions(settings, agent)}
    probes = {row.probe for rows in tables.values() for row in rows if row.probe is not None and not row.missing}
    answers = asyncio.run(ask_all(probes)) if probe else {}
    if as_json:
        typer.echo(json.dumps(document(tables, answers), ensure_ascii=False, indent=2))
        return
    console = Console()
    for name, rows in tables.items():
        console.print(table(name, rows, answers))


def _definitions(settings: Settings, agent: str) -> list[AgentDefinition]:
    catalog = AgentCatalog(settings.agents_directory)
    names = catalog.names()
    if catalog.problems and (not agent or agent in catalog.problems):
        raise ConfigError(catalog.problems.get(agent) or next(iter(catalog.problems.values())))
    if agent and agent not in names:
        raise ConfigError(f"--agent: no agent {agent!r}; there are: {', '.join(names) or 'none'}")
    return [one for name in ([agent] if agent else names) if (one := catalog.get(name)) is not None]


def rows_of(definition: AgentDefinition, settings: Settings, prices: PriceTable) -> list[Row]:
    """The models of the agent's lists, each list in its order, then those that only its routes name.

    Raises ConfigError when one has no meaning.
    """
    rows: list[Row] = []
    try:
        outcomes = list(parse_routes(definition.routes).outcomes())
    except RouteError as error:
        raise ConfigError(f"agent {definition.name}: routes: {error.reason}") from None
    for role in _BY_RANK:
        own: tuple[str, ...] = getattr(definition.models, role)
        routed = [text for outcome in outcomes for text in outcome.terms.get(role, ())]
        leads = "stands by" if any(row.role == "realtime" and row.part == "leads" for row in rows) else "leads"
        for text in dict.fromkeys((*own, *routed)):
            try:
                name = ModelName.parse(text, role)
                missing = what_is_missing(name, definition, settings) or ""
            except ValueError as error:
                raise ConfigError(f"agent {definition.name}: models.{role}: {error}") from None
            part = "not usable" if missing else leads if text in own else "by a route"
            if part == "leads":
                leads = "stands by"
            price = prices.find(role, name.priced)
            rows.append(Row(role, name, part, missing, probe_of(name, definition, settings), price))
    return sorted(rows, key=lambda row: ROLES.index(row.role))


def table(agent: str, rows: Iterable[Row], answers: Mapping[Probe, Answer]) -> Table:
    drawn = Table(title=agent, title_justify="left")
    for heading in ("role", "model", "state", "probe", "price"):
        drawn.add_column(heading, overflow="fold", no_wrap=heading in ("role", "probe"))
    before = ""
    for row in rows:
        answer = answers.get(row.probe) if row.probe is not None and not row.missing else None
        wrong = row.missing or (answer.problem if answer else "")
        state = Text(wrong or row.part, "yellow" if wrong else "green" if row.part == "leads" else "")
        drawn.add_row("" if row.role == before else row.role, str(row.name), state, _latency(answer), tariff(row.price))
        before = row.role
    return drawn


def _latency(answer: Answer | None) -> str:
    return "" if answer is None or answer.milliseconds is None else f"{answer.milliseconds:.0f} ms"


_UNITS = (
    ("audio_minute", Decimal(1), "a minute"),
    ("input_token", MILLION, "in"),
    ("cached_input_token", MILLION, "cached"),
    ("output_token", MILLION, "out"),
    ("audio_input_token", MILLION, "audio in"),
    ("cached_audio_input_token", MILLION, "audio cached"),
    ("audio_output_token", MILLION, "audio out"),
    ("character", MILLION, "a million characters"),
)


def tariff(price: Price | None) -> str:
    """What it costs, in a few words: `USD 0.40 in, 1.60 out, for a million tokens`."""
    if price is None:
        return "unknown"
    parts = [(f"{_plain(unit * per)} {word}", "token" in key) for key, per, word in _UNITS if (unit := _of(price, key))]
    if not parts:
        return "free"
    tokens = ", for a million tokens" if any(is_token for _, is_token in parts) else ""
    return f"{price.currency} {', '.join(part for part, _ in parts)}{tokens}"


def _of(price: Price, key: str) -> Decimal | None:
    unit: Decimal | None = getattr(price, key)
    return unit


def _plain(amount: Decimal) -> str:
    text = f"{amount.normalize():f}"
    whole, _, cents = text.partition(".")
    return f"{whole}.{cents.ljust(2, '0')}" if cents else text


def document(tables: Mapping[str, Iterable[Row]], answers: Mapping[Probe, Answer]) -> dict[str, Any]:
    return {"agents": {agent: [_entry(row, answers) for row in rows] for agent, rows in tables.items()}}


def _entry(row: Row, answers: Mapping[Probe, Answer]) -> dict[str, Any]:
    answer = answers.get(row.probe, Answer()) if row.probe is not None else Answer()
    price = (
        None if row.price is None else {"text": tariff(row.price), "date": row.price.date, "source": row.price.source}
    )
    return {
        "role": row.role,
        "model": str(row.name),
        "part": row.part,
        "missing": row.missing or None,
        "probe_ms": None if answer.milliseconds is None else round(answer.milliseconds, 1),
        "probe_problem": answer.problem or None,
        "price": price,
    }
