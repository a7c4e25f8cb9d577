from __future__ import annotations

from typing import TYPE_CHECKING

from voiceworker.api.rate_limits import RateLimits
from voiceworker.records import Scope

if TYPE_CHECKING:
    from tests.api.conftest import HouseBuilder

SESSIONS = "/v1/realtime/sessions"


async def test_each_key_has_its_own_number_of_sessions_a_minute(build_house: HouseBuilder) -> None:
    house = build_house(RateLimits(creations=2))
    async with (
        house.client(headers=house.key(Scope.SESSIONS_CREATE, name="one")) as one,
        house.client(headers=house.key(Scope.SESSIONS_CREATE, name="two")) as two,
    ):
        assert [(await one.post(SESSIONS, json={})).status_code for _ in range(3)] == [201, 201, 429]
        assert (await two.post(SESSIONS, json={})).status_code == 201
        refused = await one.post(SESSIONS, json={})
    assert refused.json()["code"] == "rate_limited"
    assert 1 <= int(refused.headers["retry-after"]) <= 60


async def test_the_page_has_fewer(build_house: HouseBuilder) -> None:
    house = build_house(RateLimits(page_creations=1))
    async with house.client(headers={"Origin": "http://127.0.0.1:8080"}) as browser:
        await browser.get("/")
        assert [(await browser.post(SESSIONS, json={})).status_code for _ in range(2)] == [201, 429]


async def test_one_address_cannot_try_keys_without_end(build_house: HouseBuilder) -> None:
    house = build_house(RateLimits(address=3))
    async with house.client(headers={"Authorization": "Bearer guess"}) as client:
        assert [(await client.get(SESSIONS)).status_code for _ in range(4)] == [401, 401, 401, 429]


async def test_requests_of_one_key_are_limited_over_all_routes(build_house: HouseBuilder) -> None:
    house = build_house(RateLimits(key=2))
    async with house.client(headers=house.key(Scope.SESSIONS_READ, Scope.AGENTS_READ)) as client:
        paths = (SESSIONS, "/v1/agents", f"{SESSIONS}/ses_1")
        assert [(await client.get(path)).status_code for path in paths] == [200, 200, 429]
