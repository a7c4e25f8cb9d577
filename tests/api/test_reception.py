from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING

import httpx
import pytest

from voiceworker.records import Scope, SessionStatus

if TYPE_CHECKING:
    from tests.api.conftest import House

SESSIONS = "/v1/realtime/sessions"


async def test_a_repeated_request_gives_the_same_session_with_a_token_for_the_same_caller(
    house: House, shop: httpx.AsyncClient
) -> None:
    again = {"Idempotency-Key": "order-1"}
    first = (await shop.post(SESSIONS, json={"participant_name": "Ada"}, headers=again)).json()
    house.clock.advance(23 * 3600)
    second = await shop.post(SESSIONS, json={"participant_name": "Ada"}, headers=again)
    assert second.status_code == 201
    assert second.json()["id"] == first["id"]
    assert second.json()["expires_at"] > first["expires_at"]
    assert len(house.rooms.dispatches) == 1
    house.clock.advance(2 * 3600)
    house.worker_beats()
    third = await shop.post(SESSIONS, json={"participant_name": "Ada"}, headers=again)
    assert third.json()["id"] != first["id"]


async def test_a_key_used_for_another_body_is_refused(shop: httpx.AsyncClient) -> None:
    again = {"Idempotency-Key": "order-1"}
    await shop.post(SESSIONS, json={}, headers=again)
    answer = await shop.post(SESSIONS, json={"agent": "clinic"}, headers=again)
    assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_mismatch")


async def test_two_clients_may_use_the_same_idempotency_key(house: House, shop: httpx.AsyncClient) -> None:
    again = {"Idempotency-Key": "1"}
    mine = (await shop.post(SESSIONS, json={}, headers=again)).json()["id"]
    async with house.client(headers=house.key(Scope.SESSIONS_CREATE, name="other")) as other:
        theirs = (await other.post(SESSIONS, json={"agent": "clinic"}, headers=again)).json()["id"]
    assert mine != theirs


async def test_the_key_of_a_session_that_is_over_makes_no_token(house: House, shop: httpx.AsyncClient) -> None:
    again = {"Idempotency-Key": "order-1"}
    session = (await shop.post(SESSIONS, json={}, headers=again)).json()["id"]
    await shop.delete(f"{SESSIONS}/{session}")
    answer = await shop.post(SESSIONS, json={}, headers=again)
    assert (answer.status_code, answer.json()["code"]) == (409, "session_over")


@pytest.mark.parametrize("key", ["", "x" * 256, "with space", "ümlaut"])
async def test_a_key_that_is_no_plain_text_is_refused(shop: httpx.AsyncClient, key: str) -> None:
    answer = await shop.post(SESSIONS, json={}, headers={b"Idempotency-Key": key.encode("latin-1")})
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_header")


async def test_fifty_requests_at_once_with_one_key_make_one_session(house: House, shop: httpx.AsyncClient) -> None:
    again = {"Idempotency-Key": "order-1"}
    answers = await asyncio.gather(*(shop.post(SESSIONS, json={}, headers=again) for _ in range(50)))
    counts = Counter(answer.status_code for answer in answers)
    assert set(counts) <= {201, 409}
    assert counts[201] >= 1
    assert len({answer.json()["id"] for answer in answers if answer.status_code == 201}) == 1
    assert {answer.json()["code"] for answer in answers if answer.status_code == 409} <= {"idempotency_in_flight"}
    assert len(house.rooms.open_rooms) == len(house.rooms.dispatches) == 1


async def test_a_rush_gets_as_many_sessions_as_there_are_places(house: House, shop: httpx.AsyncClient) -> None:
    answers = await asyncio.gather(*(shop.post(SESSIONS, json={}) for _ in range(20)))
    assert Counter(answer.status_code for answer in answers) == {201: 4, 503: 16}
    assert len(house.rooms.open_rooms) == 4


async def test_an_unreachable_sfu_is_told_and_the_key_can_be_used_again(house: House, shop: httpx.AsyncClient) -> None:
    again = {"Idempotency-Key": "order-1"}
    house.rooms.unplugged = True
    answer = await shop.post(SESSIONS, json={}, headers=again)
    assert (answer.status_code, answer.json()["code"]) == (503, "sfu_unreachable")
    assert int(answer.headers["retry-after"]) > 0
    assert house.records.sessions.count_by_status()[SessionStatus.FAILED] == 1
    house.rooms.unplugged = False
    assert (await shop.post(SESSIONS, json={}, headers=again)).status_code == 201


async def test_a_refused_dispatch_leaves_no_room(house: House, shop: httpx.AsyncClient) -> None:
    house.rooms.refuses_dispatch = True
    assert (await shop.post(SESSIONS, json={})).status_code == 503
    assert house.rooms.open_rooms == set()


async def test_a_session_ends_even_while_the_sfu_is_away(house: House, shop: httpx.AsyncClient) -> None:
    session = (await shop.post(SESSIONS, json={})).json()["id"]
    house.rooms.unplugged = True
    assert (await shop.delete(f"{SESSIONS}/{session}")).status_code == 204
    assert (await shop.get(f"{SESSIONS}/{session}")).json()["status"] == "ended"
