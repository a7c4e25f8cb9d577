"""pocketsphinx plugin for LiveKit Agents: streaming speech to text on the machine itself, without key or download.

See the package's README for how an agent's own phrases sharpen it.
"""

from livekit.agents import Plugin

from .build import ModelSettings
from .log import logger
from .stream import RecognizeStream
from .stt import STT
from .version import __version__

__all__ = ["STT", "ModelSettings", "RecognizeStream", "__version__"]


class PocketsphinxPlugin(Plugin):
    """Makes the package known to the framework, which then preloads it."""

    def __init__(self) -> None:
        super().__init__(__name__, __version__, __package__ or __name__, logger)


Plugin.register_plugin(PocketsphinxPlugin())

__pdoc__ = {name: False for name in dir() if name not in __all__}
