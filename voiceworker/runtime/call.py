"""One call, from the dispatch to the end of the job: everything of it hangs on one `Call` object."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

import aiohttp
from livekit import api, rtc
from livekit.agents import (
    NOT_GIVEN,
    AgentSession,
    CloseEvent,
    CloseReason,
    JobContext,
    NotGivenOr,
    TurnHandlingOptions,
    inference,
    llm,
    room_io,
)
from livekit.agents.beta.tools import EndCallTool
from livekit.agents.voice import SpeechHandle

from voiceworker.config import AgentDefinition, Settings
from voiceworker.dispatch import CallRequest
from voiceworker.events import ModelsRouted, ModelsSwitched, SessionEnded, SessionStarted, UserTranscript
from voiceworker.policy.attendance import AskStillThere, Attendance, AttendanceSettings, EndCall, EndReason, SayGoodbye
from voiceworker.policy.eagerness import turn_timing
from voiceworker.runtime.accounts import Accounts
from voiceworker.runtime.bookkeeper import Bookkeeper
from voiceworker.runtime.call_models import CallModels, Listeners
from voiceworker.runtime.caller_audio import SAMPLE_RATE as CALLER_SAMPLE_RATE
from voiceworker.runtime.engines import EngineBuilder
from voiceworker.runtime.greeting import SpokenGreeting
from voiceworker.runtime.intents import IntentRouting
from voiceworker.runtime.narrator import Narrator, TranscriptSink
from voiceworker.runtime.realtime import LineSettings, Lost, SpeechToSpeech, model_options
from voiceworker.runtime.receptionist import Receptionist
from voiceworker.runtime.routing import CallRouting
from voiceworker.runtime.session_events import SessionListener
from voiceworker.runtime.tasks import Tasks
from voiceworker.runtime.toolbox import Toolbox, ToolSurroundings
from voiceworker.runtime.turn_taking import TurnTaking

logger = logging.getLogger("voiceworker.call")

LONGEST_TYPED_CHARACTERS = 2000
TOO_LONG_TYPED = "That message is too long for me. Please write it in a few sentences."


class CallRecords(TranscriptSink, Protocol):
    """What the call writes down. Each call may block on a disk: used in threads only."""

    def started(self, session: str, agent: str, room: str, request: CallRequest, now: datetime) -> bool:
        """The agent has joined. False when the session has ended meanwhile: then the call must not go on."""
        ...

    def ended(self, session: str, reason: str, now: datetime) -> None: ...


_CLOSE_REASONS: dict[CloseReason, EndReason] = {
    CloseReason.USER_INITIATED: "agent_hung_up",  # the tool end_call: nobody else closes the session while a call runs
    CloseReason.JOB_SHUTDOWN: "worker_shutdown",
}

_CALLER_KINDS = (
    rtc.ParticipantKind.PARTICIPANT_KIND_STANDARD,
    rtc.ParticipantKind.PARTICIPANT_KIND_SIP,
    rtc.ParticipantKind.PARTICIPANT_KIND_CONNECTOR,
)

_LAST_EVENTS_SECONDS = 3
"for a slow client to take the last events"

_LAST_RECORDS_SECONDS = 15
"longer than a database that is busy takes"

_LAST_WORD_SECONDS = 0.4
"from the last sample given to the network to its being heard, before the room is closed"


@dataclass(frozen=True, slots=True)
class CallParts:
    """What answers a call, and why."""

    engines: EngineBuilder
    models: CallModels
    routing: CallRouting


class Call:
    def __init__(
        self,
        context: JobContext,
        request: CallRequest,
        parts: CallParts,
        settings: Settings,
        records: CallRecords,
        accounts: Accounts,
    ) -> None:
        self._context = context
        self._request = request
        self._definition = definition = parts.engines.definition
        self._engines, self._models, self._routing = parts.engines, parts.models, parts.routing
        self._settings = settings
        self._records = records
        self._caller = request.caller
        limits = definition.limits
        longest = min(request.max_seconds or limits.max_seconds, limits.max_seconds)
        self._attendance = Attendance(
            AttendanceSettings(silence_seconds=limits.silence_seconds, max_seconds=longest), time.monotonic()
        )
        self._changed = asyncio.Event()
        self._tasks = Tasks()
        self._narrator = Narrator(request.session, context.room, records, lambda: datetime.now(UTC))
        self._session: AgentSession[None] | None = None
        self._agent: Receptionist | None = None
        self._greeting: SpokenGreeting | None = None
        self._turns: TurnTaking | None = None
        "None in the framework's console, which has its own"
        self._speech: SpeechToSpeech | None = None
        "None when no speech-to-speech model leads"
        self._listening = False
        "the session has started: somebody who joins can be greeted"
        self._books = Bookkeeper(
            parts.models.meter,
            accounts,
            self._narrator.tell,
            part=self._dismiss,
            cut=self._cut_off,
            clock=lambda: datetime.now(UTC),
        )
        self._intents = IntentRouting(parts.routing, parts.engines, parts.models.engines, self._models_changed)
        parts.models.listeners = Listeners(self._narrator.tell, self._not_heard, self._filler)

    # --- the whole of it ---

    async def run(self, toolboxes: Mapping[str, Toolbox], connecting: Awaitable[None]) -> None:
        """Holds the conversation in the room that `connecting` joins; returns when all of it is over and closed."""
        room = self._context.room
        room.on("participant_connected", self._participant_connected)
        room.on("participant_disconnected", self._participant_disconnected)
        room.on("disconnected", self._room_disconnected)
        self._keeping = self._tasks.spawn(self._narrator.keep(), "records of the narrator")
        self._sending = self._tasks.spawn(self._narrator.send(), "events of the narrator")
        reason: EndReason = "error"
        try:
            session = await self._make_session(toolboxes)
            await connecting
            recording = self._tasks.spawn(asyncio.to_thread(self._record_start), "record of the call's beginning")
            await self._start_session(session)
            if not await recording:
                return
            self._listening = True
            if self._context.is_fake_job():  # the framework's console: the caller sits at this terminal
                self._welcome("console")
            for participant in room.remote_participants.values():
                self._participant_connected(participant)
            reason = await self._attend()
        except asyncio.CancelledError:
            reason = "worker_shutdown"
            raise
        finally:
            await self._close(reason)

    def _record_start(self) -> bool:
        room, now = self._context.room.name, datetime.now(UTC)
        try:
            return self._records.started(self._request.session, self._definition.name, room, self._request, now)
        except Exception:
            logger.exception("the beginning of the call was not recorded")  # a call matters more than its record
            return True

    # --- the session ---

    async def _make_session(self, toolboxes: Mapping[str, Toolbox]) -> AgentSession[None]:
        """All that needs no room."""
        definition, engines = self._definition, self._engines
        tools = await asyncio.to_thread(self._make_tools, toolboxes)
        voice = engines.choices["tts"].chosen
        if voice.provider != "espeak":  # which speaks faster than a file is read, and knows when each word is said
            folder = self._settings.cache_directory / "greetings"
            self._greeting = SpokenGreeting(folder, str(voice), definition.greeting)
            await asyncio.to_thread(self._greeting.load)
        turns = self._turns = None if self._context.is_fake_job() else self._make_turns()
        tools += self._intents.tools()
        speech = self._speech = self._make_speech(tools)
        self._spoken_by(
            Receptionist(definition, [*tools, self._end_call_tool()], turns) if speech is None else speech.agent
        )
        return AgentSession(
            stt=engines.hearing(),
            llm=engines.thinking(),
            tts=engines.speaking(),
            vad=engines.voice_detector,
            turn_handling=_console_turns(definition) if turns is None else turns.options,
            use_tts_aligned_transcript=True,
            aec_warmup_duration=None,  # else the first three seconds of the agent's speech cannot be interrupted
            user_away_timeout=None,  # silence is decided by policy/attendance.py
        )

    def _make_speech(self, tools: list[llm.Tool | llm.Toolset]) -> SpeechToSpeech | None:
        model = self._engines.realtime(**model_options())
        if model is None:
            return None
        turns, name = self._turns, self._engines.choices["realtime"].chosen
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

    def _realtime_lost(self, lost: Lost) -> None:
        names = {role: str(choice.chosen) for role, choice in self._engines.choices.items() if choice.usable}
        self._narrator.tell(ModelsSwitched("realtime", names.get("realtime", ""), names.get("llm", ""), lost.reason))

    def _spoken_by(self, agent: Receptionist) -> None:
        """Who speaks from now on."""
        self._agent = agent
        self._intents.attach(agent)

    def _unheard(self, heard: str) -> str:
        assert self._agent is not None
        return self._agent.unheard(heard)

    async def _start_session(self, session: AgentSession[None]) -> None:
        self._session, agent, turns = session, self._agent, self._turns
        assert agent is not None
        if turns is not None:
            turns.attach(session, self._unheard)
        if self._speech is not None:
            self._speech.attach(session)
        SessionListener(
            session, self._unheard, self._narrator, self._attendance, turns, self._changed.set, self._stumbled
        ).attach()
        session.on("close", self._session_closed)
        self._books.attach(session)
        self._keeping_books = self._tasks.spawn(self._books.run(), "books of the call")
        await session.start(
            agent,
            room=self._context.room,
            room_options=self._room_options(),
            session_host=False,  # else anybody in the room may read the instructions and mute the agent
            record=False,
        )
        self._narrator.tell(SessionStarted(agent=self._definition.name))
        self._models_changed(self._engines)
        self._tasks.spawn(self._models.prepare(), "apology")

    def _models_changed(self, engines: EngineBuilder) -> None:
        names = {role: str(choice.chosen) for role, choice in engines.choices.items() if choice.usable}
        decision = self._routing.decision
        stt, llm, tts, realtime = (names.get(role, "") for role in ("stt", "llm", "tts", "realtime"))
        self._narrator.tell(ModelsRouted(decision.rule, stt, llm, tts, realtime, decision.arm))

    def _make_turns(self) -> TurnTaking:
        choices = {role: choice.chosen.provider for role, choice in self._engines.choices.items() if choice.usable}
        return TurnTaking(
            self._definition,
            self._context.room,
            self._tasks,
            self._narrator.tell,
            lambda: self._caller,
            # what answers within milliseconds needs no head start
            may_speculate=choices["llm"] != "script" and "realtime" not in choices,
            in_pieces=choices["tts"] != "espeak",
            has_interims=self._engines.hearing().capabilities.interim_results,
        )

    def _end_call_tool(self) -> EndCallTool:
        """The script says goodbye and calls it at once; a language model calls it silently and is asked for one."""
        realtime = self._engines.choices.get("realtime")
        speaks_itself = self._agent is None and realtime is not None and bool(realtime.usable)  # not so its stand-in
        scripted = not speaks_itself and self._engines.choices["llm"].chosen.provider == "script"
        farewell = None if scripted else "Say goodbye in one short sentence."
        return EndCallTool(delete_room=False, end_instructions=farewell)

    def _make_tools(self, toolboxes: Mapping[str, Toolbox]) -> list[llm.Tool | llm.Toolset]:
        surroundings = ToolSurroundings(self._definition, self._settings, self._settings.now)
        return [tool for name in self._definition.tools for tool in toolboxes[name](surroundings)]

    def _room_options(self) -> room_io.RoomOptions:
        options = room_io.RoomOptions(
            text_input=room_io.TextInputOptions(text_input_cb=self._typed),
            audio_input=room_io.AudioInputOptions(sample_rate=CALLER_SAMPLE_RATE, frame_size_ms=10),
            close_on_disconnect=False,  # a caller who lost the network may return
        )
        if self._turns is not None:
            options.audio_output = False  # the session has our own
            options.text_output = room_io.TextOutputOptions(next_in_chain=self._turns.heard)
        if self._request.caller:
            options.participant_identity = self._request.caller
        return options

    async def _typed(self, session: AgentSession[Any], message: room_io.TextInputEvent) -> None:
        text = message.text.strip()
        if not text:
            return
        self._attendance.caller_words(time.monotonic())
        self._changed.set()
        try:
            await session.interrupt()
        except RuntimeError:  # the farewell is being said: it ends the call
            return
        if len(text) > LONGEST_TYPED_CHARACTERS:
            self._say(TOO_LONG_TYPED)
            return
        self._narrator.tell(UserTranscript(text=text, final=True, typed=True))
        if self._turns is not None:
            self._turns.typed()
        session.generate_reply(user_input=text)

    def _stumbled(self) -> None:
        """No answer is coming: silence would be the worst one."""
        self._say(self._definition.phrases.stumbled)

    def _not_heard(self) -> None:
        self._say(self._definition.phrases.unheard)

    def _filler(self) -> str:
        """Said while the caller waits for an answer that does not begin."""
        session = self._session
        waits = session is not None and session.agent_state == "thinking" and session.user_state != "speaking"
        return f"{self._definition.phrases.one_moment} " if waits else ""

    # --- money ---

    def _dismiss(self) -> None:
        self._attendance.dismiss("budget_spent", time.monotonic())
        self._changed.set()

    def _cut_off(self) -> None:
        self._attendance.end("budget_spent", time.monotonic())
        self._changed.set()

    # --- who is there ---

    def _is_caller(self, participant: rtc.RemoteParticipant) -> bool:
        if self._caller:
            return participant.identity == self._caller
        return participant.kind in _CALLER_KINDS

    def _participant_connected(self, participant: rtc.RemoteParticipant) -> None:
        if self._listening and self._is_caller(participant):
            self._welcome(participant.identity)

    def _welcome(self, identity: str) -> None:
        self._caller = identity  # a plain dispatch names nobody: from now on it is this one
        greet = not self._attendance.ever_joined
        self._attendance.caller_joined(time.monotonic())
        self._narrator.listener_is(identity)
        self._changed.set()
        if greet:
            self._greet()

    def _greet(self) -> None:
        text, spoken = self._definition.greeting, self._greeting
        assert self._session is not None
        assert self._agent is not None
        if self._turns is not None:
            self._turns.next_speech_is("greeting")
        if self._speech is not None:
            self._speech.say(text)
            return
        if spoken is not None and spoken.is_known:
            self._session.say(text, audio=spoken.frames())
            return
        if spoken is not None:
            self._agent.keep_next_speech(spoken)
        self._session.say(text)

    def _participant_disconnected(self, participant: rtc.RemoteParticipant) -> None:
        if participant.identity == self._caller:
            self._attendance.caller_left(time.monotonic())
            self._narrator.listener_is(None)
            self._changed.set()

    def _room_disconnected(self, reason: Any) -> None:
        self._attendance.end("room_closed", time.monotonic())
        self._changed.set()

    def _session_closed(self, event: CloseEvent) -> None:
        self._attendance.end(_CLOSE_REASONS.get(event.reason, "error"), time.monotonic())
        self._changed.set()

    # --- the driver of the policy ---

    async def _attend(self) -> EndReason:
        while True:
            self._changed.clear()
            for command in self._attendance.due(time.monotonic()):
                match command:
                    case EndCall(reason):
                        return reason
                    case AskStillThere():
                        self._say(self._definition.phrases.still_there)
                    case SayGoodbye(reason):
                        self._tasks.spawn(self._part(reason), "farewell")
            deadline = self._attendance.deadline()
            try:
                async with asyncio.timeout(None if deadline is None else max(0.0, deadline - time.monotonic())):
                    await self._changed.wait()
            except TimeoutError:
                pass

    def _say(self, text: str, *, allow_interruptions: NotGivenOr[bool] = NOT_GIVEN) -> SpeechHandle:
        assert self._session is not None
        voice = self._session if self._speech is None else self._speech
        return voice.say(text, allow_interruptions=allow_interruptions)

    async def _part(self, reason: EndReason) -> None:
        assert self._session is not None
        phrases = self._definition.phrases
        text = {"time_limit": phrases.time_limit, "budget_spent": phrases.budget_spent}.get(reason, phrases.silent)
        try:
            async with asyncio.timeout(20):
                await self._session.interrupt()
                if self._turns is not None:
                    self._turns.next_speech_is("important")
                await self._say(text, allow_interruptions=False).wait_for_playout()
        except (TimeoutError, RuntimeError) as error:
            logger.warning("the farewell was not spoken: %s", error)
        finally:
            self._attendance.farewell_said(time.monotonic())
            self._changed.set()

    # --- the end ---

    async def _close(self, reason: EndReason) -> None:
        """Leaves nothing behind, whatever fails on the way."""
        self._narrator.tell(SessionEnded(reason=reason))
        self._narrator.finish()
        try:
            await asyncio.wait([self._sending], timeout=_LAST_EVENTS_SECONDS)
            await asyncio.wait([self._keeping], timeout=_LAST_RECORDS_SECONDS)
            if reason in ("agent_hung_up", "caller_silent", "time_limit", "budget_spent"):
                await asyncio.sleep(_LAST_WORD_SECONDS)
            await self._books.write_down(whole=True)
            await asyncio.to_thread(self._record_end, reason)
            if self._greeting is not None:
                await asyncio.to_thread(self._greeting.save)
            await self._close_room()  # before the session: closing that takes the framework two seconds
        finally:
            try:
                if self._session is not None:
                    await self._session.aclose()
                if self._speech is not None:
                    await self._speech.aclose()
                await self._books.write_down(whole=True)  # what was counted while it closed
                if self._turns is not None:
                    await self._turns.aclose()
                await self._tasks.aclose()
            finally:
                self._context.shutdown(reason)

    def _record_end(self, reason: EndReason) -> None:
        try:
            self._records.ended(self._request.session, reason, datetime.now(UTC))
        except Exception:
            logger.exception("the end of the call was not recorded")  # the room must be closed all the same

    async def _close_room(self) -> None:
        """A room that the session API made ends with its call; somebody else's room is only left."""
        room = self._context.room
        if not room.isconnected() or room.name != self._request.session:
            return
        try:
            async with asyncio.timeout(5):
                await self._context.api.room.delete_room(api.DeleteRoomRequest(room=room.name))
        except (TimeoutError, api.TwirpError, aiohttp.ClientError, OSError) as error:
            logger.warning("the room was not closed: %s", error)


def _console_turns(definition: AgentDefinition) -> TurnHandlingOptions:
    """The framework's own turn-taking, without the default versions of its parts that talk to a cloud gateway."""
    timing = turn_timing(definition.turns.eagerness, definition.language)
    return TurnHandlingOptions(
        turn_detection=inference.TurnDetector(version="v1-mini"),
        interruption={"mode": "vad"},
        endpointing={"min_delay": timing.minimum_silence_seconds, "max_delay": timing.maximum_silence_seconds},
    )
