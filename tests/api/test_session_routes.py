from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from livekit import api

from voiceworker.api.app import create_app
from voiceworker.config import AgentCatalog, AgentDefinition, ConfigError
from voiceworker.dispatch import CallRequest
from voiceworker.records import Role, Scope, SessionStatus, TranscriptLine

if TYPE_CHECKING:
    from tests.api.conftest import House, HouseBuilder

SESSIONS = "/v1/realtime/sessions"


def claims(house: House, token: str) -> api.access_token.Claims:
    return api.TokenVerifier(house.settings.livekit_api_key, house.settings.livekit_api_secret).verify(token)


async def test_a_session_has_a_room_an_agent_on_its_way_and_a_token(house: House, shop: httpx.AsyncClient) -> None:
    answer = await shop.post(SESSIONS, json={"metadata": {"plan": "free"}, "max_seconds": 600})
    body = answer.json()
    assert answer.status_code == 201
    assert answer.headers["cache-control"] == "no-store"
    assert set(body) == {
        *("id", "agent", "status", "room_name", "server_url", "participant_token", "expires_at", "iceServers"),
        "events_url",
    }
    assert body["id"] == body["room_name"]
    assert (body["agent"], body["status"]) == ("frontdesk", "dispatched")
    assert (body["iceServers"], body["events_url"]) == ([], None)
    assert house.rooms.open_rooms == {body["id"]}
    [(room, worker, metadata)] = house.rooms.dispatches
    assert (room, worker) == (body["id"], "voiceworker")
    call = CallRequest.from_json(metadata)
    assert (call.agent, call.session, call.metadata, call.max_seconds) == (
        "frontdesk",
        body["id"],
        {"plan": "free"},
        600,
    )
    assert call.caller == claims(house, body["participant_token"]).identity


async def test_the_token_lets_a_caller_speak_listen_and_type_in_one_room_and_nothing_else(
    house: House, shop: httpx.AsyncClient
) -> None:
    wish = {
        "participant_name": "Ada",
        "participant_metadata": "vip",
        "participant_attributes": {"tier": "gold", "lk.agent.state": "speaking", "vw.session": "ses_other"},
    }
    body = (await shop.post(SESSIONS, json=wish)).json()
    found = claims(house, body["participant_token"])
    assert found.video == api.VideoGrants(
        room_join=True,
        room=body["id"],
        can_publish=True,
        can_publish_sources=["microphone"],
        can_subscribe=True,
        can_publish_data=True,
        can_update_own_metadata=False,
    )
    assert (found.agent, found.sip, found.room_config) == (None, api.SIPGrants(), None)
    assert (found.name, found.metadata) == ("Ada", "vip")
    assert found.attributes == {"tier": "gold", "vw.session": body["id"]}


async def test_what_livekits_token_source_sends_is_understood(house: House, shop: httpx.AsyncClient) -> None:
    wish = {
        "room_name": "my room",
        "participant_identity": "ada",
        "room_config": {
            "name": "",
            "empty_timeout": 0,
            "agents": [{"agent_name": "clinic", "metadata": '{"plan": "pro"}', "deployment": "blue"}],
        },
    }
    body = (await shop.post(SESSIONS, json=wish)).json()
    assert body["agent"] == "clinic"
    # The key may choose neither: the answer is the truth.
    assert body["room_name"] == body["id"]
    assert claims(house, body["participant_token"]).identity.startswith("caller-")
    assert CallRequest.from_json(house.rooms.dispatches[0][2]).metadata == {"plan": "pro"}


