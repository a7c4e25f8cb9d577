"""The connections of one speech-to-speech session, one after the other: opened, renewed, replaced, given up."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Protocol

from livekit.agents import llm

from voiceworker.policy.liveness import Liveness
from voiceworker.policy.renewal import Renewal, RenewalSettings
from voiceworker.runtime.realtime.knowledge import Knowledge
from voiceworker.runtime.realtime.settings import LineSettings, Lost, ReplyState
from voiceworker.runtime.realtime.wire import Wire, fingerprint
from voiceworker.runtime.tasks import Tasks

logger = logging.getLogger("voiceworker.realtime")

_REPLY = "reply"
_SECOND_TRY_SECONDS = 0.1
_READING_SECONDS = 0.1


class Owner(Protocol):
    """The session, as its connections need it."""

    def new_session(self) -> llm.RealtimeSession[Any]: ...

    def history(self) -> llm.ChatContext:
        """What a connection is told: the conversation as it was heard."""
        ...

    def forward(self, name: Any, event: Any) -> None:
        """What the serving connection tells."""
        ...

    def broken_off(self, reply: ReplyState) -> None: ...

    def given_up(self, lost: Lost) -> None: ...


class Connections:
    def __init__(self, owner: Owner, knowledge: Knowledge, settings: LineSettings) -> None:
        self.wire: Wire | None = None
        "that serves; None until the first one does, and while another is opened for one that was lost"
        self.serving = asyncio.Event()
        "one serves, or none ever will"
        self.lost: Lost | None = None
        self.renewals = 0
        self._owner = owner
        self._knowledge = knowledge
        self._settings = settings
        self._tasks = Tasks()
        self._changed = asyncio.Event()
        now = time.monotonic()
        self._renewal = Renewal(RenewalSettings(settings.cap_seconds), now)
        self._renew_not_before = now
        self._liveness = Liveness(settings.patience_seconds)
        self._transcribed = 0
        "turns of the serving connection whose words have come"
        self._under_way = 0
        "updates of the history that wait for the provider's word"

    def start(self) -> None:
        self._tasks.spawn(self.live(), "the realtime line")

    async def aclose(self) -> None:
        self.lost = self.lost or Lost("it is closed", "none")
        wire, self.wire = self.wire, None
        if wire is not None:
            await wire.aclose()
        await self._tasks.aclose()

    # --- what the session tells ---

    def sound(self, who: str, *, on: bool) -> None:
        self._renewal.sound(who, time.monotonic(), on=on)
        self._changed.set()

    def asked(self) -> None:
        """A reply was asked for."""
        self._liveness.owes(_REPLY, time.monotonic())
        self.look()

    @asynccontextmanager
    async def updating(self) -> AsyncIterator[Wire]:
        """A connection whose history is changed meanwhile. Raises llm.RealtimeError when there is none."""
        await self.serving.wait()
        if self.wire is None:
            raise llm.RealtimeError("the realtime model is down")
        self._under_way += 1
        self._liveness.owes("history", time.monotonic())
        self.look()
        try:
            yield self.wire
        finally:
            self._under_way -= 1
            self._liveness.settled("history")
            self.look()

    # --- their life ---

    async def live(self) -> None:
        await self._connect(self._settings.open_seconds)
        while self.lost is None:
            self._changed.clear()
            wire, now = self.wire, time.monotonic()
            assert wire is not None
            if wire.failure or await self._hangs():
                await self._replace(wire)
            elif self._is_behind(wire, now):
                await self._catch_up(wire)
            elif self._renewal.due(now) and now >= self._renew_not_before:
                await self._renew(wire)
            else:
                await self._sleep(now)

    async def _hangs(self) -> bool:
        """Asked twice: what came while this process itself was held up has to be read first."""
        if not self._liveness.is_dead(time.monotonic()):
            return False
        await asyncio.sleep(_READING_SECONDS)
        return self._liveness.is_dead(time.monotonic())

    async def _sleep(self, now: float) -> None:
        renewal = self._renewal.deadline(now)
        moments = (None if renewal is None else max(renewal, self._renew_not_before), self._liveness.deadline())
        next_at = min((moment for moment in moments if moment is not None), default=now + 60)
        try:
            async with asyncio.timeout(max(0.01, next_at - now)):
                await self._changed.wait()
        except TimeoutError:
            pass

    async def _connect(self, seconds: float, reply: ReplyState = "none") -> None:
        """Opens a connection and lets it serve, or gives up. `reply`: what is lost with the one before."""
        try:
            async with asyncio.timeout(seconds):
                wire = await self._open_again()
        except (llm.RealtimeError, TimeoutError) as error:
            self.give_up(str(error) or "it did not answer in time", reply)
            return
        self._take_over(wire)
        if reply != "none":
            self._owner.broken_off(reply)

    async def _replace(self, wire: Wire) -> None:
        """The connection is gone, or hangs."""
        reason = wire.failure or "it hangs"
        logger.warning("the connection to the realtime model is lost: %s", reason)
        reply: ReplyState = "none" if wire.response == "none" else "cut" if wire.response == "spoken" else "owed"
        self.wire = None
        self.serving.clear()
        wire.retire()
        self._tasks.spawn(wire.aclose(), "end of a lost connection")
        if not wire.failure:  # it has cost its time already, and the next one may hang as well
            self.give_up(reason, reply)
            return
        is_owed = reply != "none" or bool(self._knowledge.replies)
        await self._connect(self._settings.open_again_seconds if is_owed else self._settings.open_seconds, reply)

    async def _renew(self, old: Wire) -> None:
        """Opens another connection beside the one that serves, and lets it take over when nothing would be lost."""
        try:
            async with asyncio.timeout(self._settings.renew_seconds):
                new = await self._open()
        except (llm.RealtimeError, TimeoutError) as error:
            logger.warning("the connection to the realtime model was not renewed: %s", error or "no answer in time")
            self._renew_not_before = time.monotonic() + self._settings.renew_again_seconds
            return
        try:
            while not (old.failure or new.failure or self._liveness.is_dead(time.monotonic())):
                self._changed.clear()
                if not self._may_switch(old):
                    await self._sleep(time.monotonic())
                elif new.told != fingerprint(history := self._owner.history()):
                    await new.tell(history)
                else:
                    self._take_over(new)
                    self.renewals += 1
                    self._tasks.spawn(old.aclose(), "end of an old connection")
                    return
        except llm.RealtimeError as error:
            logger.warning("the new connection did not take the history: %s", error)
        self._renew_not_before = time.monotonic() + self._settings.renew_again_seconds
        await new.aclose()

    def _may_switch(self, old: Wire) -> bool:
        return old.response == "none" and not self._under_way and not self._knowledge.is_open

    def _is_behind(self, wire: Wire, now: float) -> bool:
        """It has taken over while the agent spoke: what was heard of that has to be told."""
        return wire.took_over_in_speech and self._renewal.is_quiet(now) and self._may_switch(wire)

    async def _catch_up(self, wire: Wire) -> None:
        wire.took_over_in_speech = False
        try:
            await wire.tell(self._owner.history())
        except llm.RealtimeError as error:
            logger.warning("the new connection was not told what was said meanwhile: %s", error)

    async def _open_again(self) -> Wire:
        """Twice, if need be: a single connection breaks for many reasons."""
        try:
            return await self._open()
        except llm.RealtimeError as error:
            logger.info("the realtime model is tried once more: %s", error)
            await asyncio.sleep(_SECOND_TRY_SECONDS)
            return await self._open()

    async def _open(self) -> Wire:
        """A connection that knows all that the one before knew. Raises llm.RealtimeError."""
        session = self._owner.new_session()
        wire = Wire(session, self._wire_told)
        try:
            await wire.stand()
            await self._knowledge.brief(wire, self._owner.history())
            if wire.failure:
                raise llm.RealtimeError(wire.failure)
        except BaseException:
            await wire.aclose()
            raise
        return wire

    def _take_over(self, wire: Wire) -> None:
        """From here on `wire` serves. Nothing is awaited: no frame and no order falls between two connections."""
        if self.wire is not None:
            self.wire.retire()
        self.wire = wire
        self._transcribed = 0
        wire.took_over_in_speech = not self._renewal.is_quiet(time.monotonic())
        wire.serve(self._owner.forward)
        self._knowledge.hand_over(wire)
        now = time.monotonic()
        self._renewal.opened(now)
        self._liveness.heard(now)
        self.serving.set()
        self.look()
        self._owner.forward("session_reconnected", llm.realtime.RealtimeSessionReconnectedEvent())

    def give_up(self, reason: str, reply: ReplyState = "none") -> None:
        if self.lost is not None:
            return
        lost = self.lost = Lost(reason, "owed" if self._knowledge.replies else reply)
        wire, self.wire = self.wire, None
        if wire is not None:
            self._tasks.spawn(wire.aclose(), "end of a connection")
        self._liveness.forget()
        for one in list(self._knowledge.replies):
            one.fail(llm.RealtimeError(f"the realtime model is down: {reason}"))
        self._knowledge.replies.clear()
        self.serving.set()
        self._changed.set()
        self._owner.given_up(lost)

    def _wire_told(self, wire: Wire) -> None:
        """An event of the provider's has come, or the end of the connection."""
        if wire is not self.wire:
            self._changed.set()
            return
        if not wire.failure:
            self._liveness.heard(time.monotonic())
        while self._transcribed < wire.transcribed:
            self._transcribed += 1
            if self._knowledge.turns:
                self._knowledge.turns.popleft()
        self.look()

    def look(self) -> None:
        """Something has changed that the line's life depends on."""
        wire = self.wire
        if wire is not None and wire.response == "none" and not self._knowledge.replies:
            self._liveness.settled(_REPLY)
        self._renewal.pending(on=wire is None or not self._may_switch(wire))
        self._changed.set()
