"""What `agent.py download-files` fetches: the weights of those models of the agents that run here."""

from __future__ import annotations

from collections.abc import Iterator

from voiceworker.config import AgentDefinition, ConfigError, PlaceError, Settings
from voiceworker.models import ModelName, weights_folder, what_is_missing
from voiceworker.providers import PROVIDERS, ROLES
from voiceworker.runtime.plugins import PluginError, plugin
from voiceworker.runtime.routing import routes_of
from voiceworker.runtime.worker import agent_catalog


def want_weights(settings: Settings) -> list[ModelName]:
    """Tells the plugins which weights the agents' lists and routes name, for the framework's command to fetch them.

    Returns those models. Raises ConfigError when a file of an agent is broken, or an extra is not installed.
    """
    catalog = agent_catalog(settings, None)
    definitions = [one for name in catalog.names() if (one := catalog.get(name)) is not None]
    for problem in catalog.problems.values():
        raise ConfigError(problem)
    wanted = list(dict.fromkeys(name for definition in definitions for name in _local(definition, settings)))
    for name in wanted:
        try:
            plugin(PROVIDERS[name.provider].plugin).want(name.model, weights_folder(name.provider, settings))
        except PluginError as error:
            raise ConfigError(f"{name}: {error}") from None
    return wanted


def _local(definition: AgentDefinition, settings: Settings) -> Iterator[ModelName]:
    try:
        outcomes = list(routes_of(definition).outcomes())
    except PlaceError as error:
        raise ConfigError(f"agent {definition.name}: {error}") from None
    for role in ROLES:
        routed = [text for outcome in outcomes for text in outcome.terms.get(role, ())]
        for text in (*getattr(definition.models, role), *routed):
            try:
                name = ModelName.parse(text, role)
            except ValueError as error:
                raise ConfigError(f"agent {definition.name}: {error}") from None
            if not PROVIDERS[name.provider].weights:
                continue
            missing = what_is_missing(name, definition, settings)
            if missing and "extra" in missing:
                raise ConfigError(f"{name}: {missing}")
            yield ModelName(name.provider, name.model)
