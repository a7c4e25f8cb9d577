from __future__ import annotations

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voiceworker.dispatch import CallRequest

SESSION = "ses_0123456789abcdefghijkl"


def test_a_request_comes_back_as_it_was_sent() -> None:
    request = CallRequest("frontdesk", SESSION, "caller-1", {"plan": "free"}, 60)
    assert CallRequest.from_json(request.to_json()) == request


def test_a_plain_dispatch_may_say_nothing_or_only_the_agent() -> None:
    assert CallRequest.from_json("") == CallRequest()
    assert CallRequest.from_json('{"agent": "frontdesk", "other": 1}') == CallRequest(agent="frontdesk")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "not JSON"),
        ("[" * 5000, "not JSON"),
        ("[]", "JSON object"),
        ('{"agent": 3}', "agent must be a text"),
        ('{"agent": "' + "x" * 300 + '"}', "at most 256"),
        ('{"session": "../etc"}', "id of the session API"),
        ('{"metadata": "x"}', "metadata must be"),
        ('{"max_seconds": true}', "whole number"),
        (json.dumps({"metadata": {"x": "y" * 40_000}}), "over 32768 bytes"),
    ],
)
def test_hostile_metadata_is_refused_with_a_reason_that_echoes_nothing(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said) as caught:
        CallRequest.from_json(text)
    assert len(str(caught.value)) < 120


@given(st.text())
def test_any_text_is_a_request_or_a_value_error(text: str) -> None:
    with contextlib.suppress(ValueError):
        CallRequest.from_json(text)