@pytest.mark.parametrize(
    ("wish", "agent", "metadata"),
    [
        ({}, "frontdesk", {}),
        ({"room_config": {"agents": []}}, "frontdesk", {}),
        ({"room_config": None, "agent": None, "participant_attributes": None}, "frontdesk", {}),
        ({"room_config": {"agents": [{"agent_name": "voiceworker"}]}}, "frontdesk", {}),
        ({"agent": "clinic", "room_config": {"agents": [{"agent_name": "frontdesk"}]}}, "clinic", {}),
        ({"metadata": {"a": 1}, "room_config": {"agents": [{"metadata": '{"a": 2}'}]}}, "frontdesk", {"a": 1}),
    ],
)
async def test_our_own_fields_win_over_livekits(
    house: House, shop: httpx.AsyncClient, wish: dict[str, Any], agent: str, metadata: dict[str, Any]
) -> None:
    assert (await shop.post(SESSIONS, json=wish)).json()["agent"] == agent
    assert CallRequest.from_json(house.rooms.dispatches[0][2]).metadata == metadata


async def test_a_key_with_the_scopes_may_choose_room_and_identity(house: House) -> None:
    key = house.key(Scope.SESSIONS_CREATE, Scope.SESSIONS_ROOM, Scope.SESSIONS_IDENTITY)
    wish = {"room_name": "lobby", "participant_identity": "ada"}
    async with house.client(headers=key) as client:
        body = (await client.post(SESSIONS, json=wish)).json()
        assert body["room_name"] == "lobby"
        assert claims(house, body["participant_token"]).identity == "ada"
        again = await client.post(SESSIONS, json=wish)
    assert (again.status_code, again.json()["code"]) == (409, "room_in_use")


async def test_the_agents_own_limit_stands_when_it_is_shorter(house: House, shop: httpx.AsyncClient) -> None:
    for wished in (None, 5000):
        await shop.post(SESSIONS, json={"max_seconds": wished})
    assert {CallRequest.from_json(metadata).max_seconds for _, _, metadata in house.rooms.dispatches} == {900}


async def test_turn_credentials_are_made_when_a_turn_server_is_configured(build_house: HouseBuilder) -> None:
    house = build_house(turn_urls=("turns:turn.example.org:443",), turn_secret="shared")
    async with house.client(headers=house.key(Scope.SESSIONS_CREATE)) as client:
        [server] = (await client.post(SESSIONS, json={})).json()["iceServers"]
    assert server["urls"] == ["turns:turn.example.org:443"]
    expiry, _, identity = server["username"].partition(":")
    assert int(expiry) == int((house.clock() + timedelta(minutes=5)).timestamp())
    assert identity.startswith("caller-")


async def test_a_session_is_followed_from_dispatched_to_ended(house: House, shop: httpx.AsyncClient) -> None:
    session = (await shop.post(SESSIONS, json={})).json()["id"]
    assert (await shop.get(f"{SESSIONS}/{session}")).json()["status"] == "dispatched"
    house.records.sessions.activate(session, house.clock.advance(1))
    active = (await shop.get(f"{SESSIONS}/{session}")).json()
    assert (active["status"], active["reason"]) == ("active", None)
    assert active["joined_at"] > active["created_at"]
    assert (await shop.delete(f"{SESSIONS}/{session}")).status_code == 204
    ended = (await shop.get(f"{SESSIONS}/{session}")).json()
    assert (ended["status"], ended["reason"]) == ("ended", "deleted")
    assert house.rooms.open_rooms == set()
    assert (await shop.delete(f"{SESSIONS}/{session}")).status_code == 204


@pytest.mark.parametrize(
    "mistake", [ConfigError("agents/clinic.yaml:3: not YAML"), ValueError("month must be in 1..12")]
)
@pytest.mark.parametrize("wished", ["clinic", "nobody"])
async def test_an_agent_that_cannot_be_read_is_no_agent_to_call(
    house: House, caplog: pytest.LogCaptureFixture, mistake: Exception, wished: str
) -> None:
    class Catalog(AgentCatalog):
        def get(self, name: str) -> AgentDefinition | None:
            if name == "clinic":
                raise mistake
            return super().get(name)

    agents = Catalog(house.settings.agents_directory)
    house.app = create_app(house.settings, house.records, house.rooms, agents, house.clock)
    async with house.client(headers=house.key(Scope.SESSIONS_CREATE)) as client:
        answer = await client.post(SESSIONS, json={"agent": wished})
    assert (answer.status_code, answer.json()["code"]) == (422, "unknown_agent")
    assert str(mistake) in caplog.text
    assert house.rooms.open_rooms == set()


