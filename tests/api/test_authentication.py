from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from voiceworker.api.authentication import is_loopback
from voiceworker.records import Scope

if TYPE_CHECKING:
    from tests.api.conftest import House, HouseBuilder

SESSIONS = "/v1/realtime/sessions"
ORIGIN = {"Origin": "http://127.0.0.1:8080"}


@pytest.mark.parametrize(
    "header",
    [None, "", "Bearer", "Bearer ", "Bearer wrong", "Bearer vwk_0_x", "Basic dXNlcjpwYXNz", "Bearer \xff", "x" * 9000],
)
async def test_without_a_key_in_force_nothing_is_told(house: House, header: str | None) -> None:
    headers = {} if header is None else {b"Authorization": header.encode("latin-1")}
    async with house.client() as client:
        for method, path in (("POST", ""), ("GET", ""), ("GET", "/ses_1"), ("DELETE", "/ses_1")):
            answer = await client.request(method, SESSIONS + path, headers=headers)
            assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")
            assert answer.headers["www-authenticate"] == "Bearer"


async def test_a_revoked_key_opens_nothing(house: House) -> None:
    header = house.key(Scope.SESSIONS_CREATE)
    house.records.keys.revoke("shop", house.clock())
    async with house.client(headers=header) as client:
        assert (await client.post(SESSIONS, json={})).status_code == 401


async def test_a_key_does_what_its_scopes_say_and_no_more(house: House) -> None:
    async with house.client(headers=house.key(Scope.SESSIONS_READ)) as client:
        answer = await client.post(SESSIONS, json={})
        assert (answer.status_code, answer.json()["code"]) == (403, "missing_scope")
        assert answer.json()["scope"] == "sessions:create"
        assert (await client.delete(f"{SESSIONS}/ses_1")).status_code == 403
        assert (await client.get("/v1/agents")).status_code == 403
        assert (await client.get(SESSIONS)).status_code == 200


async def test_the_page_may_place_calls_look_at_them_and_end_them(house: House) -> None:
    async with house.client() as browser:
        cookie = (await browser.get("/")).headers["set-cookie"].lower()
        assert "httponly" in cookie
        assert "samesite=strict" in cookie
        made = await browser.post(SESSIONS, json={}, headers=ORIGIN)
        assert made.status_code == 201
        own = f"{SESSIONS}/{made.json()['id']}"
        # A browser leaves Origin out of a page's own GET.
        assert (await browser.get(own, headers={"Sec-Fetch-Site": "same-origin"})).json()["status"] == "dispatched"
        assert (await browser.get("/v1/agents", headers=ORIGIN)).status_code == 200
        assert (await browser.delete(own, headers=ORIGIN)).status_code == 204


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Origin": "null"},
        {"Origin": "https://evil.example"},
        {"Origin": "http://127.0.0.1:9090"},
        {"Origin": "http://127.0.0.1:8080.evil.example"},
        {"Origin": "https://127.0.0.1:8080"},
        {"Sec-Fetch-Site": "same-origin"},
    ],
)
async def test_the_pages_pass_is_worth_nothing_from_another_origin(house: House, headers: dict[str, str]) -> None:
    async with house.client() as browser:
        await browser.get("/")
        answer = await browser.post(SESSIONS, json={}, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (403, "foreign_origin")
        foreign = {"Sec-Fetch-Site": "same-site"} | {key: value for key, value in headers.items() if key == "Origin"}
        assert (await browser.get(SESSIONS, headers=foreign)).status_code == 403
    assert house.rooms.open_rooms == set()


async def test_a_guessed_pass_is_no_pass(house: House) -> None:
    async with house.client(cookies={"voiceworker_page_8080": "guess"}) as browser:
        assert (await browser.post(SESSIONS, json={}, headers=ORIGIN)).status_code == 401


async def test_the_page_and_a_key_do_not_see_each_others_sessions(house: House) -> None:
    async with house.client() as browser, house.client(headers=house.key(Scope.SESSIONS_READ)) as shop:
        await browser.get("/")
        session = (await browser.post(SESSIONS, json={}, headers=ORIGIN)).json()["id"]
        assert (await shop.get(f"{SESSIONS}/{session}")).status_code == 404


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "example.org"])
async def test_there_is_no_pass_when_the_api_is_open_to_the_network(build_house: HouseBuilder, host: str) -> None:
    house = build_house(api_host=host)
    async with house.client() as browser:
        assert "set-cookie" not in (await browser.get("/")).headers
        assert (await browser.post(SESSIONS, json={}, headers=ORIGIN)).status_code == 401


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("127.0.0.1", True),
        ("127.8.8.8", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("localhost.evil.example", False),
        ("", False),
    ],
)
def test_loopback_is_told_from_the_rest(host: str, loopback: bool) -> None:
    assert is_loopback(host) is loopback
