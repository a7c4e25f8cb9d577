"""One call, from the dispatch to the end of the job: everything of it hangs on one `Call` object."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Protocol

import aiohttp
from livekit import api, rtc
from livekit.agents import AgentSession, CloseEvent, CloseReason, JobContext, room_io, utils

from voiceworker.config import Settings
from voiceworker.dispatch import CallRequest
from voiceworker.events import SessionEnded, SessionStarted, UserTranscript
from voiceworker.policy.attendance import AskStillThere, Attendance, AttendanceSettings, EndCall, EndReason, SayGoodbye
from voiceworker.runtime.accounts import Accounts
from voiceworker.runtime.bookkeeper import Bookkeeper
from voiceworker.runtime.call_models import Listeners
from voiceworker.runtime.conversation import CallParts, Conversation
from voiceworker.runtime.fault_desk import FaultDesk
from voiceworker.runtime.narrator import Narrator, TranscriptSink
from voiceworker.runtime.session_events import SessionListener
from voiceworker.runtime.tasks import Tasks
from voiceworker.runtime.toolbox import Toolbox

logger = logging.getLogger("voiceworker.call")

LONGEST_TYPED_CHARACTERS = 2000
TOO_LONG_TYPED = "That message is too long for me. Please write it in a few sentences."


class CallRecords(TranscriptSink, Protocol):
    """What the call writes down. Each call may block on a disk: used in threads only."""

    def started(self, session: str, agent: str, room: str, request: CallRequest, now: datetime) -> bool:
        """The agent has joined. False when the session has ended meanwhile: then the call must not go on."""
        ...

    def call_back(self, session: str, agent: str, number: str, now: datetime) -> None:
        """Somebody has to ring this number."""
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
        self._conversation = Conversation(
            context, parts, settings, self._tasks, self._narrator.tell, lambda: self._caller
        )
        self._listening = asyncio.Event()
        "the session has started: somebody who joins can be greeted"
        self._books = Bookkeeper(
            parts.models.meter,
            accounts,
            self._narrator.tell,
            part=lambda: self._dismiss("budget_spent"),
            cut=self._cut_off,
            clock=lambda: datetime.now(UTC),
        )
        self._faults = FaultDesk(
            definition,
            self._conversation,
            parts.models,
            self._narrator.tell,
            part=lambda: self._dismiss("models_down"),
            keep_callback=self._keep_callback,
        )
        parts.models.listeners = Listeners(
            self._narrator.tell,
            on_deaf=self._faults.not_heard,
            on_no_answer=self._faults.no_answer,
            filler=self._filler,
            on_mute=self._faults.no_voice,
            on_success=self._faults.answered,
        )

    # --- the whole of it ---

    async def run(self, toolboxes: Mapping[str, Toolbox], connecting: asyncio.Future[None]) -> None:
        """Holds the conversation in the room that `connecting` joins; returns when all of it is over and closed."""
        room = self._context.room
        room.on("participant_connected", self._participant_connected)
        room.on("participant_disconnected", self._participant_disconnected)
        room.on("disconnected", self._room_disconnected)
        self._narrator.hold()
        self._keeping = self._tasks.spawn(self._narrator.keep(), "records of the narrator")
        self._sending = self._tasks.spawn(self._narrator.send(), "events of the narrator")
        reason: EndReason = "error"
        try:
            await self._conversation.make(toolboxes)
            self._attach()
            if not await self._join(connecting):
                return
            self._listening.set()
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

    def _attach(self) -> None:
        conversation = self._conversation
        conversation.attach()
        self._faults.attach(conversation.session)
        SessionListener(
            conversation.session,
            conversation.unheard,
            self._narrator,
            self._attendance,
            conversation.turns,
            self._changed.set,
        ).attach()
        conversation.session.on("close", self._session_closed)
        self._books.attach(conversation.session)
        self._tasks.spawn(self._books.run(), "books of the call")

    async def _join(self, connecting: asyncio.Future[None]) -> bool:
        """Until the agent is in the room and its session runs. False when the call is over already."""
        conversation = self._conversation
        if not conversation.may_start_early:
            await connecting
        starting = self._tasks.spawn(conversation.start(self._typed), "start of the session")
        try:
            await asyncio.sleep(0)  # it begins
            await connecting
            if not starting.done():  # else it has failed
                conversation.enter_room(self._request.caller)
            recording = self._tasks.spawn(asyncio.to_thread(self._record_start), "record of the call's beginning")
            await starting
        finally:
            await utils.aio.cancel_and_wait(starting)
        if not await recording:
            return False
        self._narrator.begin(SessionStarted(agent=self._definition.name), conversation.routed())
        self._tasks.spawn(self._faults.prepare(), "what is said when no voice answers")
        return True

    # --- what is said beside the conversation ---

    async def _typed(self, session: AgentSession[Any], message: room_io.TextInputEvent) -> None:
        text = message.text.strip()
        if not text:
            return
        await self._listening.wait()  # it may come while the session starts
        self._attendance.caller_words(time.monotonic())
        self._changed.set()
        try:
            await session.interrupt()
        except RuntimeError:  # the farewell is being said: it ends the call
            return
        if len(text) > LONGEST_TYPED_CHARACTERS:
            self._conversation.say(TOO_LONG_TYPED)
            return
        self._narrator.tell(UserTranscript(text=text, final=True, typed=True))
        if self._conversation.turns is not None:
            self._conversation.turns.typed()
        session.generate_reply(user_input=text)

    def _filler(self) -> str:
        """Said while the caller waits for an answer that does not begin."""
        return f"{self._definition.phrases.one_moment} " if self._conversation.caller_waits else ""

    # --- what ends it ---

    def _dismiss(self, reason: EndReason) -> None:
        self._attendance.dismiss(reason, time.monotonic())
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
        if self._listening.is_set() and self._is_caller(participant):
            self._welcome(participant.identity)

    def _welcome(self, identity: str) -> None:
        self._caller = identity  # a plain dispatch names nobody: from now on it is this one
        greet = not self._attendance.ever_joined
        self._attendance.caller_joined(time.monotonic())
        self._narrator.listener_is(identity)
        self._changed.set()
        if greet:
            self._conversation.greet()

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
                        self._conversation.say(self._definition.phrases.still_there)
                    case SayGoodbye(reason):
                        self._tasks.spawn(self._part(reason), "farewell")
            deadline = self._attendance.deadline()
            try:
                async with asyncio.timeout(None if deadline is None else max(0.0, deadline - time.monotonic())):
                    await self._changed.wait()
            except TimeoutError:
                pass

    async def _part(self, reason: EndReason) -> None:
        phrases = self._definition.phrases
        text = {"time_limit": phrases.time_limit, "budget_spent": phrases.budget_spent}.get(reason, phrases.silent)
        try:
            async with asyncio.timeout(20):
                if reason == "models_down":
                    caller = self._context.room.remote_participants.get(self._caller)
                    await self._faults.say_goodbye(self._request.metadata, caller.attributes if caller else {})
                else:
                    await self._conversation.say_to_the_end(text)
        except (TimeoutError, RuntimeError) as error:
            logger.warning("the farewell was not spoken: %s", error)
        finally:
            self._attendance.farewell_said(time.monotonic())
            self._changed.set()

    async def _keep_callback(self, number: str) -> bool:
        try:
            session, agent = self._request.session, self._definition.name
            await asyncio.to_thread(self._records.call_back, session, agent, number, datetime.now(UTC))
        except Exception:
            logger.exception("who is to be called back was not written down")  # so it is not promised
            return False
        return True

    # --- the end ---

    async def _close(self, reason: EndReason) -> None:
        """Leaves nothing behind, whatever fails on the way."""
        self._narrator.tell(SessionEnded(reason=reason))
        self._narrator.finish()
        try:
            await asyncio.wait([self._sending], timeout=_LAST_EVENTS_SECONDS)
            await asyncio.wait([self._keeping], timeout=_LAST_RECORDS_SECONDS)
            if reason in ("agent_hung_up", "caller_silent", "time_limit", "budget_spent", "models_down"):
                await asyncio.sleep(_LAST_WORD_SECONDS)
            await self._books.write_down(whole=True)
            await asyncio.to_thread(self._record_end, reason)
            await self._conversation.save_greeting()
            await self._close_room()  # before the session: closing that takes the framework two seconds
        finally:
            try:
                await self._conversation.aclose()
                await self._books.write_down(whole=True)  # what was counted while it closed
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
