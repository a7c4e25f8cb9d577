"""A call as the worker puts it together, between a Mouth and an Ear instead of in a room."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

from livekit import rtc
from livekit.agents import AgentSession, llm, utils
from livekit.agents.voice.transcription import TranscriptSynchronizer

from voiceworker.config import AgentDefinition, Settings
from voiceworker.dispatch import CallRequest, new_session_id
from voiceworker.lab.emulators import ProviderEmulators
from voiceworker.lab.long_call.line import Ear, Mouth, Room
from voiceworker.policy.attendance import Attendance, AttendanceSettings
from voiceworker.prices import load_prices
from voiceworker.records import Records, migrate, open_records
from voiceworker.records.budgets import BudgetDesk
from voiceworker.runtime.accounts import StoredAccounts
from voiceworker.runtime.bookkeeper import Bookkeeper
from voiceworker.runtime.call_book import CallBook
from voiceworker.runtime.call_models import CallModels, Listeners
from voiceworker.runtime.engines import EngineBuilder
from voiceworker.runtime.heard_words import count_heard_words
from voiceworker.runtime.intents import IntentRouting
from voiceworker.runtime.narrator import Narrator
from voiceworker.runtime.receptionist import Receptionist
from voiceworker.runtime.routing import CallRouting
from voiceworker.runtime.session_events import SessionListener
from voiceworker.runtime.tasks import Tasks
from voiceworker.runtime.turn_taking import TurnTaking

KEYS = {"OPENAI_API_KEY": "one-key", "DEEPGRAM_API_KEY": "other-key"}
CALLER = "caller-of-hours"


def agent(history_items: int) -> AgentDefinition:
    """With a stand-in for each model, a rule by intent, and budgets that are looked at and never spent."""
    return AgentDefinition.model_validate(
        {
            "name": "desk",
            "instructions": "You are the receptionist of a practice. Be kind, and brief.",
            "greeting": "Hello, who is there?",
            "models": {
                "stt": ["deepgram/nova-3", "deepgram/nova-3-general"],
                "llm": ["openai/gpt-4.1-mini", "openai/gpt-4.1-nano"],
                "tts": ["deepgram/aura-2-andromeda-en", "deepgram/aura-2-thalia-en"],
            },
            "routes": [{"name": "hard", "when": {"intent": "complaint"}, "llm": ["openai/gpt-4.1"]}],
            "limits": {
                "history_items": history_items,
                "max_seconds": 86_400,
                "budget": {"amount": 1000, "currency": "USD"},
                "budget_per_day": {"amount": 1000, "currency": "USD"},
            },
        }
    )


@llm.function_tool
async def look_up(name: str) -> str:
    """Looks a customer up.

    Args:
        name: of the customer
    """
    return f"{name} has an appointment on Thursday at ten."


@dataclass
class LongCall:
    session: AgentSession[None]
    receptionist: Receptionist
    mouth: Mouth
    ear: Ear
    records: Records
    name: str
    "of the session in the records"

    def histories(self) -> dict[str, int]:
        return {"agent": len(self.receptionist.chat_ctx.items), "session": len(self.session.history.items)}

    async def settled(self, within_seconds: float = 40.0) -> bool:
        """Until nobody speaks or prepares to; False when that does not come to be."""
        loop = asyncio.get_running_loop()
        deadline, quiet = loop.time() + within_seconds, 0
        while quiet < 5:
            if loop.time() > deadline:
                return False
            await asyncio.sleep(0.1)
            speaks = self.session.agent_state != "listening" or self.session.user_state == "speaking"
            quiet = 0 if speaks or self.session.current_speech is not None else quiet + 1
        return True

    async def speaks(self, within_seconds: float = 10.0) -> bool:
        """Until the agent does."""
        deadline = asyncio.get_running_loop().time() + within_seconds
        while self.session.agent_state != "speaking":
            if asyncio.get_running_loop().time() > deadline:
                return False
            await asyncio.sleep(0.05)
        return True


class _Wiring:
    """What runtime/call.py and runtime/conversation.py do, less the room and who comes and goes in it."""

    def __init__(self, emulators: ProviderEmulators, folder: Path, history_items: int) -> None:
        self.settings = Settings(
            data_directory=folder,
            cache_directory=folder / "cache",
            openai_base_url=emulators.openai_url,
            deepgram_base_url=emulators.deepgram_url,
            provider_keys=KEYS,
        )
        self.definition = agent(history_items)
        self.request = CallRequest(agent="desk", session=new_session_id(), caller=CALLER)
        self.models = CallModels(self.settings, load_prices())
        self.tasks = Tasks()
        self.room = cast("rtc.Room", Room())
        migrate(self.settings.records_url)
        self.records = open_records(self.settings.records_url)
        self.book = CallBook(self.records)
        self.narrator = Narrator(self.request.session, self.room, self.book, _now)
        self.narrator.listener_is(CALLER)
        self.mouth, self.ear = Mouth(), Ear()

    async def hold(self) -> tuple[AgentSession[None], Receptionist]:
        routing = CallRouting(self.definition, {}, self.request.session, _now(), 0.0)
        engines = self.models.engines(routing.definition)
        turns = self._turns(engines)
        intents = IntentRouting(routing, engines, self.models.engines, lambda _engines: None)
        receptionist = Receptionist(self.definition, [look_up, *intents.tools()], turns)
        intents.attach(receptionist)
        session: AgentSession[None] = AgentSession(
            stt=engines.hearing(),
            llm=engines.thinking(),
            tts=engines.speaking(),
            vad=engines.voice_detector,
            turn_handling=turns.options,
            use_tts_aligned_transcript=True,
            aec_warmup_duration=None,
            user_away_timeout=None,
        )
        turns.attach(session, receptionist.unheard)
        turns.enter_room()
        self._listen(session, receptionist, turns)
        in_step = TranscriptSynchronizer(next_in_chain_audio=turns.sink, next_in_chain_text=turns.heard)
        session.input.audio = self.mouth
        session.output.audio, session.output.transcription = in_step.audio_output, in_step.text_output
        await self.models.prepare(self.definition.language, self.definition.phrases.stumbled)
        self.book.started(self.request.session, "desk", "nowhere", self.request, _now())
        await session.start(receptionist, record=False, session_host=False)
        count_heard_words(session)
        self._turn_taking, self._in_step = turns, in_step
        return session, receptionist

    def _turns(self, engines: EngineBuilder) -> TurnTaking:
        return TurnTaking(
            self.definition,
            self.room,
            self.tasks,
            self.narrator.tell,
            lambda: CALLER,
            may_speculate=True,
            in_pieces=True,
            has_interims=engines.hearing().capabilities.interim_results,
            source=self.ear,
        )

    def _listen(self, session: AgentSession[None], receptionist: Receptionist, turns: TurnTaking) -> None:
        phrases = self.definition.phrases
        attendance = Attendance(AttendanceSettings(max_seconds=86_400), time.monotonic())
        SessionListener(
            session,
            receptionist.unheard,
            self.narrator,
            attendance,
            turns,
            lambda: None,
        ).attach()
        receptionist.on_no_answer = lambda: _say(session, phrases.stumbled)
        desk = BudgetDesk(self.records.usage, self.records.keys, self.models.prices, "USD")
        accounts = StoredAccounts(self.records, desk, self.request.session, self.definition)
        self.books = Bookkeeper(
            self.models.meter, accounts, self.narrator.tell, part=lambda: None, cut=lambda: None, clock=_now
        )
        self.books.attach(session)
        self.models.listeners = Listeners(
            self.narrator.tell,
            on_deaf=lambda: _say(session, phrases.unheard),
            filler=lambda: f"{phrases.one_moment} ",
            on_mute=lambda: phrases.stumbled,
        )
        self.tasks.spawn(self.narrator.keep(), "records of the narrator")
        self.tasks.spawn(self.narrator.send(), "events of the narrator")
        self.tasks.spawn(self.books.run(), "books of the call")

    async def aclose(self, session: AgentSession[None]) -> None:
        await session.aclose()
        await self._in_step.aclose()
        await self._turn_taking.aclose()
        await self.books.write_down(whole=True)
        self.narrator.finish()
        await self.tasks.aclose()
        await self.models.aclose()
        self.records.close()


@asynccontextmanager
async def long_call(emulators: ProviderEmulators, folder: Path, history_items: int) -> AsyncIterator[LongCall]:
    async with utils.http_context.open():
        wiring = _Wiring(emulators, folder, history_items)
        session, receptionist = await wiring.hold()
        try:
            yield LongCall(session, receptionist, wiring.mouth, wiring.ear, wiring.records, wiring.request.session)
        finally:
            await wiring.aclose(session)


def _say(session: AgentSession[None], text: str) -> None:
    session.say(text)


def _now() -> datetime:
    return datetime.fromtimestamp(time.time(), UTC)
