from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import httpx
import pytest

from voiceworker.policy.pricing import Usage
from voiceworker.records import Entry, Scope

if TYPE_CHECKING:
    from tests.api.conftest import House, HouseBuilder

SCOPES = (Scope.SESSIONS_CREATE, Scope.SESSIONS_READ, Scope.USAGE_READ)
HEARD = Entry(1, Usage("stt", "deepgram/nova-3", audio_seconds=60), Decimal("0.0077"), "USD")
THOUGHT = Entry(1, Usage("llm", "openai/gpt-4.1-mini", input_tokens=10**6, estimated=True), Decimal("0.4"), "USD")
UNKNOWN = Entry(2, Usage("llm", "openai/gpt-9", input_tokens=5), None, "USD")


@pytest.fixture
async def shop(house: House) -> AsyncIterator[httpx.AsyncClient]:
    async with house.client(headers=house.key(*SCOPES)) as client:
        yield client


async def call(house: House, client: httpx.AsyncClient, *entries: Entry, agent: str = "frontdesk") -> str:
    """A session that has used something."""
    answer = await client.post("/v1/realtime/sessions", json={"agent": agent})
    assert answer.status_code == 201, answer.text
    session: str = answer.json()["id"]
    house.records.usage.enter(session, entries, house.clock())
    return session


async def test_a_session_tells_what_it_cost_by_turn_and_model(house: House, shop: httpx.AsyncClient) -> None:
    session = await call(house, shop, HEARD, THOUGHT, UNKNOWN)
    told = (await shop.get(f"/v1/realtime/sessions/{session}/usage")).json()
    assert {key: told[key] for key in ("session", "cost", "currency", "estimated", "unpriced")} == {
        "session": session,
        "cost": "0.407700000",
        "currency": "USD",
        "estimated": True,
        "unpriced": ["openai/gpt-9"],
    }
    assert [(one["turn"], one["model"], one["cost"]) for one in told["turns"]] == [
        (1, "openai/gpt-4.1-mini", "0.400000000"),
        (1, "deepgram/nova-3", "0.007700000"),
        (2, "openai/gpt-9", None),
    ]
    assert told["turns"][0]["input_tokens"] == 10**6
    assert told["turns"][1]["audio_seconds"] == 60


async def test_a_session_that_used_nothing_cost_nothing(house: House, shop: httpx.AsyncClient) -> None:
    session = await call(house, shop)
    told = (await shop.get(f"/v1/realtime/sessions/{session}/usage")).json()
    assert told == {
        "session": session,
        "cost": "0",
        "currency": "",
        "estimated": False,
        "unpriced": [],
        "turns": [],
    }


async def test_somebody_elses_session_is_not_there(house: House, shop: httpx.AsyncClient) -> None:
    session = await call(house, shop, HEARD)
    async with house.client(headers=house.key(*SCOPES, name="other")) as other:
        assert (await other.get(f"/v1/realtime/sessions/{session}/usage")).json()["code"] == "session_not_found"


async def test_a_report_adds_up_what_ones_own_calls_cost(house: House, shop: httpx.AsyncClient) -> None:
    await call(house, shop, HEARD, THOUGHT)
    await call(house, shop, HEARD, agent="clinic")
    async with house.client(headers=house.key(*SCOPES, name="other")) as other:
        await call(house, other, THOUGHT, UNKNOWN)
    today = house.clock().astimezone(UTC).date()
    told = (await shop.get("/v1/usage", params={"group_by": "agent"})).json()
    assert (told["from"], told["to"], told["group_by"]) == (str(today - timedelta(days=29)), str(today), "agent")
    assert [(one["group"], one["sessions"], one["cost"]) for one in told["groups"]] == [
        ("clinic", 1, "0.007700000"),
        ("frontdesk", 1, "0.407700000"),
    ]
    by_day = (await shop.get("/v1/usage")).json()["groups"]
    assert [(one["group"], one["cost"], one["audio_seconds"]) for one in by_day] == [(str(today), "0.415400000", 120)]


async def test_who_may_read_everybodys_usage_sees_all_keys(house: House, shop: httpx.AsyncClient) -> None:
    await call(house, shop, HEARD)
    async with house.client(headers=house.key(*SCOPES, Scope.USAGE_ALL, name="office")) as office:
        await call(house, office, HEARD)
        everybody = (await office.get("/v1/usage?group_by=key")).json()["groups"]
    own = (await shop.get("/v1/usage?group_by=key")).json()["groups"]
    assert (len(everybody), len(own)) == (2, 1)


async def test_days_are_those_that_are_asked_for(house: House, shop: httpx.AsyncClient) -> None:
    session = await call(house, shop)
    for day in ("2026-03-01", "2026-03-02", "2026-03-03"):
        house.records.usage.enter(session, [HEARD], datetime.fromisoformat(f"{day}T12:00:00+00:00"))
    told = (await shop.get("/v1/usage?from=2026-03-02&to=2026-03-03")).json()
    assert [one["group"] for one in told["groups"]] == ["2026-03-02", "2026-03-03"]


