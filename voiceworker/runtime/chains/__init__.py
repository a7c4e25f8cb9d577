"""Several engines of a role as one: when one fails, the next goes on with what is left to be heard or said.

Each chain is an ordinary stt.STT, llm.LLM or tts.TTS. The framework's own adapters begin anew where these go on, and
find out by real requests, which are paid for, whether an engine works again; here the breakers decide that.
"""

from voiceworker.runtime.chains.breakers import Breakers, HttpProbe
from voiceworker.runtime.chains.links import Link, Switch

__all__ = ["Breakers", "HttpProbe", "Link", "Switch"]
