"""Checks an agent's file to the bottom before a call depends on it: models, script, tools and their settings."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping

import pydantic
from livekit.plugins import script

from voiceworker.config import AgentCheck, AgentDefinition, PlaceError, Settings
from voiceworker.models import ROLES, ModelName, NoModel, choose_models, endpoint_of
from voiceworker.policy.pricing import UnknownCurrencyError
from voiceworker.prices import load_prices
from voiceworker.providers import COMPATIBLE
from voiceworker.runtime.engines import EngineBuilder
from voiceworker.runtime.routing import check_routes
from voiceworker.runtime.toolbox import Toolbox, ToolSurroundings


def definition_check(settings: Settings, toolboxes: Mapping[str, Toolbox]) -> AgentCheck:
    """A check for `AgentCatalog` that knows the engines and these tools. It raises PlaceError."""

    def check_answers(definition: AgentDefinition) -> None:
        _check_models(definition, settings)
        _check_engines(definition, settings)

    def check(definition: AgentDefinition) -> None:
        check_answers(definition)
        _check_budgets(definition, settings)
        check_routes(definition, check_answers)
        _check_tools(definition, settings, toolboxes)

    return check


def _check_models(definition: AgentDefinition, settings: Settings) -> None:
    for role in ROLES:
        names: tuple[str, ...] = getattr(definition.models, role)
        for index, text in enumerate(names):
            try:
                name = ModelName.parse(text, role)
                if name.provider == COMPATIBLE:
                    endpoint_of(name, definition)
            except ValueError as error:
                raise PlaceError(("models", role, index), str(error)) from None
    try:
        choose_models(definition, settings)
    except NoModel as error:
        raise PlaceError(("models", error.role), str(error)) from None


def _check_engines(definition: AgentDefinition, settings: Settings) -> None:
    """Makes each once: a voice may not have the language, a script may be wrong."""
    try:
        engines = EngineBuilder(definition, settings, settings.now)
    except script.ScriptError as error:
        raise PlaceError(error.path, error.message) from None
    for role, choice in engines.choices.items():
        try:
            if choice.usable:
                engines.check(role)
        except (ValueError, OSError) as error:
            raise PlaceError(("models", role), str(error)) from None


def _check_budgets(definition: AgentDefinition, settings: Settings) -> None:
    prices = load_prices(settings.prices_file)
    for name, budget in (("budget", definition.limits.budget), ("budget_per_day", definition.limits.budget_per_day)):
        try:
            if budget is not None:
                prices.convert(budget.amount, budget.currency, settings.budget_currency)
        except UnknownCurrencyError as error:
            raise PlaceError(("limits", name, "currency"), str(error)) from None


def _check_tools(definition: AgentDefinition, settings: Settings, toolboxes: Mapping[str, Toolbox]) -> None:
    known = ", ".join(sorted(toolboxes))
    for index, name in enumerate(definition.tools):
        if name not in toolboxes:
            raise PlaceError(("tools", index), f"no such tool; there are: {known}")
    for name in definition.tool_settings:
        if name not in definition.tools:
            raise PlaceError(("tool_settings", name), "these settings are of no tool in the list `tools`")
    for name in definition.tools:
        try:
            toolboxes[name](ToolSurroundings(definition, settings, settings.now))
        except pydantic.ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            raise PlaceError(("tool_settings", name, *first["loc"]), first["msg"]) from None
        except (OSError, sqlite3.Error) as error:
            raise PlaceError(("tools",), f"{name} cannot be used here: {error}") from None
