"""One call's audio through a chain of recognisers: who hears, what is heard again, and whose words count."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import TYPE_CHECKING, Any

from livekit import rtc
from livekit.agents import APIConnectionError, APIConnectOptions, stt, vad
from livekit.agents.types import NotGivenOr

from voiceworker.policy.breaker import Severity
from voiceworker.policy.recogniser_watch import RecogniserWatch
from voiceworker.runtime.chains.breakers import Trying
from voiceworker.runtime.chains.hearing import Ended, Hearing, Shown, Suspects, Told
from voiceworker.runtime.chains.links import Failure, GivenUpError, Link
from voiceworker.runtime.chains.rewind import Rewind
from voiceworker.runtime.tasks import Tasks

if TYPE_CHECKING:
    from voiceworker.runtime.chains.recognition import SpeechRecognitionChain

_KINDS = stt.SpeechEventType
_KEPT_OF_SILENCE_SECONDS = 1.0
"when nothing is owed: a voice that has just begun, and softly, may not have been noticed yet"
_PRE_ROLL_SECONDS = 1.0
"before the voice that is owed: the detector notices it late, and a final transcript is granted some grace"
_CLOCKS_DIFFER_SECONDS = 0.4
"at most, by which an engine's own count of the audio may be off"
_REPLAY_STEP_SECONDS = 0.2
_LONGEST_RETRY_SECONDS = 2.0
"with all of them down: a caller waits"
_DEAF_VOICE_SECONDS = 0.6
"so much of a voice is a word that somebody waits for an answer to"


class ChainedRecognition(stt.RecognizeStream):
    def __init__(self, chain: SpeechRecognitionChain, language: NotGivenOr[str]) -> None:
        super().__init__(stt=chain, conn_options=APIConnectOptions(max_retry=0))
        self._chain = chain
        self._language = language
        self._rewind = Rewind(chain.patience.kept_seconds)
        self._watch = RecogniserWatch(chain.patience.watch)
        self._shown = Shown()
        self._suspects = Suspects()
        self._inbox: asyncio.Queue[Told | Ended | None] = asyncio.Queue()
        "None: look again at what is due"
        self._hearing: Hearing | None = None
        self._tried: list[str] = []
        "since the last word"
        self._asked_twice = False
        "since the last word, all of them"
        self._input_ended = False
        self._quiet_since: float | None = None
        self._told_deaf = 0.0
        "seconds of what is owed of which it has been told that nobody hears it"

    async def _run(self) -> None:
        tasks = Tasks()
        detector = self._chain.vad.stream()
        tasks.spawn(self._feed(detector), "audio of the caller")
        tasks.spawn(self._listen_for_voices(detector), "voices of the caller")
        try:
            await self._hear(tasks)
        except asyncio.CancelledError:
            if self._hearing is not None:
                self._hearing.trying.abandoned()
            raise
        finally:
            self._suspects.are_acquitted()
            if self._hearing is not None:
                self._chain.tasks.spawn(self._hearing.stream.aclose(), "end of a recogniser's stream")
            await tasks.aclose()
            await detector.aclose()

    # --- audio in ---

    async def _feed(self, detector: vad.VADStream) -> None:
        async for data in self._input_ch:
            hearing = self._hearing
            if not isinstance(data, rtc.AudioFrame):
                if hearing is not None and not hearing.replaying:
                    with contextlib.suppress(RuntimeError):  # it has ended just now: the next one hears all of it again
                        hearing.stream.flush()
                continue
            self._rewind.add(data)
            detector.push_frame(data)
            if hearing is not None and not hearing.replaying:
                with contextlib.suppress(RuntimeError):
                    hearing.stream.push_frame(data)
                    hearing.fed_until = self._rewind.end
            if not self._watch.owes:
                self._rewind.forget(self._rewind.end - _KEPT_OF_SILENCE_SECONDS)
        self._input_ended = True
        detector.end_input()
        if self._hearing is not None and not self._hearing.replaying:
            with contextlib.suppress(RuntimeError):
                self._hearing.stream.end_input()
        self._inbox.put_nowait(None)

    async def _listen_for_voices(self, detector: vad.VADStream) -> None:
        async for event in detector:
            now = time.monotonic()
            if event.type is vad.VADEventType.START_OF_SPEECH:
                self._watch.voice_began(max(0.0, event.timestamp - event.speech_duration), now)
            elif event.type is vad.VADEventType.END_OF_SPEECH:
                self._watch.voice_ended(event.timestamp - event.silence_duration, now)
            else:
                continue
            self._inbox.put_nowait(None)

    async def _replay(self, hearing: Hearing) -> None:
        """Sends what has been said already, then lets the live audio in."""
        speed, step = self._chain.patience.replay_speed, 0.0
        with contextlib.suppress(RuntimeError):  # it has ended meanwhile, which its reader tells
            while hearing.fed_until < self._rewind.end:
                for until, frame in self._rewind.since(hearing.fed_until):
                    hearing.stream.push_frame(frame)
                    hearing.fed_until = until
                    step += frame.duration
                    if step >= _REPLAY_STEP_SECONDS:
                        await asyncio.sleep(step / speed)
                        step = 0.0
            hearing.replaying = False
            if self._input_ended:
                hearing.stream.end_input()
        link = hearing.link
        has_interims = link.engine.capabilities.interim_results
        patience = self._chain.final_patience(link)
        self._watch.engine_began(time.monotonic(), has_interims=has_interims, final_seconds=patience)
        self._inbox.put_nowait(None)

    # --- engines ---

    async def _hear(self, tasks: Tasks) -> None:
        failure: Failure | None = None
        while True:
            if self._hearing is None and not await self._open_next(tasks, failure):
                if self._input_ended:
                    return
                continue
            assert self._hearing is not None
            item = await self._next_item()
            failure = None
            if isinstance(item, Told):
                if item.hearing is self._hearing:
                    self._pass(item.hearing, item.event)
                continue
            if isinstance(item, Ended):
                if item.hearing is not self._hearing:
                    continue
                if item.error is None and self._input_ended and not item.hearing.replaying:
                    item.hearing.trying.succeeded()
                    return
                failure = self._chain.retry_afters.failure_of(item.error or GivenUpError("closed early"))
                item.hearing.trying.failed(failure)
                self._leave(item.hearing)
            elif self._watch.is_overdue(time.monotonic()) and not self._hearing.replaying:
                failure = Failure("no transcript came")
                self._suspects.hearings.append((self._hearing, failure))
                self._leave(self._hearing)
            else:
                self._return_to_a_better_one(tasks)

    async def _next_item(self) -> Told | Ended | None:
        """What an engine tells; None when something may be due."""
        now, hearing = time.monotonic(), self._hearing
        deadline: float | None = None
        if hearing is not None and not hearing.replaying:
            deadline = self._watch.deadline()
            if deadline is None and not self._watch.owes and hearing.link is not self._chain.links[0]:
                deadline = (self._quiet_since or now) + self._chain.patience.return_after_seconds
        try:
            async with asyncio.timeout(None if deadline is None else max(0.0, deadline - now)):
                return await self._inbox.get()
        except TimeoutError:
            return None

    async def _open_next(self, tasks: Tasks, failure: Failure | None) -> bool:
        """The next engine begins to hear; False when none can, and there is nothing to be done but wait."""
        left = [link for link in self._chain.links if link.name not in self._tried]
        if not left and self._may_pass(failure):
            self._asked_twice, left = True, list(self._chain.links)
            self._tried.clear()
        if not left:
            self._nobody_heard()
            self._tried.clear()
            if failure is not None and not self._input_ended:
                wait = self._chain.breakers.next_deadline("stt", self._chain.links)
                await asyncio.sleep(min(max(wait, self._chain.patience.retry_seconds), _LONGEST_RETRY_SECONDS))
            self._suspects.are_acquitted()
            return False
        picked = self._chain.breakers.admit_first("stt", left)
        assert picked is not None
        self._open(*picked, tasks, failure)
        return True

    def _may_pass(self, failure: Failure | None) -> bool:
        """Everybody was asked. A connection that broke may stand again at once: who tries that need not ask the caller
        to repeat himself. For one that hears nothing he has waited, unless he still speaks."""
        if failure is None or self._asked_twice:
            return False
        return self._watch.is_speaking if self._suspects.hearings else failure.severity is Severity.PASSING

    def _open(self, link: Link[stt.STT[Any]], trying: Trying, tasks: Tasks, failure: Failure | None) -> None:
        options = APIConnectOptions(max_retry=0, timeout=self._chain.patience.connect_seconds)
        stream = link.engine.stream(language=self._language, conn_options=options)
        begins_at = self._begin_of_what_is_owed()
        stream.start_time_offset = self.start_time_offset + begins_at
        self._hearing = hearing = Hearing(link, trying, stream, begins_at, begins_at)
        self._tried.append(link.name)
        self._quiet_since = None
        self._chain.now_serves(link, failure)
        tasks.spawn(self._read(hearing), f"transcripts of {link.name}")
        tasks.spawn(self._replay(hearing), f"audio heard again by {link.name}")

    def _begin_of_what_is_owed(self) -> float:
        kept, covered = self._rewind.begin, self._shown.covered_until
        owed_since = self._watch.owed_since
        if owed_since is None:
            return max(kept, covered, min(self._rewind.end, self._rewind.end - _KEPT_OF_SILENCE_SECONDS))
        return max(kept, covered, owed_since - _PRE_ROLL_SECONDS)

    async def _read(self, hearing: Hearing) -> None:
        error: Exception | None = None
        try:
            async for event in hearing.stream:
                self._inbox.put_nowait(Told(hearing, event))
        except Exception as failed:  # carried over, to be judged where the engines are changed
            error = failed
        self._inbox.put_nowait(Ended(hearing, error))

    def _leave(self, hearing: Hearing) -> None:
        """What hangs may hang when it is closed, too; the next engine does not wait for that."""
        self._hearing = None
        self._chain.tasks.spawn(hearing.stream.aclose(), "end of a recogniser's stream")

    def _nobody_heard(self) -> None:
        """All have been tried, and there are no words."""
        owed = self._watch.owed_seconds
        self._told_deaf = min(self._told_deaf, owed)
        spoke = self._watch.owes and owed - self._told_deaf >= _DEAF_VOICE_SECONDS
        if spoke and not self._watch.is_speaking:  # else it is told when he has finished
            self._told_deaf = owed
            self._emit_error(APIConnectionError("no recogniser hears the caller"), recoverable=True)
            if self._chain.on_deaf is not None:
                self._chain.on_deaf()
        if self._suspects.hearings:  # some were there, and found no words
            self._shown.covered_until = max(self._shown.covered_until, self._watch.heard_until)
            self._watch.was_noise()
            self._told_deaf = 0.0

    def _return_to_a_better_one(self, tasks: Tasks) -> None:
        hearing, now = self._hearing, time.monotonic()
        assert hearing is not None
        if self._watch.owes or hearing.replaying or self._input_ended:
            self._quiet_since = None
            return
        self._quiet_since = self._quiet_since or now
        if now - self._quiet_since < self._chain.patience.return_after_seconds:
            return
        self._quiet_since = now
        if (better := self._chain.better_than(hearing.link)) is not None:
            self._leave(hearing)
            self._tried.clear()
            self._open(*better, tasks, None)

    # --- transcripts out ---

    def _pass(self, hearing: Hearing, event: stt.SpeechEvent) -> None:
        now, kind = time.monotonic(), event.type
        text = event.alternatives[0].text.strip() if event.alternatives else ""
        if kind is _KINDS.START_OF_SPEECH:
            self._watch.sign(now)
            if self._shown.in_speech:
                return
            self._shown.in_speech = True
        elif kind is _KINDS.END_OF_SPEECH:
            hearing.speech_ended_at = self._rewind.end
            self._watch.engine_ended_speech()
            if not self._shown.in_speech:
                return
            self._shown.in_speech = False
        elif kind in (_KINDS.INTERIM_TRANSCRIPT, _KINDS.PREFLIGHT_TRANSCRIPT) and text:
            self._words_came()
            self._watch.interim(now)
            if kind is _KINDS.INTERIM_TRANSCRIPT and self._is_behind(hearing, text):
                return
        elif kind is _KINDS.FINAL_TRANSCRIPT and text:
            self._words_came()
            hearing.trying.succeeded()
            covered = self._covered_by(hearing, event)
            self._shown.covered_until = max(self._shown.covered_until, covered)
            self._shown.interim_words = 0
            self._watch.final(covered, now)
            self._rewind.forget(covered)
            self._tried, self._asked_twice = [hearing.link.name], False
        self._event_ch.send_nowait(event)

    def _words_came(self) -> None:
        self._suspects.are_convicted()
        self._told_deaf = 0.0

    def _is_behind(self, hearing: Hearing, text: str) -> bool:
        """An interim transcript of what is heard again, shorter than one that was shown before."""
        count = len(text.split())
        if hearing.begins_at > 0 and hearing.replaying and count < self._shown.interim_words:
            return True
        self._shown.interim_words = count
        return False

    def _covered_by(self, hearing: Hearing, event: stt.SpeechEvent) -> float:
        """Up to which place of the audio the words of a final transcript go."""
        told = max((data.end_time for data in event.alternatives), default=0.0) - self.start_time_offset
        earliest = max(hearing.begins_at, self._shown.covered_until)
        if earliest < told <= hearing.fed_until + _CLOCKS_DIFFER_SECONDS:
            return min(told, hearing.fed_until)
        # it tells no times: the words are those before the end of speech, of a voice that goes on none
        ended = hearing.speech_ended_at if hearing.speech_ended_at is not None else hearing.fed_until
        hearing.speech_ended_at = None
        owed_since = self._watch.voice_since
        return max(earliest, ended if owed_since is None else min(ended, owed_since - _CLOCKS_DIFFER_SECONDS))
