"""What the providers would charge: everything received and produced, cancelled or not."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Literal

Role = Literal["stt", "llm", "tts", "realtime"]


@dataclass(slots=True)
class Account:
    """What one API key owes for one role."""

    requests: int = 0
    "HTTP requests; stt: connections; streamed tts: what lies between two flushes. Refused ones too"
    cancelled_requests: int = 0
    "those whose client left before the answer was complete, and syntheses that it cleared"
    failed_requests: int = 0
    "those that a fault refused, broke off or left without an end"
    audio_seconds: float = 0.0
    "stt: received; of a realtime transcription, what was committed. tts: sent, in seconds of speech"
    prompt_tokens: int = 0
    completion_tokens: int = 0
    "llm: produced until the client was seen to have left"
    characters: int = 0
    "tts: text accepted for synthesis"

    def __add__(self, other: Account) -> Account:
        return Account(*(getattr(self, field.name) + getattr(other, field.name) for field in fields(self)))

    def __sub__(self, earlier: Account) -> Account:
        """What has come since a copy (`account + Account()`) was taken."""
        return Account(*(getattr(self, field.name) - getattr(earlier, field.name) for field in fields(self)))


class Bill:
    """The accounts by API key and role."""

    def __init__(self) -> None:
        self._accounts: dict[tuple[str, Role], Account] = {}

    def account(self, api_key: str, role: Role) -> Account:
        """The live account; it goes on counting."""
        return self._accounts.setdefault((api_key, role), Account())

    def total(self, role: Role | None = None, api_key: str | None = None) -> Account:
        """A sum as of now, over what is not given."""
        matching = (
            account
            for (key, its_role), account in self._accounts.items()
            if (role is None or its_role == role) and (api_key is None or key == api_key)
        )
        return sum(matching, Account())

    def __iter__(self) -> Iterator[tuple[str, Role, Account]]:
        return iter([(key, role, account) for (key, role), account in sorted(self._accounts.items())])