async def test_the_transcript_tells_what_was_heard_of_an_interrupted_sentence(
    house: House, shop: httpx.AsyncClient
) -> None:
    session = (await shop.post(SESSIONS, json={})).json()["id"]
    agent, caller = Role.AGENT, Role.CALLER
    house.records.transcripts.put(
        TranscriptLine(
            session, 1, house.clock(), agent, "Hello, how can I help?", interrupted=True, heard_text="Hello,"
        )
    )
    house.records.transcripts.put(TranscriptLine(session, 2, house.clock(), caller, "An appointment."))
    lines = (await shop.get(f"{SESSIONS}/{session}/transcript")).json()["lines"]
    assert [(line["role"], line["interrupted"], line["heard_text"]) for line in lines] == [
        ("agent", True, "Hello,"),
        ("caller", False, None),
    ]


async def test_the_list_is_paged_and_shows_ones_own_sessions_only(house: House, shop: httpx.AsyncClient) -> None:
    made = []
    for _ in range(3):
        made.append((await shop.post(SESSIONS, json={"agent": "clinic"})).json()["id"])
        house.clock.advance(1)
    async with house.client(headers=house.key(Scope.SESSIONS_CREATE, name="other")) as other:
        await other.post(SESSIONS, json={})
    first = (await shop.get(SESSIONS, params={"limit": 2, "agent": "clinic", "status": "dispatched"})).json()
    second = (await shop.get(SESSIONS, params={"limit": 2, "before": first["next_before"]})).json()
    assert [session["id"] for session in first["sessions"] + second["sessions"]] == made[::-1]
    assert second["next_before"] is None


async def test_somebody_elses_session_looks_like_none(house: House, shop: httpx.AsyncClient) -> None:
    session = (await shop.post(SESSIONS, json={})).json()["id"]
    scopes = (Scope.SESSIONS_READ, Scope.SESSIONS_DELETE)
    async with house.client(headers=house.key(*scopes, name="other")) as other:
        for method, path in (("GET", session), ("DELETE", session), ("GET", f"{session}/transcript")):
            theirs = await other.request(method, f"{SESSIONS}/{path}")
            nobodys = await other.request(method, f"{SESSIONS}/{path.replace(session, 'ses_nobody')}")
            assert theirs.status_code == nobodys.status_code == 404
            assert theirs.json() == nobodys.json()
    assert house.rooms.open_rooms == {session}


