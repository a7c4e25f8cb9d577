"""Speech to speech: one model hears and speaks, over a connection that is renewed, and replaced when it is lost.

`RealtimeLine` is what the framework takes for the model; `RealtimeAgent` speaks by it; `StandIn` goes on with the
pipeline when it is down. See docs/realtime.md.
"""

from voiceworker.runtime.realtime.agents import RealtimeAgent, StandIn
from voiceworker.runtime.realtime.line import RealtimeLine
from voiceworker.runtime.realtime.settings import LineSettings, Lost, model_options
from voiceworker.runtime.realtime.takeover import Takeover

__all__ = ["LineSettings", "Lost", "RealtimeAgent", "RealtimeLine", "StandIn", "Takeover", "model_options"]