@pytest.mark.parametrize(
    "query",
    [
        "from=yesterday",
        "to=2026-02-30",
        "group_by=mood",
        "from=2026-03-02&to=2026-03-01",
        "from=2020-01-01&to=2026-01-01",
    ],
)
async def test_a_report_of_no_days_is_refused(shop: httpx.AsyncClient, query: str) -> None:
    answer = await shop.get(f"/v1/usage?{query}")
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")


async def test_the_first_days_there_are_can_be_asked_for(shop: httpx.AsyncClient) -> None:
    assert (await shop.get("/v1/usage?to=0001-01-05")).json()["from"] == "0001-01-01"


async def test_a_report_needs_its_scope(house: House) -> None:
    async with house.client(headers=house.key(Scope.SESSIONS_READ)) as client:
        refused = await client.get("/v1/usage")
    assert (refused.status_code, refused.json()["scope"]) == (403, "usage:read")


# --- budgets ---


async def test_a_key_whose_day_is_spent_is_refused_until_midnight(house: House) -> None:
    _, text = house.records.keys.create(
        "shop", SCOPES, house.clock(), budget_per_day=Decimal("0.40"), budget_currency="USD"
    )
    async with house.client(headers={"Authorization": f"Bearer {text}"}) as shop:
        await call(house, shop, replace_cost(HEARD, "0.39"))
        await call(house, shop, replace_cost(HEARD, "0.01"))
        refused = await shop.post("/v1/realtime/sessions", json={})
        assert (refused.status_code, refused.json()["code"], refused.json()["scope"]) == (429, "budget_spent", "key")
        house.clock.advance(int(refused.headers["retry-after"]))
        house.worker_beats()
        assert (await shop.post("/v1/realtime/sessions", json={})).status_code == 201
    async with house.client(headers=house.key(*SCOPES, name="other")) as other:
        assert (await other.post("/v1/realtime/sessions", json={})).status_code == 201


async def test_a_keys_budget_is_held_against_costs_in_another_currency(house: House) -> None:
    _, text = house.records.keys.create(
        "shop", SCOPES, house.clock(), budget_per_day=Decimal(100), budget_currency="JPY"
    )
    async with house.client(headers={"Authorization": f"Bearer {text}"}) as shop:
        await call(house, shop, replace_cost(HEARD, "0.5"))
        await call(house, shop, replace_cost(HEARD, "0.5"))
        assert (await shop.post("/v1/realtime/sessions", json={})).json()["code"] == "budget_spent"


async def test_an_agent_whose_day_is_spent_is_refused_while_another_answers(build_house: HouseBuilder) -> None:
    house = build_house()
    file = house.settings.agents_directory / "clinic.yaml"
    file.write_text(
        "name: clinic\ninstructions: Be kind.\ngreeting: Hello.\n"
        "limits: {budget_per_day: {amount: 0.5, currency: USD}}\n"
    )
    async with house.client(headers=house.key(*SCOPES)) as shop:
        await call(house, shop, replace_cost(HEARD, "0.5"), agent="clinic")
        refused = await shop.post("/v1/realtime/sessions", json={"agent": "clinic"})
        assert (refused.json()["code"], refused.json()["scope"]) == ("budget_spent", "agent")
        assert (await shop.post("/v1/realtime/sessions", json={"agent": "frontdesk"})).status_code == 201


async def test_when_everybodys_day_is_spent_nobody_is_admitted(build_house: HouseBuilder) -> None:
    house = build_house(budget_per_day=Decimal(1))
    async with house.client(headers=house.key(*SCOPES)) as shop:
        await call(house, shop, replace_cost(HEARD, "1.5"))
        refused = await shop.post("/v1/realtime/sessions", json={})
    assert (refused.json()["code"], refused.json()["scope"]) == ("budget_spent", "day")
    assert "1.5" not in refused.text


async def test_a_budget_in_a_currency_without_a_rate_is_the_operators_mistake(build_house: HouseBuilder) -> None:
    house = build_house()
    (house.settings.agents_directory / "clinic.yaml").write_text(
        "name: clinic\ninstructions: Be kind.\ngreeting: Hello.\n"
        "limits: {budget_per_day: {amount: 0.5, currency: XXX}}\n"
    )
    async with house.client(headers=house.key(*SCOPES)) as shop:
        assert (await shop.post("/v1/realtime/sessions", json={"agent": "clinic"})).json()["code"] == "unknown_agent"


def replace_cost(entry: Entry, cost: str) -> Entry:
    return Entry(entry.turn, entry.usage, Decimal(cost), entry.currency)
