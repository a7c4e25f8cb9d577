import logging

logger = logging.getLogger("livekit.plugins.fasterwhisper")

# the library tells of each decoding; what it takes and what it gave is in the framework's metrics
logging.getLogger("faster_whisper").setLevel(logging.WARNING)
