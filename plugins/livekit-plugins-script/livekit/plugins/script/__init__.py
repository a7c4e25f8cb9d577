"""A scripted LLM for LiveKit Agents: rules in YAML, slots, tools, streaming; no key, no model."""

from livekit.agents import Plugin

from .errors import ScriptError
from .llm import LLM
from .log import logger
from .script import Script
from .version import __version__

__all__ = ["LLM", "Script", "ScriptError", "__version__"]


class ScriptPlugin(Plugin):
    def __init__(self) -> None:
        super().__init__(__name__, __version__, __package__ or __name__, logger)


Plugin.register_plugin(ScriptPlugin())
