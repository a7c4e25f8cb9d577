from __future__ import annotations

import base64
import hashlib
import hmac
from datetime import UTC, datetime

from voiceworker.api.tokens import turn_servers

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


def test_turn_credentials_are_what_coturn_computes() -> None:
    [server] = turn_servers(["turn:a:3478", "turns:a:443"], "secret", "caller-1", NOON)
    assert server.urls == ["turn:a:3478", "turns:a:443"]
    assert server.username == f"{int(NOON.timestamp()) + 300}:caller-1"
    expected = hmac.new(b"secret", server.username.encode(), hashlib.sha1).digest()
    assert server.credential == base64.b64encode(expected).decode()


def test_without_server_or_secret_there_are_none() -> None:
    assert turn_servers([], "secret", "caller-1", NOON) == []
    assert turn_servers(["turn:a:3478"], "", "caller-1", NOON) == []
