import logging

logger = logging.getLogger("livekit.plugins.piper")

# at DEBUG the library writes every text that is spoken
logging.getLogger("piper").setLevel(logging.INFO)
