"""How often one key, one address and the page may ask. Counted in this process, in a moving window."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass

from limits import RateLimitItem, RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

from voiceworker.api.problems import Problem


@dataclass(frozen=True, slots=True)
class RateLimits:
    """Requests a minute."""

    address: int = 600
    "all requests from one address, whatever the key"
    key: int = 600
    "all requests with one key"
    creations: int = 120
    "sessions made with one key"
    page_creations: int = 20
    "sessions made from the page this server shows"


class RateLimiter:
    def __init__(self, limits: RateLimits) -> None:
        self._counter = MovingWindowRateLimiter(MemoryStorage())
        self._address = RateLimitItemPerMinute(limits.address)
        self._key = RateLimitItemPerMinute(limits.key)
        self._creations = RateLimitItemPerMinute(limits.creations)
        self._page_creations = RateLimitItemPerMinute(limits.page_creations)

    def count_address(self, address: str) -> None:
        """Raises Problem 429."""
        self._count(self._address, "address", address)

    def count_request(self, owner: str) -> None:
        self._count(self._key, "key", owner)

    def count_creation(self, owner: str) -> None:
        self._count(self._creations, "creations", owner)

    def count_page_creation(self, owner: str) -> None:
        self._count(self._page_creations, "page creations", owner)

    def _count(self, limit: RateLimitItem, kind: str, who: str) -> None:
        if self._counter.hit(limit, kind, who):
            return
        # The window's reset time is wall-clock time: the library counts by time.time() itself.
        free_at = self._counter.get_window_stats(limit, kind, who).reset_time
        wait_seconds = max(1, math.ceil(free_at - time.time()))
        raise Problem("rate_limited", f"Try again in {wait_seconds} s.", retry_after_seconds=wait_seconds)
