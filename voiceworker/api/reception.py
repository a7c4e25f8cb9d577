"""How a session begins and how it is ended: record, room, dispatch, token; and everything undone when one fails."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime

from voiceworker.api.authentication import Client
from voiceworker.api.budgets import BudgetCheck
from voiceworker.api.problems import Problem
from voiceworker.api.rooms import Rooms, SfuUnreachable
from voiceworker.api.schema import CreatedSession, CreateSession
from voiceworker.api.tokens import TOKEN_LIFETIME, Caller, join_token, turn_servers
from voiceworker.config import AgentCatalog, AgentDefinition, ConfigError, Settings
from voiceworker.dispatch import AGENT_IDENTITY_PREFIX, SESSION_PATTERN, CallRequest
from voiceworker.records import Admission, Records, Scope, Session, SessionStatus
from voiceworker.records.idempotency import Begun, Finished, InFlight, OtherBody
from voiceworker.records.sessions import OPEN

logger = logging.getLogger("voiceworker.api")

_RETRY_WHEN_FULL_SECONDS = 5
_RETRY_WHEN_DOWN_SECONDS = 2
_DISPATCH_SECONDS = 4.0
"for room and dispatch together; both take milliseconds when the SFU is there"


@dataclass(frozen=True, slots=True)
class IdempotencyKey:
    text: str
    body_hash: str

    @classmethod
    def of(cls, text: str, body: bytes) -> IdempotencyKey:
        """Raises Problem 400 when the header's value is not 1 to 255 visible ASCII characters."""
        if not 1 <= len(text) <= 255 or not all("!" <= sign <= "~" for sign in text):
            raise Problem("invalid_header", "Idempotency-Key must be 1 to 255 visible ASCII characters.")
        return cls(text, hashlib.sha256(body).hexdigest())


