"""What Prometheus may ask."""

from __future__ import annotations

from datetime import datetime

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from voiceworker.records import Records


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

    def render(self, records: Records, now: datetime) -> bytes:
        """The text format; what stands in the records is read for it."""
        for status, number in records.sessions.count_by_status().items():
            self._sessions.labels(status.value).set(number)
        live = records.workers.live(now)
        self._workers.set(len(live))
        self._free_slots.set(sum(worker.free_slots for worker in live))
        self._capacity.set(sum(worker.capacity for worker in live))
        return generate_latest(self._registry)
