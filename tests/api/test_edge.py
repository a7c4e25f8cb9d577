from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.api.conftest import House, HouseBuilder

SESSIONS = "/v1/realtime/sessions"


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example:8080", "", "[", "a b"]
)
async def test_on_loopback_other_names_are_refused(house: House, host: str) -> None:
    async with house.client() as client:
        answer = await client.get("/", headers={"Host": host})
    assert (answer.status_code, answer.json()["code"]) == (421, "host_not_allowed")
    assert "set-cookie" not in answer.headers
    assert "evil" not in answer.text


@pytest.mark.parametrize("host", ["localhost", "localhost:8080", "127.0.0.1:1234", "[::1]:8080"])
async def test_on_loopback_its_own_names_are_welcome(house: House, host: str) -> None:
    async with house.client() as client:
        assert (await client.get("/livez", headers={"Host": host})).status_code == 200


async def test_on_a_network_any_name_is_welcome(build_house: HouseBuilder) -> None:
    async with build_house(api_host="0.0.0.0").client() as client:
        assert (await client.get("/livez", headers={"Host": "voice.example"})).status_code == 200


async def test_no_answer_is_stored_sniffed_or_framed(house: House) -> None:
    async with house.client() as client:
        for path in ("/livez", "/nothing", SESSIONS):
            headers = (await client.get(path)).headers
            assert headers["cache-control"] == "no-store"
            assert headers["x-content-type-options"] == "nosniff"
            assert "frame-ancestors 'none'" in headers["content-security-policy"]


async def test_other_origins_are_let_in_only_by_name(build_house: HouseBuilder) -> None:
    asking = {"Origin": "https://shop.example", "Access-Control-Request-Method": "POST"}
    async with build_house().client() as client:
        assert "access-control-allow-origin" not in (await client.options(SESSIONS, headers=asking)).headers
    async with build_house(cors_origins=("https://shop.example",)).client() as client:
        preflight = await client.options(SESSIONS, headers=asking)
        assert preflight.headers["access-control-allow-origin"] == "https://shop.example"
        assert "access-control-allow-credentials" not in preflight.headers
        refused = await client.options(SESSIONS, headers=asking | {"Origin": "https://evil.example"})
        assert "access-control-allow-origin" not in refused.headers
        assert "evil" not in refused.text
