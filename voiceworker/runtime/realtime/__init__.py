"""Speech to speech: one model hears and speaks, over a connection that is renewed, and replaced when it is lost.

`SpeechToSpeech` is what a call holds. `RealtimeLine` is what the framework takes for the model, `RealtimeAgent` speaks
by it, and `StandIn` goes on with the pipeline when it is down. See docs/realtime.md.
"""

from voiceworker.runtime.realtime.line import RealtimeLine
from voiceworker.runtime.realtime.settings import LineSettings, Lost, model_options
from voiceworker.runtime.realtime.speech_to_speech import SpeechToSpeech

__all__ = ["LineSettings", "Lost", "RealtimeLine", "SpeechToSpeech", "model_options"]
