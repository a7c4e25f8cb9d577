"""What Prometheus may ask."""

from __future__ import annotations

import threading
from datetime import datetime
from decimal import Decimal
from typing import get_args

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from sqlalchemy.exc import SQLAlchemyError

from voiceworker.policy.latency import PARTS
from voiceworker.policy.overlap import RestoreReason
from voiceworker.records import Outcome, Position, Records

_TURNS_A_SCRAPE = 5000
"""bounds the time of one scrape, which a scraper does not wait for long; what is left over comes with the next one.
At a scrape every 15 s that is over 300 answers a second."""


class Metrics:
    """A registry of its own: two applications in one process do not share counters."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self.requests = Counter(
            "voiceworker_http_requests",
            "Requests answered.",
            ["method", "route", "status"],
            registry=self._registry,
        )
        self.join_seconds = Histogram(
            "voiceworker_join_seconds",
            "From the request for a session to its agent in the room.",
            buckets=(0.1, 0.25, 0.5, 0.75, 1, 1.5, 2, 3, 5, 10),
            registry=self._registry,
        )
        self._sessions = Gauge("voiceworker_sessions", "Sessions by status.", ["status"], registry=self._registry)
        self._workers = Gauge("voiceworker_workers", "Workers alive.", registry=self._registry)
        self._free_slots = Gauge("voiceworker_free_slots", "Calls the workers would take.", registry=self._registry)
        self._capacity = Gauge("voiceworker_capacity", "Calls the workers can hold.", registry=self._registry)

        self._turns = TurnMetrics(self._registry)
        self._costs = CostMetrics(self._registry)

    def count_from_now(self, records: Records) -> None:
        """What was recorded before is not counted, as counts begin with the process."""
        self._turns.begin(records)
        self._costs.begin(records)

    def render(self, records: Records, now: datetime) -> bytes:
        """The text format; what stands in the records is read for it."""
        for status, number in records.sessions.count_by_status().items():
            self._sessions.labels(status.value).set(number)
        live = records.workers.live(now)
        self._workers.set(len(live))
        self._free_slots.set(sum(worker.free_slots for worker in live))
        self._capacity.set(sum(worker.capacity for worker in live))
        self._turns.count_new(records)
        self._costs.count_new(records)
        return generate_latest(self._registry)


class TurnMetrics:
    """How the turns of all calls went, counted from the records, each once."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._first_audio = Histogram(
            "voiceworker_first_audio_seconds",
            "From the caller's last sample of speech to the first audible sample of the answer at his ear.",
            buckets=(0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 1, 1.25, 1.5, 2, 2.5, 3, 4, 5),
            registry=registry,
        )
        self._parts = Histogram(
            "voiceworker_first_audio_part_seconds",
            "Where the seconds to the first audio went; the parts of an answer add up to the whole.",
            ["part"],
            buckets=(0.01, 0.025, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1, 1.5, 2, 3, 5),
            registry=registry,
        )
        self._interruptions = Counter("voiceworker_interruptions", "Answers cut off by the caller.", registry=registry)
        self._restores = Counter(
            "voiceworker_restores",
            "Voices over the agent's for which it lowered its own and then went on, by what they were taken for.",
            ["reason"],
            registry=registry,
        )
        for part in PARTS:  # each is there from the start: what comes up at 1 has no rise to be seen
            self._parts.labels(part)
        for reason in get_args(RestoreReason):
            self._restores.labels(reason)
        self._position: Position | None = None
        "None until the records have told it"
        self._one_at_a_time = threading.Lock()
        "two scrapes at once would count the same turns twice"

    def begin(self, records: Records) -> None:
        try:
            self._position = records.turns.position()
        except SQLAlchemyError:
            self._position = None  # the first scrape that finds the records begins

    def count_new(self, records: Records) -> None:
        with self._one_at_a_time:
            if self._position is None:
                self._position = records.turns.position()
                return
            added = records.turns.added(self._position, _TURNS_A_SCRAPE)
            self._position = added.position
            for turn in added.turns:
                self._first_audio.observe(turn.first_audio_ms / 1000)
                for part, milliseconds in turn.parts.items():
                    self._parts.labels(part).observe(milliseconds / 1000)
            for overlap in added.overlaps:
                if overlap.outcome is Outcome.INTERRUPTED:
                    self._interruptions.inc()
                else:
                    self._restores.labels(overlap.reason or "").inc()


class CostMetrics:
    """What the models of all calls cost, counted from the records, each entry once."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._cost = Counter(
            "voiceworker_cost",
            "What the models cost, in the currency of the label.",
            ["role", "model", "currency"],
            registry=registry,
        )
        self._position: int | None = None
        "None until the records have told it"
        self._owing: dict[tuple[str, str, str], Decimal] = {}
        "what an entry took back; a counter never falls, so it is set against what comes next"
        self._one_at_a_time = threading.Lock()

    def begin(self, records: Records) -> None:
        try:
            self._position = records.usage.position()
        except SQLAlchemyError:
            self._position = None  # the first scrape that finds the records begins

    def count_new(self, records: Records) -> None:
        with self._one_at_a_time:
            if self._position is None:
                self._position = records.usage.position()
                return
            added = records.usage.added(self._position)
            self._position = added.position
            for labels, cost in added.by_model.items():
                due = cost + self._owing.pop(labels, Decimal(0))
                self._cost.labels(*labels).inc(float(max(due, Decimal(0))))
                if due < 0:
                    self._owing[labels] = due
