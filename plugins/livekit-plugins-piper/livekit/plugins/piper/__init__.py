"""Piper for LiveKit Agents: text to speech on the machine itself.

The voices are fetched by `python agent.py download-files`, those that were asked for by `want`.

This package is GPL-3.0-or-later, because it builds on piper-tts, which is.
"""

from pathlib import Path

from livekit.agents import Plugin

from .files import MissingVoiceError, download, missing_files
from .log import logger
from .tts import TTS, ChunkedStream, SynthesizeStream
from .version import __version__
from .voice import VoiceError

__all__ = [
    "TTS",
    "ChunkedStream",
    "MissingVoiceError",
    "SynthesizeStream",
    "VoiceError",
    "__version__",
    "download",
    "missing_files",
    "want",
]


class PiperPlugin(Plugin):
    """Makes the package known to the framework, whose command `download-files` then calls it."""

    def __init__(self) -> None:
        super().__init__(__name__, __version__, __package__ or __name__, logger)
        self.wanted: dict[tuple[str, Path], None] = {}
        "(voice, folder), in the order in which they were asked for"

    def download_files(self) -> None:
        """Fetches what is missing of the voices that were asked for. Raises ValueError, OSError (see `download`)."""
        for voice, folder in self.wanted:
            if missing_files(voice, folder):
                logger.info("fetching the voice %s into %s", voice, folder)
                download(voice, folder)
            else:
                logger.info("the voice %s is in %s already", voice, folder)


_plugin = PiperPlugin()
Plugin.register_plugin(_plugin)


def want(voice: str, folder: Path) -> None:
    """Has `download-files` fetch this voice, too."""
    _plugin.wanted[voice, folder] = None


# keep the generated documentation to the public names
__pdoc__ = {name: False for name in dir() if name not in __all__}
