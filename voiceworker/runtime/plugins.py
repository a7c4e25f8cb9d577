"""LiveKit plugins that not every installation has: imported when an agent asks for one of their models."""

from __future__ import annotations

import sys
import threading
from importlib import import_module
from typing import Any


class PluginError(ValueError):
    """The plugin cannot be imported. The text is one line for a person."""


class NotHere(PluginError):
    """The plugin has to be imported on the main thread first: the framework lets none register itself elsewhere."""


def plugin(name: str) -> Any:
    """The module livekit.plugins.NAME; its classes have the framework's types, but not every installation has it.

    The worker reads every agent's file on its main thread before it takes calls, and the processes of the calls are
    forked from one that has imported the same. What a file asks for later, a call imports when it makes its engines.
    Raises PluginError, and NotHere on another thread.
    """
    module = f"livekit.plugins.{name}"
    if module not in sys.modules and threading.current_thread() is not threading.main_thread():
        raise NotHere(f"{module} is not imported yet")
    try:
        return import_module(module)
    except ImportError as error:
        raise PluginError(f"{module} cannot be imported: {error}") from None
