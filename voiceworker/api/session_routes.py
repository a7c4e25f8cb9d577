"""`/v1/realtime/sessions`: make a session, look at it, end it."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Response
from starlette.requests import Request

from voiceworker.api.authentication import Authentication
from voiceworker.api.problems import documented
from voiceworker.api.rate_limits import RateLimiter
from voiceworker.api.reception import IdempotencyKey, Reception
from voiceworker.api.request_body import parse_create_session, read_body
from voiceworker.api.schema import CreatedSession, SessionPage, SessionState, Transcript, TranscriptEntry
from voiceworker.dispatch import SESSION_PATTERN
from voiceworker.records import Records, Scope, Session, SessionStatus

_ALWAYS = ("unauthenticated", "foreign_origin", "missing_scope", "rate_limited", "records_unavailable")
_OWN = (*_ALWAYS, "session_not_found")

_EXAMPLES: dict[str, Any] = {
    "default agent": {"summary": "Call the default agent", "value": {}},
    "named agent": {
        "summary": "Call an agent, with facts for its routing",
        "value": {"agent": "frontdesk", "metadata": {"plan": "free"}, "max_seconds": 600},
    },
    "token source": {
        "summary": "What LiveKit's TokenSource.endpoint sends",
        "value": {
            "participant_name": "Ada",
            "room_config": {"agents": [{"agent_name": "frontdesk", "metadata": '{"plan": "free"}'}]},
        },
    },
}
_CREATED: dict[str, Any] = {
    "id": "ses_8Jx2mQ0v1bKc3dEf5gHi7A",
    "agent": "frontdesk",
    "status": "dispatched",
    "room_name": "ses_8Jx2mQ0v1bKc3dEf5gHi7A",
    "server_url": "ws://127.0.0.1:7880",
    "participant_token": "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9...",
    "expires_at": "2026-11-23T09:02:00Z",
    "iceServers": [],
    "events_url": None,
}
_STATE: dict[str, Any] = {
    "id": "ses_8Jx2mQ0v1bKc3dEf5gHi7A",
    "agent": "frontdesk",
    "status": "ended",
    "reason": "caller_left",
    "room_name": "ses_8Jx2mQ0v1bKc3dEf5gHi7A",
    "created_at": "2026-11-23T09:00:00Z",
    "joined_at": "2026-11-23T09:00:00.412Z",
    "ended_at": "2026-11-23T09:01:30Z",
    "max_seconds": 600,
    "metadata": {"plan": "free"},
}
_LINES: dict[str, Any] = {
    "session": "ses_8Jx2mQ0v1bKc3dEf5gHi7A",
    "lines": [
        {
            "sequence": 3,
            "time": "2026-11-23T09:00:01Z",
            "role": "agent",
            "text": "Hello, this is the automatic assistant. How can I help?",
            "final": True,
            "interrupted": True,
            "heard_text": "Hello, this is the automatic",
        }
    ],
}

_SessionId = Annotated[str, Path(description="`ses_...`", max_length=64)]


def _answer(description: str, example: Any) -> dict[str, Any]:
    return {"description": description, "content": {"application/json": {"example": example}}}


def session_routes(
    reception: Reception, records: Records, authentication: Authentication, limiter: RateLimiter
) -> APIRouter:
    router = APIRouter(prefix="/v1/realtime/sessions", tags=["sessions"])

    @router.post(
        "",
        status_code=201,
        summary="Make a session: a room, an agent on its way, and a token to join",
        response_model=CreatedSession,
        responses={
            201: _answer("Join with `server_url` and `participant_token`.", _CREATED),
            **documented(
                *_ALWAYS,
                *("not_json", "invalid_header", "body_too_large", "body_too_slow", "invalid_request", "unknown_agent"),
                *("idempotency_in_flight", "idempotency_mismatch", "session_over", "room_in_use"),
                *("budget_spent", "no_worker", "no_free_slot", "sfu_unreachable"),
            ),
        },
        openapi_extra={
            "requestBody": {
                "required": True,
                "content": {
                    "application/json": {
                        "schema": {"$ref": "#/components/schemas/CreateSession"},
                        "examples": _EXAMPLES,
                    }
                },
            },
            "parameters": [
                {
                    "name": "Idempotency-Key",
                    "in": "header",
                    "required": False,
                    "schema": {"type": "string", "minLength": 1, "maxLength": 255},
                    "description": "Makes a repeated request safe: within 24 hours the same key and body give the same "
                    "session with a fresh token.",
                }
            ],
        },
    )
    async def create_session(request: Request) -> CreatedSession:
        """LiveKit's token-endpoint format: `TokenSource.endpoint(url)` of every LiveKit client SDK works unchanged.

        The server makes the room and the caller's identity. Answered within a second; when no agent has joined
        within ten, the session turns `failed` and its room is closed.
        """
        client = await authentication.client(request, Scope.SESSIONS_CREATE)
        limiter.count_page_creation(client.owner) if client.is_page else limiter.count_creation(client.owner)
        header = request.headers.get("idempotency-key")
        body = await read_body(request)
        key = None if header is None else IdempotencyKey.of(header, body)
        return await reception.create(client, parse_create_session(body), key)

    @router.get(
        "",
        summary="List your sessions, newest first",
        responses={
            200: _answer("One page.", {"sessions": [_STATE], "next_before": None}),
            **documented(*_ALWAYS, "invalid_request"),
        },
    )
    async def list_sessions(
        request: Request,
        agent: Annotated[str | None, Query(pattern=r"^[a-z][a-z0-9_-]{0,40}$")] = None,
        status: Annotated[SessionStatus | None, Query()] = None,
        before: Annotated[
            str | None, Query(pattern=SESSION_PATTERN.pattern, description="An id: only sessions older than it.")
        ] = None,
        limit: Annotated[int, Query(ge=1, le=100)] = 20,
    ) -> SessionPage:
        """A key sees the sessions it made."""
        client = await authentication.client(request, Scope.SESSIONS_READ)
        found = await asyncio.to_thread(
            records.sessions.page, client.owner, agent=agent, status=status, before=before, limit=limit + 1
        )
        shown = found[:limit]
        more = len(found) > limit
        return SessionPage(sessions=[_state(session) for session in shown], next_before=shown[-1].id if more else None)

    @router.get(
        "/{session_id}",
        summary="How a session stands",
        responses={200: _answer("Its state now.", _STATE), **documented(*_OWN, "invalid_request")},
    )
    async def read_session(request: Request, session_id: _SessionId) -> SessionState:
        """`dispatched`, then `active` once the agent is in the room, then `ended`; or `failed`, with the reason."""
        client = await authentication.client(request, Scope.SESSIONS_READ)
        return _state(await reception.own(client, session_id))

    @router.delete(
        "/{session_id}",
        status_code=204,
        response_class=Response,
        summary="End a session and close its room",
        responses={204: {"description": "It is over."}, **documented(*_OWN, "invalid_request")},
    )
    async def delete_session(request: Request, session_id: _SessionId) -> Response:
        """Everybody in the room is disconnected at once. Ending what is over already is no mistake."""
        client = await authentication.client(request, Scope.SESSIONS_DELETE)
        await reception.end(client, session_id)
        return Response(status_code=204)

    @router.get(
        "/{session_id}/transcript",
        summary="What was said",
        responses={200: _answer("All lines so far.", _LINES), **documented(*_OWN, "invalid_request")},
    )
    async def read_transcript(request: Request, session_id: _SessionId) -> Transcript:
        """Both sides, in order; also while the call goes on."""
        client = await authentication.client(request, Scope.SESSIONS_READ)
        session = await reception.own(client, session_id)
        lines = await asyncio.to_thread(records.transcripts.lines, session.id)
        entries = [TranscriptEntry.model_validate(line, from_attributes=True) for line in lines]
        return Transcript(session=session.id, lines=entries)

    return router


def _state(session: Session) -> SessionState:
    return SessionState(
        id=session.id,
        agent=session.agent,
        status=session.status,
        reason=session.reason,
        room_name=session.room,
        created_at=session.created_at,
        joined_at=session.joined_at,
        ended_at=session.ended_at,
        max_seconds=session.max_seconds,
        metadata=dict(session.metadata),
        rule=session.rule,
        arm=session.arm,
    )