HOSTILE = "<script>" + "\u202e"
BAD_REQUESTS: list[tuple[str, bytes | dict[str, Any], int, str]] = [
    ("nothing", b"", 400, "not_json"),
    ("text", b"hello", 400, "not_json"),
    ("invalid UTF-8", b'{"agent": "\xff\xfe"}', 400, "not_json"),
    ("UTF-16", '{"agent": "clinic"}'.encode("utf-16"), 400, "not_json"),
    ("half a document", b'{"agent": ', 400, "not_json"),
    ("lone surrogate", b'{"agent": "\\ud800"}', 400, "not_json"),
    ("deep nesting", b'{"metadata":' + b'{"a":' * 1000 + b"1" + b"}" * 1001, 400, "not_json"),
    ("deep arrays", b"[" * 16000, 400, "not_json"),
    ("a number of 4,400 digits", b'{"metadata": {"a": ' + b"9" * 4400 + b"}}", 400, "not_json"),
    ("a list", b"[]", 422, "invalid_request"),
    ("null", b"null", 422, "invalid_request"),
    ("unknown field", {"agnet": "frontdesk"}, 422, "invalid_request"),
    ("hostile field", {HOSTILE: 1}, 422, "invalid_request"),
    ("unknown agent", {"agent": "nobody"}, 422, "unknown_agent"),
    ("a path as agent", {"agent": "../../etc/passwd"}, 422, "unknown_agent"),
    ("unknown agent of LiveKit's form", {"room_config": {"agents": [{"agent_name": "x"}]}}, 422, "unknown_agent"),
    ("an agent that is no text", {"agent": 5}, 422, "invalid_request"),
    ("a long agent", {"agent": "a" * 10_000}, 422, "invalid_request"),
    ("control characters in a name", {"participant_name": "a\x00b"}, 422, "invalid_request"),
    ("a name that turns the text around", {"participant_name": "a\u202eb"}, 422, "invalid_request"),
    ("a name of 10,000 characters", {"participant_name": "x" * 10_000}, 422, "invalid_request"),
    ("the agent's identity", {"participant_identity": "agent-ses_1"}, 422, "invalid_request"),
    ("too short a call", {"max_seconds": 1}, 422, "invalid_request"),
    ("too long a call", {"max_seconds": 10**9}, 422, "invalid_request"),
    ("a text as number", {"max_seconds": "600"}, 422, "invalid_request"),
    ("a truth as number", {"max_seconds": True}, 422, "invalid_request"),
    ("metadata that is a list", {"metadata": [1]}, 422, "invalid_request"),
    ("metadata over 8 KiB", {"metadata": {"a": "x" * 9000}}, 422, "invalid_request"),
    ("metadata that grows by escaping", {"metadata": {"a": "é" * 2000}}, 422, "invalid_request"),
    ("metadata nested nine deep", {"metadata": json.loads('{"a":' * 9 + "1" + "}" * 9)}, 422, "invalid_request"),
    ("metadata with a zero byte", {"metadata": {"a": "\x00"}}, 422, "invalid_request"),
    ("metadata with a zero byte in a key", {"metadata": {"\x00": 1}}, 422, "invalid_request"),
    ("NaN", b'{"metadata": {"a": NaN}}', 422, "invalid_request"),
    ("infinity", b'{"metadata": {"a": 1e999}}', 422, "invalid_request"),
    ("a whole number of 400 digits", b'{"metadata": {"a": ' + b"9" * 400 + b"}}", 422, "invalid_request"),
    ("agent's metadata that is no JSON", {"room_config": {"agents": [{"metadata": "{"}]}}, 422, "invalid_request"),
    ("agent's metadata that is no object", {"room_config": {"agents": [{"metadata": "[]"}]}}, 422, "invalid_request"),
    (
        "agent's metadata of deep arrays",
        {"room_config": {"agents": [{"metadata": "[" * 8000}]}},
        422,
        "invalid_request",
    ),
    (
        "agent's metadata with 5,000 digits",
        {"room_config": {"agents": [{"metadata": "9" * 5000}]}},
        422,
        "invalid_request",
    ),
    ("40 attributes", {"participant_attributes": {str(n): "" for n in range(40)}}, 422, "invalid_request"),
    ("attributes over 4 KiB", {"participant_attributes": {"a": "x" * 5000}}, 422, "invalid_request"),
    ("attributes that are numbers", {"participant_attributes": {"a": 1}}, 422, "invalid_request"),
    ("attribute names with line ends", {"participant_attributes": {"a\nb": "1"}}, 422, "invalid_request"),
]


@pytest.mark.parametrize(
    ("body", "status", "code"), [row[1:] for row in BAD_REQUESTS], ids=[row[0] for row in BAD_REQUESTS]
)
async def test_bad_requests_are_told_what_is_wrong_and_leave_nothing_behind(
    house: House, shop: httpx.AsyncClient, body: bytes | dict[str, Any], status: int, code: str
) -> None:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    answer = await shop.post(SESSIONS, content=content)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["cache-control"] == "no-store"
    for echoed in ("agnet", "script", "nobody", "passwd", "xxx", "\x00"):
        assert echoed not in answer.text
    assert house.rooms.open_rooms == set()
    assert sum(house.records.sessions.count_by_status().values()) == 0


