"""Whisper for LiveKit Agents: speech to text on the machine itself, by faster-whisper.

The weights are fetched by `python agent.py download-files`, for the models that were asked for by `want`.
"""

from pathlib import Path

from livekit.agents import Plugin

from .files import MissingModelError, download, missing_files
from .log import logger
from .model import ModelError
from .stream import RecognizeStream
from .stt import STT
from .version import __version__

__all__ = [
    "STT",
    "MissingModelError",
    "ModelError",
    "RecognizeStream",
    "__version__",
    "download",
    "missing_files",
    "want",
]


class FasterWhisperPlugin(Plugin):
    """Makes the package known to the framework, whose command `download-files` then calls it."""

    def __init__(self) -> None:
        super().__init__(__name__, __version__, __package__ or __name__, logger)
        self.wanted: dict[tuple[str, Path], None] = {}
        "(model, folder), in the order in which they were asked for"

    def download_files(self) -> None:
        """Fetches what is missing of the models that were asked for. Raises ValueError, OSError (see `download`)."""
        for model, folder in self.wanted:
            if missing_files(model, folder):
                logger.info("fetching the Whisper model %s into %s", model, folder)
                download(model, folder)
            else:
                logger.info("the Whisper model %s is in %s already", model, folder)


_plugin = FasterWhisperPlugin()
Plugin.register_plugin(_plugin)


def want(model: str, folder: Path) -> None:
    """Has `download-files` fetch this model, too."""
    _plugin.wanted[model, folder] = None


__pdoc__ = {name: False for name in dir() if name not in __all__}
