from __future__ import annotations

from typing import TYPE_CHECKING

import httpx

from voiceworker.records import Scope

if TYPE_CHECKING:
    from tests.api.conftest import House, HouseBuilder


async def test_agents_are_those_whose_file_is_good(house: House, shop: httpx.AsyncClient) -> None:
    (house.settings.agents_directory / "broken.yaml").write_text("name: broken\n")
    assert (await shop.get("/v1/agents")).json() == {
        "agents": [
            {"name": "clinic", "language": "en", "default": False},
            {"name": "frontdesk", "language": "en", "default": True},
        ]
    }


async def test_ready_means_sfu_database_and_a_live_worker(house: House) -> None:
    async with house.client() as client:
        assert (await client.get("/livez")).json() == {"status": "alive"}
        ready = await client.get("/readyz")
        assert (ready.status_code, ready.json()["status"]) == (200, "ready")
        house.clock.advance(3)
        house.rooms.unplugged = True
        unready = await client.get("/readyz")
    assert (unready.status_code, unready.json()["code"]) == (503, "not_ready")
    checks = unready.json()["checks"]
    assert {name: check["ok"] for name, check in checks.items()} == {"sfu": False, "database": True, "worker": False}
    assert "agent.py start" in unready.json()["detail"]


async def test_a_database_that_is_gone_is_told(build_house: HouseBuilder) -> None:
    house = build_house()
    for name in ("", "-wal", "-shm"):
        house.settings.data_directory.joinpath(f"voiceworker.db{name}").unlink(missing_ok=True)
    house.records.close()
    async with house.client() as client:
        assert (await client.get("/readyz")).json()["checks"]["database"]["ok"] is False
        answer = await client.get("/v1/agents", headers={"Authorization": "Bearer vwk_1_2"})
    assert (answer.status_code, answer.json()["code"]) == (503, "records_unavailable")


async def test_metrics_count_by_route_and_status_and_tell_free_places(house: House, shop: httpx.AsyncClient) -> None:
    await shop.post("/v1/realtime/sessions", json={})
    await shop.get("/v1/realtime/sessions/ses_secret")
    await shop.get("/secret/path")
    text = (await shop.get("/metrics")).text
    assert 'voiceworker_sessions{status="dispatched"} 1.0' in text
    assert "voiceworker_free_slots 4.0" in text
    assert 'route="/v1/realtime/sessions/{session_id}",status="404"' in text
    assert "secret" not in text


async def test_metrics_need_a_key_when_the_api_is_open_to_the_network(build_house: HouseBuilder) -> None:
    house = build_house(api_host="0.0.0.0")
    async with house.client() as client:
        assert (await client.get("/metrics")).status_code == 401
        assert (await client.get("/metrics", headers=house.key(Scope.METRICS_READ))).status_code == 200
