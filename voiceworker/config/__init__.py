"""Settings: the only reader of the environment, of `.env` and of the agents' YAML.

Everything is typed, frozen and complete; what is wrong is refused at start with the place, the reason and the remedy.
"""

from voiceworker.config.agent_file import AgentCheck, AgentFile, PlaceError, load_agent
from voiceworker.config.catalog import AgentCatalog
from voiceworker.config.definition import (
    AgentDefinition,
    Budget,
    Endpoint,
    Farewells,
    Limits,
    ModelLists,
    OverlapTable,
    TurnSettings,
)
from voiceworker.config.settings import PREFIX, ROOT, SECRETS, VARIABLES, Settings, load_settings, read_environment
from voiceworker.config.terms import ConfigError

__all__ = [
    "PREFIX",
    "ROOT",
    "SECRETS",
    "VARIABLES",
    "AgentCatalog",
    "AgentCheck",
    "AgentDefinition",
    "AgentFile",
    "Budget",
    "ConfigError",
    "Endpoint",
    "Farewells",
    "Limits",
    "ModelLists",
    "OverlapTable",
    "PlaceError",
    "Settings",
    "TurnSettings",
    "load_agent",
    "load_settings",
    "read_environment",
]
