from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from prometheus_client.parser import text_string_to_metric_families

from voiceworker.api.metrics import Metrics
from voiceworker.policy.latency import PARTS
from voiceworker.policy.pricing import Usage
from voiceworker.records import Entry, Outcome, Overlap, Session, SessionStatus, Turn

if TYPE_CHECKING:
    from tests.api.conftest import House, HouseBuilder

FIRST_AUDIO, PART = "voiceworker_first_audio_seconds", "voiceworker_first_audio_part_seconds"


def samples(text: bytes | str) -> dict[str, float]:
    """`name{label="value"}` -> value, as a scraper reads them."""
    text = text.decode() if isinstance(text, bytes) else text
    found = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            labels = ",".join(f'{name}="{value}"' for name, value in sample.labels.items())
            found[f"{sample.name}{{{labels}}}" if labels else sample.name] = sample.value
    return found


def begin_call(house: House) -> None:
    session = Session("ses_1", "frontdesk", SessionStatus.ACTIVE, "ses_1", "caller-1", house.clock(), {})
    house.records.sessions.create(session)


def answer(house: House, sequence: int, **parts: int) -> None:
    spent = dict.fromkeys(PARTS, 0) | parts
    house.records.turns.put(Turn("ses_1", sequence, house.clock(), sum(spent.values()), spent))


async def scraped(house: House) -> dict[str, float]:
    async with house.client() as client:
        return samples((await client.get("/metrics")).text)


async def test_each_answer_is_counted_once_with_its_parts(house: House) -> None:
    begin_call(house)
    answer(house, 1, end_of_speech=200, first_token=350, transit=100)
    answer(house, 2, end_of_speech=200, tools=2000, transit=100)
    await scraped(house)
    answer(house, 3, end_of_speech=250, transit=100)
    told = await scraped(house)
    assert told[f"{FIRST_AUDIO}_count"] == 3
    assert told[f"{FIRST_AUDIO}_sum"] == pytest.approx(0.65 + 2.3 + 0.35)
    assert (told[f'{FIRST_AUDIO}_bucket{{le="0.4"}}'], told[f'{FIRST_AUDIO}_bucket{{le="0.7"}}']) == (1, 2)
    assert told[f'{PART}_sum{{part="tools"}}'] == 2
    assert {told[f'{PART}_count{{part="{part}"}}'] for part in PARTS} == {3}
    together = sum(told[f'{PART}_sum{{part="{part}"}}'] for part in PARTS)
    assert together == pytest.approx(told[f"{FIRST_AUDIO}_sum"])


async def test_before_the_first_answer_every_part_and_reason_stands_at_zero(house: House) -> None:
    told = await scraped(house)
    assert told[f"{FIRST_AUDIO}_count"] == told["voiceworker_interruptions_total"] == 0
    assert {told[f'{PART}_count{{part="{part}"}}'] for part in PARTS} == {0}
    assert told['voiceworker_restores_total{reason="backchannel"}'] == 0


async def test_counts_begin_with_the_process(house: House) -> None:
    begin_call(house)
    answer(house, 1, transit=100)
    house.records.turns.put(Overlap("ses_1", 2, house.clock(), Outcome.INTERRUPTED))
    started_later = Metrics()
    started_later.count_from_now(house.records)
    answer(house, 3, transit=200)
    told = samples(started_later.render(house.records, house.clock()))
    assert told[f"{FIRST_AUDIO}_count"] == 1
    assert told[f"{FIRST_AUDIO}_sum"] == pytest.approx(0.2)
    assert told["voiceworker_interruptions_total"] == 0


async def test_interruptions_and_voices_that_the_agent_spoke_through_are_counted(house: House) -> None:
    begin_call(house)
    overlaps = (
        Overlap("ses_1", 4, house.clock(), Outcome.RESTORED, "backchannel"),
        Overlap("ses_1", 5, house.clock(), Outcome.INTERRUPTED),
        Overlap("ses_1", 6, house.clock(), Outcome.RESTORED, "noise"),
        Overlap("ses_1", 7, house.clock(), Outcome.RESTORED, "backchannel"),
    )
    for overlap in overlaps:
        house.records.turns.put(overlap)
    told = await scraped(house)
    assert told["voiceworker_interruptions_total"] == 1
    assert told['voiceworker_restores_total{reason="backchannel"}'] == 2
    assert told['voiceworker_restores_total{reason="noise"}'] == 1


async def test_scrapes_at_the_same_moment_count_nothing_twice(house: House) -> None:
    begin_call(house)
    for sequence in range(40):
        answer(house, sequence, transit=100)
    await asyncio.gather(*(scraped(house) for _ in range(4)))
    assert (await scraped(house))[f"{FIRST_AUDIO}_count"] == 40


async def test_an_api_that_starts_without_its_records_counts_once_they_are_back(build_house: HouseBuilder) -> None:
    house = build_house()
    database = house.settings.data_directory / "voiceworker.db"
    house.records.close()
    away = database.rename(database.with_suffix(".away"))
    metrics = Metrics()
    metrics.count_from_now(house.records)
    house.records.close()
    away.rename(database)
    for name in ("-wal", "-shm"):
        database.with_name(f"voiceworker.db{name}").unlink(missing_ok=True)
    metrics.render(house.records, house.clock())
    begin_call(house)
    answer(house, 1, transit=100)
    assert samples(metrics.render(house.records, house.clock()))[f"{FIRST_AUDIO}_count"] == 1


def spend(house: House, cost: str) -> None:
    usage = Usage("llm", "openai/gpt-4.1-mini", input_tokens=1)
    house.records.usage.enter("ses_1", [Entry(1, usage, Decimal(cost), "USD")], house.clock())


async def test_what_the_models_cost_is_counted_and_never_falls(house: House) -> None:
    counter = 'voiceworker_cost_total{currency="USD",model="openai/gpt-4.1-mini",role="llm"}'
    begin_call(house)
    assert counter not in await scraped(house)
    seen = []
    for cost in ("0.5", "0.25", "-0.5", "0.75"):
        spend(house, cost)
        seen.append((await scraped(house))[counter])
    assert seen == [0.5, 0.75, 0.75, 1.0]