async def test_a_wrong_field_is_named(shop: httpx.AsyncClient) -> None:
    wish = {"max_seconds": 1, "room_config": {"agents": [{"agent_name": 7}]}, "participant_attributes": {"secret": 1}}
    errors = (await shop.post(SESSIONS, json=wish)).json()["errors"]
    assert {error["field"] for error in errors} == {
        "max_seconds",
        "room_config.agents.0.agent_name",
        "participant_attributes",
    }


async def test_a_body_may_have_16_kib_and_not_a_byte_more(shop: httpx.AsyncClient) -> None:
    just_right = b"{}" + b" " * (16 * 1024 - 2)
    assert (await shop.post(SESSIONS, content=just_right)).status_code == 201
    too_large = await shop.post(SESSIONS, content=just_right + b" ")
    assert (too_large.status_code, too_large.json()["code"]) == (413, "body_too_large")


async def test_a_body_without_length_is_counted_as_it_comes(shop: httpx.AsyncClient) -> None:
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while sent < 1024 * 1024:
            sent += 1024
            yield b" " * 1024

    answer = await shop.post(SESSIONS, content=endless())
    assert answer.status_code == 413


@pytest.mark.parametrize("length", ["16385", "9" * 5000, "-1", "abc"])
async def test_a_lying_length_does_no_harm(shop: httpx.AsyncClient, length: str) -> None:
    answer = await shop.post(SESSIONS, content=b"{}", headers={"Content-Length": length})
    assert answer.status_code in (201, 413)


@pytest.mark.parametrize(
    ("path", "code"),
    [
        (f"{SESSIONS}?limit=0", "invalid_request"),
        (f"{SESSIONS}?limit=many", "invalid_request"),
        (f"{SESSIONS}?status=sleeping", "invalid_request"),
        (f"{SESSIONS}?agent={'a' * 100}", "invalid_request"),
        (f"{SESSIONS}/{'s' * 100}", "invalid_request"),
        (f"{SESSIONS}/ses_%00", "session_not_found"),
        (f"{SESSIONS}/%ff", "session_not_found"),
        (f"{SESSIONS}/", "not_found"),
        (f"{SESSIONS}?before=ses_%00", "invalid_request"),
        (f"{SESSIONS}?agent=%00", "invalid_request"),
        ("/v1/nothing", "not_found"),
        ("/v1/nothing/at/all", "not_found"),
    ],
)
async def test_bad_addresses_are_problems_too(shop: httpx.AsyncClient, path: str, code: str) -> None:
    answer = await shop.get(path)
    assert answer.json()["code"] == code
    assert answer.headers["content-type"] == "application/problem+json"
    assert "sleeping" not in answer.text


async def test_a_wrong_method_is_told_the_right_ones(shop: httpx.AsyncClient) -> None:
    answer = await shop.put(SESSIONS, json={})
    assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed")
    assert answer.headers["allow"] == "GET, POST"


async def test_no_worker_and_no_free_place_are_told_apart_and_leave_no_room(
    house: House, shop: httpx.AsyncClient
) -> None:
    house.worker_beats(free_slots=0)
    full = await shop.post(SESSIONS, json={})
    house.clock.advance(4)
    dead = await shop.post(SESSIONS, json={})
    assert [(answer.status_code, answer.json()["code"]) for answer in (full, dead)] == [
        (503, "no_free_slot"),
        (503, "no_worker"),
    ]
    assert int(full.headers["retry-after"]) > 0
    assert house.rooms.open_rooms == set()
    assert house.records.sessions.count_by_status()[SessionStatus.DISPATCHED] == 0
