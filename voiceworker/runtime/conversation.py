"""What talks with the caller: the framework's session, the agent in it, and whoever goes on when that one cannot."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Callable, Mapping
from dataclasses import dataclass

from livekit import rtc
from livekit.agents import NOT_GIVEN, AgentSession, JobContext, NotGivenOr, TurnHandlingOptions, inference, llm, room_io
from livekit.agents.beta.tools import EndCallTool
from livekit.agents.voice import SpeechHandle
from livekit.agents.voice.room_io.types import TextInputCallback

from voiceworker.config import AgentDefinition, Settings
from voiceworker.events import Event, ModelsRouted, ModelsSwitched
from voiceworker.policy.eagerness import turn_timing
from voiceworker.runtime.call_models import CallModels
from voiceworker.runtime.caller_audio import SAMPLE_RATE as CALLER_SAMPLE_RATE
from voiceworker.runtime.chains.voice import VoiceChain
from voiceworker.runtime.engines import EngineBuilder
from voiceworker.runtime.greeting import SpokenGreeting
from voiceworker.runtime.heard_words import count_heard_words
from voiceworker.runtime.intents import IntentRouting
from voiceworker.runtime.playout_ledger import SAMPLE_RATE
from voiceworker.runtime.realtime import LineSettings, Lost, SpeechToSpeech, model_options
from voiceworker.runtime.receptionist import Receptionist
from voiceworker.runtime.routing import CallRouting
from voiceworker.runtime.tasks import Tasks
from voiceworker.runtime.toolbox import Toolbox, ToolSurroundings
from voiceworker.runtime.turn_taking import TurnTaking


@dataclass(frozen=True, slots=True)
class CallParts:
    """What answers a call, and why."""

    engines: EngineBuilder
    models: CallModels
    routing: CallRouting


class Conversation:
    """`await make()` it; `attach()` it, then whoever listens to its `session`, and `await start()` it, which takes as
    long as joining the room: `enter_room()` when that is done, and before anything else happens in it."""

    session: AgentSession[None]
    turns: TurnTaking | None
    "None in the framework's console, which has its own"

    def __init__(
        self,
        context: JobContext,
        parts: CallParts,
        settings: Settings,
        tasks: Tasks,
        tell: Callable[[Event], None],
        caller: Callable[[], str | None],
    ) -> None:
        """`caller()`: the identity of the one who is listened to."""
        self._context = context
        self._definition = parts.engines.definition
        self._engines, self._models, self._routing = parts.engines, parts.models, parts.routing
        self._settings = settings
        self._tasks = tasks
        self._tell = tell
        self._caller = caller
        self._intents = IntentRouting(parts.routing, parts.engines, parts.models.engines, self._models_changed)
        self._agent: Receptionist | None = None
        "who speaks"
        self._greeting: SpokenGreeting | None = None
        self._speech: SpeechToSpeech | None = None
        "None when no speech-to-speech model leads"
        self._is_made = False

    # --- making it ---

    async def make(self, toolboxes: Mapping[str, Toolbox]) -> None:
        """All that needs no room."""
        engines = self._engines
        tools = await asyncio.to_thread(self._make_tools, toolboxes)
        voice = engines.choices["tts"].chosen
        if voice.provider != "espeak":  # which speaks faster than a file is read, and knows when each word is said
            folder = self._settings.cache_directory / "greetings"
            self._greeting = SpokenGreeting(folder, str(voice), self._definition.greeting)
            await asyncio.to_thread(self._greeting.load)
        turns = self.turns = None if self._context.is_fake_job() else self._make_turns()
        tools += self._intents.tools()
        speech = self._speech = self._make_speech(tools)
        if speech is None:
            self._spoken_by(Receptionist(self._definition, [*tools, self._end_call_tool()], turns))
        else:
            self._spoken_by(speech.agent)
        self.session = AgentSession(
            stt=engines.hearing(),
            llm=engines.thinking(),
            tts=engines.speaking(),
            vad=engines.voice_detector,
            turn_handling=_console_turns(self._definition) if turns is None else turns.options,
            use_tts_aligned_transcript=True,
            aec_warmup_duration=None,  # else the first three seconds of the agent's speech cannot be interrupted
            user_away_timeout=None,  # silence is decided by policy/attendance.py
        )
        self._is_made = True

    def _make_tools(self, toolboxes: Mapping[str, Toolbox]) -> list[llm.Tool | llm.Toolset]:
        surroundings = ToolSurroundings(self._definition, self._settings, self._settings.now)
        return [tool for name in self._definition.tools for tool in toolboxes[name](surroundings)]

    def _make_turns(self) -> TurnTaking:
        choices = {role: choice.chosen.provider for role, choice in self._engines.choices.items() if choice.usable}
        return TurnTaking(
            self._definition,
            self._context.room,
            self._tasks,
            self._tell,
            self._caller,
            # what answers within milliseconds needs no head start
            may_speculate=choices["llm"] != "script" and "realtime" not in choices,
            in_pieces=choices["tts"] != "espeak",
            has_interims=self._engines.hearing().capabilities.interim_results,
        )

    def _make_speech(self, tools: list[llm.Tool | llm.Toolset]) -> SpeechToSpeech | None:
        model = self._engines.realtime(**model_options())
        if model is None:
            return None
        turns, name = self.turns, self._engines.choices["realtime"].chosen
        speech = SpeechToSpeech(
            model,
            self._definition,
            turns,
            lambda: [*tools, self._end_call_tool()],
            self._tasks,
            settings=LineSettings(cap_seconds=self._settings.realtime_cap_seconds),
            on_lost=self._realtime_lost,
            on_agent=self._spoken_by,
            **({} if turns is None else {"voiced": turns.voiced}),
        )
        self._models.meter.realtime(name.priced, speech.line)
        return speech

    def _end_call_tool(self) -> EndCallTool:
        """The script says goodbye and calls it at once; a language model calls it silently and is asked for one."""
        realtime = self._engines.choices.get("realtime")
        speaks_itself = self._agent is None and realtime is not None and bool(realtime.usable)  # not so its stand-in
        scripted = not speaks_itself and self._engines.choices["llm"].chosen.provider == "script"
        farewell = None if scripted else "Say goodbye in one short sentence."
        return EndCallTool(delete_room=False, end_instructions=farewell)

    # --- who speaks ---

    def _spoken_by(self, agent: Receptionist) -> None:
        self._agent = agent
        agent.on_no_answer = self._models.no_answer
        self._intents.attach(agent)

    def _realtime_lost(self, lost: Lost) -> None:
        names = self._names(self._engines)
        self._tell(ModelsSwitched("realtime", names.get("realtime", ""), names.get("llm", ""), lost.reason))

    def _models_changed(self, engines: EngineBuilder) -> None:
        self._tell(self._routed(engines))

    def _routed(self, engines: EngineBuilder) -> ModelsRouted:
        names, decision = self._names(engines), self._routing.decision
        stt, llm, tts, realtime = (names.get(role, "") for role in ("stt", "llm", "tts", "realtime"))
        return ModelsRouted(decision.rule, stt, llm, tts, realtime, decision.arm)

    @staticmethod
    def _names(engines: EngineBuilder) -> dict[str, str]:
        return {role: str(choice.chosen) for role, choice in engines.choices.items() if choice.usable}

    # --- starting it ---

    def attach(self) -> None:
        if self.turns is not None:
            self.turns.attach(self.session, self.unheard)
        if self._speech is not None:
            self._speech.attach(self.session)

    @property
    def may_start_early(self) -> bool:
        """Before the room is joined. A speech-to-speech model that is refused then would be replaced at the moment of
        the greeting, and while it is nothing can be said."""
        return self._speech is None

    async def start(self, typed: TextInputCallback) -> None:
        """Returns when the room is joined, too."""
        assert self._agent is not None, "make() comes first"
        await self.session.start(
            self._agent,
            room=self._context.room,
            room_options=self._room_options(typed),
            session_host=False,  # else anybody in the room may read the instructions and mute the agent
            record=False,
        )
        count_heard_words(self.session)

    def enter_room(self, caller: str) -> None:
        """Once it is joined, and `start` has begun: from now on the agent can be heard. `caller`: whom to listen to;
        empty: whoever comes first."""
        if self.turns is None:
            return
        if caller:  # not an option of the room: for that the framework wants it joined before it starts
            self.session.room_io.set_participant(caller)
        self.turns.enter_room()

    def _room_options(self, typed: TextInputCallback) -> room_io.RoomOptions:
        options = room_io.RoomOptions(
            text_input=room_io.TextInputOptions(text_input_cb=typed),
            audio_input=room_io.AudioInputOptions(
                sample_rate=CALLER_SAMPLE_RATE,
                frame_size_ms=10,
                auto_gain_control=False,  # it clips a call's first sentence, beside which every later one is soft
            ),
            close_on_disconnect=False,  # a caller who lost the network may return
        )
        if self.turns is not None:
            options.audio_output = False  # the session has our own
            options.text_output = room_io.TextOutputOptions(next_in_chain=self.turns.heard)
        return options

    def routed(self) -> ModelsRouted:
        """Which models hold the conversation, as it begins; later changes are told by themselves."""
        return self._routed(self._engines)

    def unheard(self, heard: str) -> str:
        """What of the present reply was cut off, when `heard` was heard of it."""
        assert self._agent is not None
        return self._agent.unheard(heard)

    def greet(self) -> None:
        assert self._agent is not None
        text, spoken = self._definition.greeting, self._greeting
        if self.turns is not None:
            self.turns.next_speech_is("greeting")
        if self._speech is not None:
            self._speech.say(text)
        elif spoken is not None and spoken.is_known:
            self._agent.speaks(text)
            self.session.say(self._dated(text, spoken), audio=spoken.frames())
        else:
            if spoken is not None:
                self._agent.keep_next_speech(spoken)
            self.session.say(text)

    async def _dated(self, text: str, spoken: SpokenGreeting) -> AsyncIterator[str]:
        """Its words with their times: if the caller cuts it off, what was heard of it is known."""
        voice = self._engines.speaking()
        for word in voice.dated(text, spoken.samples, SAMPLE_RATE) if isinstance(voice, VoiceChain) else [text]:
            yield word

    def say(self, text: str, *, allow_interruptions: NotGivenOr[bool] = NOT_GIVEN) -> SpeechHandle:
        voice = self.session if self._speech is None else self._speech
        return voice.say(text, allow_interruptions=allow_interruptions)

    async def say_to_the_end(self, text: str, audio: AsyncIterable[rtc.AudioFrame] | None = None) -> None:
        """Instead of whatever is being said. `audio`: where no voice is to be asked for it. Raises RuntimeError when
        the session is closing."""
        await self.session.interrupt()
        if self.turns is not None:
            self.turns.next_speech_is("important")
        if audio is None:
            speech = self.say(text, allow_interruptions=False)
        else:
            speech = self.session.say(text, audio=audio, allow_interruptions=False)
        await speech.wait_for_playout()

    @property
    def agent_speaks(self) -> bool:
        return self._is_made and self.session.agent_state == "speaking"

    @property
    def caller_waits(self) -> bool:
        """For an answer that does not begin."""
        return self._is_made and self.session.agent_state == "thinking" and self.session.user_state != "speaking"

    # --- the end ---

    async def save_greeting(self) -> None:
        """For the calls to come."""
        if self._greeting is not None:
            await asyncio.to_thread(self._greeting.save)

    async def aclose(self) -> None:
        if not self._is_made:
            return
        await self.session.aclose()
        if self._speech is not None:
            await self._speech.aclose()
        if self.turns is not None:
            await self.turns.aclose()


def _console_turns(definition: AgentDefinition) -> TurnHandlingOptions:
    """The framework's own turn-taking, without the default versions of its parts that talk to a cloud gateway."""
    timing = turn_timing(definition.turns.eagerness, definition.language)
    return TurnHandlingOptions(
        turn_detection=inference.TurnDetector(version="v1-mini"),
        interruption={"mode": "vad"},
        endpointing={"min_delay": timing.minimum_silence_seconds, "max_delay": timing.maximum_silence_seconds},
    )
