"""Whatever is sent, the answer is a session or a problem; never a mistake of the server."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from voiceworker.api.rate_limits import RateLimits
from voiceworker.api.schema import CreateSession
from voiceworker.records import Scope

if TYPE_CHECKING:
    from tests.api.conftest import House, HouseBuilder

SESSIONS = "/v1/realtime/sessions"

any_text = st.text(max_size=40)
any_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | any_text,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(any_text, inner, max_size=4),
    max_leaves=12,
)
agent_choice = st.fixed_dictionaries(
    {},
    optional={
        "agent_name": st.sampled_from(["", "frontdesk", "voiceworker"]) | any_json,
        "metadata": st.just("{}") | any_json.map(json.dumps) | any_json,
        "deployment": any_json,
    },
)
wish = st.fixed_dictionaries(
    {},
    optional={
        **{name: any_json for name in CreateSession.model_fields},
        "metadata": st.dictionaries(any_text, any_json, max_size=4) | any_json,
        "participant_attributes": st.dictionaries(any_text, any_text, max_size=4) | any_json,
        "room_config": st.fixed_dictionaries({"agents": st.lists(agent_choice, max_size=2)}) | any_json,
        "max_seconds": st.integers(0, 100_000) | any_json,
    },
)
body = st.binary(max_size=200) | any_json.map(json.dumps).map(str.encode) | wish.map(json.dumps).map(str.encode)
header = st.none() | st.binary(min_size=1, max_size=40)


@pytest.fixture
def open_house(build_house: HouseBuilder) -> House:
    return build_house(RateLimits(100_000, 100_000, 100_000))


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(body=body, key=header)
def test_random_requests_are_never_the_servers_fault(open_house: House, body: bytes, key: bytes | None) -> None:
    house = open_house
    if not house.records.keys.all():
        house.key(*Scope)
    house.worker_beats(free_slots=10_000)

    async def post() -> httpx.Response:
        _, text = house.records.keys.create(str(len(house.records.keys.all())), list(Scope), house.clock())
        headers: dict[Any, Any] = {"Authorization": f"Bearer {text}"}
        if key is not None:
            headers[b"Idempotency-Key"] = key
        async with house.client() as client:
            return await client.post(SESSIONS, content=body, headers=headers)

    answer = asyncio.run(post())
    assert answer.status_code in (201, 400, 409, 422)
    if answer.status_code != 201:
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["status"] == answer.status_code


@settings(max_examples=50, deadline=None, suppress_health_check=list(HealthCheck))
@given(path=st.text(max_size=60), query=st.text(max_size=30), method=st.sampled_from(["GET", "POST", "DELETE", "PUT"]))
def test_random_addresses_are_never_the_servers_fault(open_house: House, path: str, query: str, method: str) -> None:
    async def ask() -> int:
        scope: dict[str, Any] = {
            "type": "http",
            "method": method,
            "path": "/" + path,
            "raw_path": b"/",
            "query_string": query.encode("utf-8", "surrogatepass"),
            "headers": [(b"host", b"127.0.0.1")],
            "scheme": "http",
            "server": ("127.0.0.1", 8080),
            "client": ("127.0.0.1", 1),
            "http_version": "1.1",
        }
        sent: list[Any] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: Any) -> None:
            sent.append(message)

        await open_house.app(scope, receive, send)
        return int(sent[0]["status"])

    assert asyncio.run(ask()) < 500
