"""espeak-ng text to speech for LiveKit Agents: no key, no download, exact word timings.

This package is GPL-3.0-or-later, because it loads libespeak-ng, which is.
"""

from livekit.agents import Plugin

from .engine import EngineError
from .log import logger
from .tts import TTS, ChunkedStream, SynthesizeStream
from .version import __version__

__all__ = ["TTS", "ChunkedStream", "EngineError", "SynthesizeStream", "__version__"]


class EspeakPlugin(Plugin):
    def __init__(self) -> None:
        super().__init__(__name__, __version__, __package__ or __name__, logger)


Plugin.register_plugin(EspeakPlugin())

# keep the generated documentation to the public names
__pdoc__ = {name: False for name in dir() if name not in __all__}
