"""A call whose budget is spent, through the SFU: warned, answered, dismissed politely; and no other one let in."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import closing
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from emulated import Call, Rig, call_to, running

from voiceworker.events import BudgetExceeded, BudgetWarned, Event, SessionEnded
from voiceworker.lab.bench.speeches import Speeches
from voiceworker.lab.emulators import ProviderEmulators, Sentences
from voiceworker.records import Scope, open_records

pytestmark = [pytest.mark.system, pytest.mark.asyncio(loop_scope="session")]

REPLIES = Sentences(6, words_per_sentence=6)
QUESTIONS = [one for one in Speeches(seed=5).whole_turns() if 5 <= len(one.words) <= 7][:3]
GOODBYE = "Our time is up. Goodbye."
SESSION_LIMIT, KEY_LIMIT = Decimal("0.0045"), Decimal("0.0068")
"""USD. A turn costs 0.0016 to 0.0018, most of it the voice; the greeting 0.0006 when it is not kept from an earlier
call, the goodbye 0.0007. So a call's budget is spent in its third turn, and the key's in the first of the next call."""
SCOPES = {Scope.SESSIONS_CREATE, Scope.SESSIONS_READ, Scope.SESSIONS_DELETE}


def agent(name: str, limits: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": name,
        "instructions": "Answer.",
        "greeting": "Hello, who is there?",
        "models": {"stt": ["deepgram/nova-3"], "llm": ["openai/gpt-4.1-mini"], "tts": ["deepgram/aura-2-thalia-en"]},
        "phrases": {"budget_spent": GOODBYE},
        "turns": {"speculation": False},  # else what is prepared ahead may spend it before the turn begins
        "limits": limits,
    }


AGENTS = [
    agent("bounded", {"budget": {"amount": float(SESSION_LIMIT), "currency": "USD", "warn_at": 0.5}}),
    agent("unbounded", {}),
]


@pytest_asyncio.fixture(loop_scope="session")
async def emulators() -> AsyncIterator[ProviderEmulators]:
    async with ProviderEmulators(replies=REPLIES) as running_emulators:
        yield running_emulators


def key_with_budget(rig: Rig) -> str:
    with closing(open_records(rig.settings.records_url)) as records:
        now = datetime.now(UTC)
        return records.keys.create("shop", SCOPES, now, budget_per_day=KEY_LIMIT, budget_currency="USD")[1]


async def dismissed(call: Call, scope: str, asked: int, *told: type[Event]) -> None:
    """Each question got its answer, then the goodbye came; the events `told` say why."""
    assert await call.caller.until(lambda: call.caller.agent_left, within_seconds=30)
    events = [event for event in call.events if getattr(event, "scope", scope) == scope]
    kinds = [type(event) for event in events if isinstance(event, BudgetWarned | BudgetExceeded | SessionEnded)]
    assert kinds == list(told)
    assert [event.reason for event in events if isinstance(event, SessionEnded)] == ["budget_spent"]
    assert call.agent_said[1:] == [*(REPLIES.text(turn) for turn in range(1, asked + 1)), GOODBYE]


async def asked_for(rig: Rig, key: str, method: str = "POST", session: str = "") -> tuple[int, dict[str, Any], str]:
    """What the API answers: status, body, Retry-After."""
    headers = {"Authorization": f"Bearer {key}"}
    url = f"{rig.url}/v1/realtime/sessions{session and '/'}{session}"
    async with aiohttp.ClientSession(headers=headers) as http, http.request(method, url, json={}) as answer:
        body = await answer.json() if answer.status != 204 else {}
        return answer.status, body, answer.headers.get("Retry-After", "")


def cost_by_turn(rig: Rig, session: str) -> dict[int, Decimal]:
    costs: dict[int, Decimal] = {}
    with closing(open_records(rig.settings.records_url)) as records:
        for entry in records.usage.of_session(session):
            assert entry.cost is not None
            costs[entry.turn] = costs.get(entry.turn, Decimal(0)) + entry.cost
    return costs


async def test_a_call_ends_politely_when_its_budget_is_spent_and_a_spent_key_gets_no_other(
    emulators: ProviderEmulators, tmp_path: Path
) -> None:
    async with running(tmp_path, emulators, AGENTS) as rig:
        key = key_with_budget(rig)
        async with call_to(rig, emulators, "bounded", tmp_path, key=key) as call:
            for question in QUESTIONS:
                await call.ask(question)
            await dismissed(call, "session", len(QUESTIONS), BudgetWarned, BudgetExceeded, SessionEnded)
        costs = cost_by_turn(rig, call.session)
        spent, last = sum(costs.values()), costs[len(QUESTIONS)]
        print(f"\nof {SESSION_LIMIT} {spent:.4f} spent, by turn {[f'{costs[turn]:.4f}' for turn in sorted(costs)]}")
        assert SESSION_LIMIT <= spent <= SESSION_LIMIT + last
        status, body, _ = await asked_for(rig, key, "GET", call.session)
        assert (status, body["status"], body["reason"]) == (200, "ended", "budget_spent")

        async with call_to(rig, emulators, "unbounded", tmp_path, key=key) as call:
            await call.ask(QUESTIONS[0])
            await dismissed(call, "key", 1, BudgetWarned, BudgetExceeded, SessionEnded)
        assert spent < KEY_LIMIT <= spent + sum(cost_by_turn(rig, call.session).values())
        status, body, retry_after = await asked_for(rig, key)
        assert (status, body["code"], body["scope"]) == (429, "budget_spent", "key")
        assert 0 < int(retry_after) <= 24 * 3600
        status, body, _ = await asked_for(rig, rig.key)
        assert status == 201
        assert (await asked_for(rig, rig.key, "DELETE", body["id"]))[0] in (200, 204)