class Reception:
    """Admits callers. Every method raises Problem and nothing else that can be foreseen."""

    def __init__(
        self,
        settings: Settings,
        records: Records,
        rooms: Rooms,
        catalog: AgentCatalog,
        clock: Callable[[], datetime],
        budgets: BudgetCheck,
    ) -> None:
        self._settings = settings
        self._records = records
        self._rooms = rooms
        self._catalog = catalog
        self._clock = clock
        self._budgets = budgets

    async def create(self, client: Client, wish: CreateSession, key: IdempotencyKey | None) -> CreatedSession:
        if key is None:
            return self._welcome(await self._begin(client, wish), wish)
        return self._welcome(await self._begin_once(client, wish, key), wish)

    async def _begin_once(self, client: Client, wish: CreateSession, key: IdempotencyKey) -> Session:
        store, owner = self._records.idempotency, client.owner
        outcome = await asyncio.to_thread(store.begin, owner, key.text, key.body_hash, self._clock())
        match outcome:
            case OtherBody():
                raise Problem("idempotency_mismatch", "Use a new Idempotency-Key for another request.")
            case InFlight():
                raise Problem("idempotency_in_flight", "Ask again in a second.", retry_after_seconds=1)
            case Finished(session_id):
                return await self._repeated(session_id)
            case Begun():
                pass
        try:
            session = await self._begin(client, wish)
        except BaseException:
            await asyncio.to_thread(store.release, owner, key.text)
            raise
        await asyncio.to_thread(store.finish, owner, key.text, session.id)
        return session

    async def _repeated(self, session_id: str) -> Session:
        session = await asyncio.to_thread(self._records.sessions.get, session_id)
        if session is None or session.status not in OPEN:
            # A token for it would only open an empty room.
            raise Problem("session_over", "Use a new Idempotency-Key for a new session.")
        return session

    async def _begin(self, client: Client, wish: CreateSession) -> Session:
        definition = await asyncio.to_thread(self._agent, wish)
        await asyncio.to_thread(self._budgets.check, client, definition, self._clock())
        session = await self._draft(client, wish, definition)
        match await asyncio.to_thread(self._records.admission.admit, session):
            case Admission.NO_WORKER:
                detail = "No agent can answer at present; ask again shortly."
                raise Problem("no_worker", detail, retry_after_seconds=_RETRY_WHEN_FULL_SECONDS)
            case Admission.NO_FREE_SLOT:
                detail = "Ask again shortly."
                raise Problem("no_free_slot", detail, retry_after_seconds=_RETRY_WHEN_FULL_SECONDS)
            case Admission.ADMITTED:
                await self._or_undo(session, self._send_agent(session))
        return session

    def _agent(self, wish: CreateSession) -> AgentDefinition:
        name = wish.wished_agent()
        # LiveKit's clients name the worker where we name the definition.
        if name in ("", self._settings.agent_name):
            name = self._settings.default_agent
        try:
            definition = self._catalog.get(name)
        except (ConfigError, ValueError) as error:
            logger.error("an agent cannot be read: %s", error)
            raise Problem(
                "unknown_agent", "Its definition cannot be read; the operator finds why in the log."
            ) from None
        if definition is None:
            raise Problem("unknown_agent", f"There are: {', '.join(self._known_agents()) or 'none'}.")
        return definition

    def _known_agents(self) -> list[str]:
        try:
            return self._catalog.names()
        except (ConfigError, ValueError) as error:
            logger.error("the agents cannot be listed: %s", error)
            return []

    async def _draft(self, client: Client, wish: CreateSession, definition: AgentDefinition) -> Session:
        session_id = f"ses_{secrets.token_urlsafe(16)}"
        room = session_id
        if wish.room_name and Scope.SESSIONS_ROOM in client.scopes:
            room = wish.room_name
            await self._check_room_free(room)
        identity = f"caller-{secrets.token_urlsafe(12)}"
        if wish.participant_identity and Scope.SESSIONS_IDENTITY in client.scopes:
            identity = wish.participant_identity
        if (wish.participant_identity or "").startswith(AGENT_IDENTITY_PREFIX):
            error = {"field": "participant_identity", "code": "reserved", "detail": "It is the agents' own."}
            raise Problem("invalid_request", "A field is not valid; see errors.", errors=[error])
        limit = definition.limits.max_seconds
        return Session(
            id=session_id,
            agent=definition.name,
            status=SessionStatus.DISPATCHED,
            room=room,
            caller_identity=identity,
            created_at=self._clock(),
            metadata=wish.routing_metadata(),
            owner=client.owner,
            max_seconds=min(wish.max_seconds or limit, limit),
        )

    async def _check_room_free(self, room: str) -> None:
        try:
            taken = await self._rooms.names([room])
        except SfuUnreachable:
            raise _unreachable() from None
        if taken:
            raise Problem("room_in_use", "Choose another name, or leave room_name out.")

    async def _send_agent(self, session: Session) -> None:
        call = CallRequest(
            agent=session.agent,
            session=session.id,
            caller=session.caller_identity,
            metadata=dict(session.metadata),
            max_seconds=session.max_seconds,
        )
        async with asyncio.timeout(_DISPATCH_SECONDS):
            await self._rooms.create(session.room)
            await self._rooms.dispatch(session.room, self._settings.agent_name, call.to_json())

    async def _or_undo(self, session: Session, sending: Awaitable[None]) -> None:
        try:
            await sending
        except (SfuUnreachable, TimeoutError) as error:
            logger.warning("session %s: the SFU failed: %s", session.id, error)
            await asyncio.to_thread(self._records.sessions.fail, session.id, "sfu_unreachable", self._clock())
            await self._close(session)
            raise _unreachable() from None

    def _welcome(self, session: Session, wish: CreateSession) -> CreatedSession:
        settings, now = self._settings, self._clock()
        caller = Caller(
            identity=session.caller_identity,
            name=wish.participant_name or "",
            metadata=wish.participant_metadata or "",
            attributes=wish.participant_attributes,
        )
        token = join_token(settings.livekit_api_key, settings.livekit_api_secret, session.room, session.id, caller)
        return CreatedSession(
            id=session.id,
            agent=session.agent,
            status=session.status,
            room_name=session.room,
            server_url=settings.client_livekit_url,
            participant_token=token,
            expires_at=(now + TOKEN_LIFETIME).replace(microsecond=0),
            ice_servers=turn_servers(settings.turn_urls, settings.turn_secret, session.caller_identity, now),
        )

    async def own(self, client: Client, session_id: str) -> Session:
        """The client's session. Raises Problem 404, the same for an unknown one and for somebody else's."""
        session = None
        if SESSION_PATTERN.match(session_id):  # what cannot be an id is no question for the database
            session = await asyncio.to_thread(self._records.sessions.get, session_id)
        if session is None or session.owner != client.owner:
            raise Problem("session_not_found", "There is no session of yours with this id.")
        return session

    async def end(self, client: Client, session_id: str) -> None:
        """Ends it and closes its room; ending twice is no mistake. The watchdog closes what cannot be closed now."""
        session = await self.own(client, session_id)
        if await asyncio.to_thread(self._records.sessions.end, session.id, "deleted", self._clock()):
            await self._close(session)

    async def _close(self, session: Session) -> None:
        try:
            await self._rooms.close(session.room)
        except SfuUnreachable as error:
            logger.warning("session %s: its room is still open: %s", session.id, error)


def _unreachable() -> Problem:
    detail = "Calls cannot be made at present; ask again shortly."
    return Problem("sfu_unreachable", detail, retry_after_seconds=_RETRY_WHEN_DOWN_SECONDS)
