"""A synthetic caller: a participant like any other that speaks, types, listens, and measures what it hears."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

import numpy as np
from livekit import rtc
from livekit.rtc.participant import PublishTrackError

from voiceworker.dispatch import AGENT_IDENTITY_PREFIX
from voiceworker.events import AgentInterrupted, Envelope
from voiceworker.lab.audio import SAMPLE_RATE, Samples, SpeechDetector, StereoRecorder, read_speech
from voiceworker.lab.conversation import Conversation, Segment, Turn, Utterance
from voiceworker.lab.invitation import CallSetupError, Invitation
from voiceworker.lab.microphone import Microphone
from voiceworker.runtime.tasks import Tasks
from voiceworker.runtime.transit import TransitAnswer

logger = logging.getLogger("voiceworker.lab")

FINISHED_SECONDS = 0.7
"quiet after which the agent has finished, if it says itself that it listens"
_JOIN_SECONDS = 20
_STUCK_SECONDS = 10
"how much longer than its length an utterance may take to be sent"


class NoAnswerError(Exception):
    """The agent did not join, or was not heard within the time. The text is one line for a person."""


class Caller:
    """In a room from `async with` to its end. Times are perf_counter seconds of this process, for sent and heard alike.

        async with Caller(invitation) as caller:
            await caller.wait_for_greeting()
            await caller.say(Path("question.wav"))
            turn = await caller.wait_for_reply()

    Raises CallSetupError at the entry when the room cannot be joined.
    """

    def __init__(self, invitation: Invitation, *, recording: Path | None = None) -> None:
        """Raises AudioError when `recording` cannot be written."""
        self._invitation = invitation
        self._room = rtc.Room()
        self._tasks = Tasks()
        self._microphone = Microphone(self._frame_sent)
        self._listening_to: str | None = None
        self.heard = SpeechDetector()
        "the agent's voice as it arrives"
        self.conversation = Conversation(self.heard)
        self.events: list[Envelope] = []
        "what came on vw.events"
        self.agent: rtc.RemoteParticipant | None = None
        self.agent_left = False
        self.joined_at = time.perf_counter()
        self._recorder = StereoRecorder(recording, self.joined_at) if recording is not None else None

    # --- coming and going ---

    async def __aenter__(self) -> Caller:
        room = self._room
        room.on("participant_connected", self._participant_connected)
        room.on("participant_disconnected", self._participant_disconnected)
        room.on("track_subscribed", self._track_subscribed)
        room.on("disconnected", self._disconnected)
        room.register_text_stream_handler("lk.transcription", self._transcript_opened)
        room.register_text_stream_handler("vw.events", self._event_opened)
        try:
            async with asyncio.timeout(_JOIN_SECONDS):
                await room.connect(self._invitation.server_url, self._invitation.token)
                TransitAnswer(room, self._tasks).register()
                track = rtc.LocalAudioTrack.create_audio_track("caller", self._microphone.source)
                options = rtc.TrackPublishOptions(source=rtc.TrackSource.SOURCE_MICROPHONE)
                await room.local_participant.publish_track(track, options)
        except (rtc.ConnectError, PublishTrackError, TimeoutError) as error:
            await self._leave()
            reason = str(error) or f"no answer within {_JOIN_SECONDS} s"
            raise CallSetupError(f"cannot join the room at {self._invitation.server_url}: {reason}") from error
        self.joined_at = time.perf_counter()
        if self._recorder is not None:
            self._recorder.started_at = self.joined_at
        for participant in room.remote_participants.values():
            self._participant_connected(participant)
        self._tasks.spawn(self._microphone.run(), "caller's microphone")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._leave()

    async def _leave(self) -> None:
        await self._tasks.aclose()
        await self._room.disconnect()
        await self._microphone.source.aclose()
        if self._recorder is not None:
            self._recorder.close()

    # --- speaking ---

    async def say(self, speech: Path | Samples) -> Utterance:
        """Speaks a file or int16[samples] (24 kHz mono) and returns when its last sample has been sent.

        Raises AudioError for a file that cannot be read, NoAnswerError when the line is dead.
        """
        samples = await asyncio.to_thread(read_speech, speech) if isinstance(speech, Path) else speech
        utterance = Utterance(started_at=time.perf_counter())
        self.conversation.utterances.append(utterance)
        try:
            async with asyncio.timeout(len(samples) / SAMPLE_RATE + _STUCK_SECONDS):
                await self._microphone.say(samples, utterance)
        except TimeoutError:
            raise NoAnswerError("the line is dead: speech could not be sent") from None
        return utterance

    async def type_text(self, text: str) -> Utterance:
        """Sends a chat message, which is a turn like a spoken one."""
        now = time.perf_counter()
        utterance = Utterance(started_at=now, ended_at=now)
        self.conversation.utterances.append(utterance)
        self.conversation.caller_segments.append(Segment(text, now, final=True))
        await self._room.local_participant.send_text(text, topic="lk.chat")
        return utterance

    def _frame_sent(self, samples: Samples, sent_at: float) -> None:
        if self._recorder is not None:
            self._recorder.left(samples, sent_at)

    # --- listening ---

    @property
    def agent_transcripts(self) -> list[Segment]:
        """What the agent said, sentence by sentence as it published them."""
        return self.conversation.agent_segments

    def _participant_connected(self, participant: rtc.RemoteParticipant) -> None:
        is_agent = participant.kind == rtc.ParticipantKind.PARTICIPANT_KIND_AGENT
        if self.agent is None and (is_agent or participant.identity.startswith(AGENT_IDENTITY_PREFIX)):
            self.agent = participant
            self.agent_left = False

    def _participant_disconnected(self, participant: rtc.RemoteParticipant) -> None:
        if self.agent is not None and participant.identity == self.agent.identity:
            self.agent, self.agent_left, self._listening_to = None, True, None

    def _disconnected(self, reason: object) -> None:
        self.agent_left = True

    def _track_subscribed(
        self, track: rtc.Track, publication: rtc.RemoteTrackPublication, participant: rtc.RemoteParticipant
    ) -> None:
        self._participant_connected(participant)
        of_agent = self.agent is not None and participant.identity == self.agent.identity
        if of_agent and self._listening_to is None and track.kind == rtc.TrackKind.KIND_AUDIO:
            self._listening_to = track.sid
            self._tasks.spawn(self._listen(track), "agent's voice")

    async def _listen(self, track: rtc.Track) -> None:
        stream = rtc.AudioStream(track, sample_rate=SAMPLE_RATE, num_channels=1, frame_size_ms=10)
        try:
            async for event in stream:
                now = time.perf_counter()
                samples = np.frombuffer(event.frame.data, np.int16)
                self.heard.hear(samples, now)
                if self._recorder is not None:
                    self._recorder.right(samples, now)
        finally:
            await stream.aclose()

    def _transcript_opened(self, reader: rtc.TextStreamReader, identity: str) -> None:
        self._tasks.spawn(self._read_transcript(reader, identity), "transcript")

    async def _read_transcript(self, reader: rtc.TextStreamReader, identity: str) -> None:
        """The agent's words come in one stream as they are heard; the caller's as a stream for each better guess."""
        attributes = reader.info.attributes or {}
        local = self._room.local_participant
        track = attributes.get("lk.transcribed_track_id")
        of_caller = identity == local.identity or track in local.track_publications
        name = attributes.get("lk.segment_id") or reader.info.stream_id
        segment = self.conversation.segment(name, of_caller=of_caller, now=time.perf_counter())
        text = ""
        try:
            async for chunk in reader:
                text += chunk
                segment.text = text
        except rtc.StreamError as error:
            logger.debug("a transcript broke off: %s", error)
        if not of_caller or attributes.get("lk.transcription_final") == "true":
            segment.final = True

    def _event_opened(self, reader: rtc.TextStreamReader, identity: str) -> None:
        self._tasks.spawn(self._read_event(reader), "event")

    async def _read_event(self, reader: rtc.TextStreamReader) -> None:
        try:
            envelope = Envelope.from_json(await reader.read_all())
        except (ValueError, rtc.StreamError) as error:
            logger.debug("not an event: %s", error)
            return
        self.events.append(envelope)
        if isinstance(envelope.event, AgentInterrupted):
            self.conversation.interrupted(envelope.event.heard_text)

    # --- waiting ---

    @property
    def agent_state(self) -> str:
        """initializing | idle | listening | thinking | speaking; empty when the agent is not there or does not say."""
        return self.agent.attributes.get("lk.agent.state", "") if self.agent is not None else ""

    @property
    def is_agent_finished(self) -> bool:
        """The agent has been quiet for a while and does not mean to go on; or it has hung up."""
        last = self.heard.last_loud_at
        quiet = last is None or time.perf_counter() - last > FINISHED_SECONDS
        return quiet and (self.agent_left or self.agent_state in ("", "listening", "idle"))

    async def until(self, condition: Callable[[], object], *, within_seconds: float) -> bool:
        """Whether `condition` came true in time; looked at every 10 ms, by the microphone's clock."""
        deadline = time.perf_counter() + within_seconds
        while not condition():
            if time.perf_counter() > deadline:
                return False
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(1):
                    await self._microphone.next_frame()
        return True

    async def until_second(self, second: float) -> None:
        """Waits for a moment of the call, in seconds after the join."""
        await asyncio.sleep(max(0.0, self.joined_at + second - time.perf_counter()))

    async def wait_for_greeting(self, within_seconds: float = 30) -> str:
        """Waits until the agent has joined and said its first words; one that joins and listens may greet nobody.

        Raises NoAnswerError when none has joined.
        """
        if not await self.until(lambda: self.agent is not None or self.agent_left, within_seconds=within_seconds):
            raise NoAnswerError(f"no agent joined within {within_seconds:g} s; the worker's log says why")
        await self.until(lambda: self.heard.stretches or self.agent_left, within_seconds=10)
        await self.until(lambda: self.is_agent_finished, within_seconds=60)
        return self.conversation.greeting

    async def wait_for_reply(self, within_seconds: float = 20, *, longest_reply_seconds: float = 120) -> Turn:
        """Waits until the agent has answered the last utterance and has finished speaking.

        Raises NoAnswerError when nothing is heard within `within_seconds` after the end of the utterance.
        """
        utterance = self.conversation.utterances[-1]
        ended_at = utterance.ended_at
        if ended_at is None:
            raise ValueError("wait_for_reply comes after say, not during it")
        await self.until(lambda: self.heard.onset_after(ended_at) or self.agent_left, within_seconds=within_seconds)
        if not self.conversation.was_answered(utterance):
            why = "the agent has left" if self.agent_left else f"the agent did not answer within {within_seconds:g} s"
            raise NoAnswerError(why)
        await self.until(lambda: self.is_agent_finished, within_seconds=longest_reply_seconds)
        await self.until(lambda: all(item.final for item in self.agent_transcripts), within_seconds=2)
        return self.conversation.turns()[-1]
