from __future__ import annotations

import io
import logging
import pickle
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from livekit.agents.cli.log import JsonFormatter

from voiceworker import redaction
from voiceworker.config import load_settings
from voiceworker.redaction import REDACTED, Redactor, SecretFilter, redact_logs, secrets_of

KEY = "sk-planted+0123/456789"
TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJjYWxsZXIifQ.c2lnbmF0dXJlLW9mLWEtdG9rZW4"


class Log:
    """A handler as the worker has it, with what it has written."""

    def __init__(self, formatter: logging.Formatter | None = None) -> None:
        self.written = io.StringIO()
        self.handler = logging.StreamHandler(self.written)
        self.handler.setFormatter(formatter or JsonFormatter())
        self.logger = logging.Logger("provider")

    @property
    def text(self) -> str:
        return self.written.getvalue()


@pytest.fixture
def log() -> Log:
    log = Log()
    log.handler.addFilter(SecretFilter([KEY]))
    log.logger.addHandler(log.handler)
    return log


def is_clean(text: str) -> bool:
    return KEY not in text and REDACTED in text


def test_a_key_in_a_message_or_its_arguments_is_not_shown(log: Log) -> None:
    log.logger.warning("the key %s is wrong", KEY)
    log.logger.warning(f"Authorization: Token {KEY}")
    assert is_clean(log.text)
    assert log.text.count(REDACTED) == 2
    assert "is wrong" in log.text


def test_a_key_in_an_exception_or_what_caused_it_is_not_shown(log: Log) -> None:
    try:
        try:
            raise ValueError(f"Incorrect API key provided: {KEY}")
        except ValueError as error:
            raise RuntimeError("no answer") from error
    except RuntimeError:
        log.logger.exception("it failed")
    assert is_clean(log.text)
    assert "RuntimeError: no answer" in log.text
    assert "test_redaction.py" in log.text


def test_a_key_in_an_extra_field_is_not_shown(log: Log) -> None:
    headers = {"Authorization": f"Bearer {KEY}", "tries": [1, (KEY,)], "error": ValueError(KEY)}
    log.logger.info("asked", extra={"lk.pii.data": headers, "body": KEY, "count": 3, "cause": ValueError(KEY)})
    assert is_clean(log.text)
    assert '"count": 3' in log.text


def test_a_key_in_a_url_is_known_too() -> None:
    assert Redactor([KEY]).text("wss://host/?key=sk-planted%2B0123%2F456789&x=1") == f"wss://host/?key={REDACTED}&x=1"


def test_tokens_and_keys_of_our_api_are_known_by_their_looks() -> None:
    line = f"joining with {TOKEN}, asked by vwk_ab12_{'x' * 32}."
    assert Redactor([]).text(line) == f"joining with {REDACTED}, asked by {REDACTED}."


def test_short_words_are_left_in_their_lines() -> None:
    assert Redactor(["test", ""]).text("a test of the rest") == "a test of the rest"


def test_a_secret_within_another_does_not_leave_its_rest() -> None:
    assert Redactor(["secret-one", "secret-one-and-more"]).text("secret-one-and-more") == REDACTED


def test_innocent_lines_stay_as_they_are(log: Log) -> None:
    plain = Log()
    plain.logger.addHandler(plain.handler)
    for one in (log, plain):
        record = logging.LogRecord("p", logging.INFO, __file__, 1, "%d of %s", (3, {"a": 1}), None)
        record.created, record.extra_field = 0.0, (1, "two")
        one.logger.handle(record)
    assert log.text == plain.text


def test_a_line_whose_arguments_do_not_fit_is_no_way_out(log: Log, capsys: pytest.CaptureFixture[str]) -> None:
    log.logger.info("one %s and %s", KEY)
    assert KEY not in log.text + capsys.readouterr().err


def test_a_record_stays_fit_to_be_sent_to_another_process() -> None:
    record = logging.LogRecord("p", logging.INFO, __file__, 1, "with %s", (KEY,), None)
    assert SecretFilter([KEY]).filter(record)
    assert KEY.encode() not in pickle.dumps(record)


@given(st.text(max_size=30), st.text(max_size=30), st.text(min_size=8, max_size=20))
def test_no_secret_is_left_whatever_stands_around_it(before: str, after: str, secret: str) -> None:
    assert secret not in Redactor([secret]).text(before + secret + after).replace(REDACTED, "")


# --- the whole process ---


@pytest.fixture
def process_log(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What redact_logs changes is put back."""
    monkeypatch.setattr(redaction, "_filter", None)
    monkeypatch.setattr(logging.Logger, "addHandler", logging.Logger.addHandler)
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    monkeypatch.setattr(threading, "excepthook", threading.excepthook)
    yield
    installed = redaction._filter
    for logger in [logging.getLogger(), *map(logging.getLogger, logging.Logger.manager.loggerDict)]:
        for handler in logger.handlers:
            if installed is not None:
                handler.removeFilter(installed)
    if installed is not None and logging.lastResort is not None:
        logging.lastResort.removeFilter(installed)


@pytest.mark.usefixtures("process_log")
def test_handlers_of_before_and_of_later_are_guarded() -> None:
    early, late = Log(), Log()
    early.logger = late.logger = logging.getLogger("voiceworker.tests.redaction")
    early.logger.addHandler(early.handler)
    try:
        redact_logs([KEY])
        redact_logs([KEY])  # a second time changes nothing
        late.logger.addHandler(late.handler)
        early.logger.warning("the key is %s", KEY)
    finally:
        early.logger.handlers.clear()
    assert is_clean(early.text)
    assert is_clean(late.text)
    assert len(early.handler.filters) == len(late.handler.filters) == 1


CRASH = """
import sys, threading
from voiceworker.redaction import redact_logs
redact_logs([sys.argv[1]])
thread = threading.Thread(target=lambda: int("in a thread: " + sys.argv[1]))
thread.start()
thread.join()
raise ValueError("in the main thread: " + sys.argv[1])
"""


def test_a_crash_shows_its_trace_and_not_the_key() -> None:
    crashed = subprocess.run([sys.executable, "-c", CRASH, KEY], capture_output=True, text=True, check=False)
    assert crashed.returncode == 1
    assert is_clean(crashed.stderr)
    assert f"in the main thread: {REDACTED}" in crashed.stderr
    assert f"in a thread: {REDACTED}" in crashed.stderr


# --- settings ---


def test_every_secret_setting_is_one() -> None:
    environment = {
        "LIVEKIT_API_KEY": "APIplanted",
        "LIVEKIT_API_SECRET": "planted-livekit",
        "VOICEWORKER_API_KEY": "planted-own",
        "VOICEWORKER_TURN_SECRET": "planted-turn",
        "VOICEWORKER_DATABASE_URL": "postgresql://user:planted%40base@host/db",
        "OPENAI_API_KEY": "planted-openai",
        "DEEPGRAM_API_KEY": "planted-deepgram",
        "ELEVEN_API_KEY": "planted-eleven",
    }
    settings = load_settings(environment)
    assert secrets_of(settings) >= {value for value in environment.values() if value.startswith("planted")} | {
        "planted%40base",
        "planted@base",
    }
    assert "APIplanted" not in secrets_of(settings)
    assert "planted" not in repr(settings).replace("APIplanted", "")
    assert secrets_of(load_settings({})) == set()
