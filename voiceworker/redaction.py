"""Keeps secrets out of every log line, whoever writes it: a provider's error may quote the key that it was sent.

Nothing of ours writes a key. This is for what others say: messages of providers, exceptions with a request in them,
debug lines of the plugins, tracebacks.
"""

from __future__ import annotations

import logging
import re
import sys
import threading
import traceback
from collections.abc import Iterable
from types import TracebackType
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from voiceworker.config import Settings

REDACTED = "[redacted]"

_SHORTEST = 8
"characters: what is shorter is a word that stands in innocent lines as well, and no key that anybody gives out"
_SHAPES = (r"\beyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]{16,}", r"\bvwk_[0-9A-Za-z]+_[\w-]{16,}")
"secrets known by their looks: a JSON Web Token, with which one joins a room, and a key to our API"
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime"}
_WITH_TEXT = frozenset({"message", "exc_text", "stack_info"})


def secrets_of(settings: Settings) -> frozenset[str]:
    """Every value of the settings that nobody may read: whatever is kept out of their repr.

    LiveKit's API key is a name, it stands in every token; of the database's URL it is the password.
    """
    hidden = {name for name, field in Settings.model_fields.items() if not field.repr}
    plain = hidden - {"livekit_api_key", "database_url", "provider_keys"}
    password = urlsplit(settings.database_url).password or ""
    values = (*(getattr(settings, name) for name in plain), *settings.provider_keys.values())
    return frozenset(value for value in (*values, password, unquote(password)) if value)


class Redactor:
    """Puts `[redacted]` in the place of known secrets, as they are and as they stand in a URL, and of tokens."""

    def __init__(self, secrets: Iterable[str]) -> None:
        known = {form for secret in secrets if len(secret) >= _SHORTEST for form in (secret, quote(secret, safe=""))}
        longest_first = sorted(known, key=lambda form: (-len(form), form))
        self._pattern = re.compile("|".join([*map(re.escape, longest_first), *_SHAPES]))

    def text(self, text: str) -> str:
        return self._pattern.sub(REDACTED, text)

    def value(self, value: Any) -> Any:
        """The same, with strings in it redacted; what is no plain data becomes its text if that holds a secret."""
        if value is None or isinstance(value, bool | int | float):
            return value
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict):
            return {self.value(key): self.value(inner) for key, inner in value.items()}
        if isinstance(value, list | tuple):
            return [self.value(inner) for inner in value]
        text = str(value)
        clean = self.text(text)
        return value if clean == text else clean


class SecretFilter(logging.Filter):
    """For handlers: nothing that it lets through holds a secret, in message, traceback or extra fields."""

    def __init__(self, secrets: Iterable[str]) -> None:
        super().__init__()
        self.redactor = Redactor(secrets)

    def filter(self, record: logging.LogRecord) -> bool:
        clean = self.redactor
        if isinstance(record.msg, dict):  # structured lines of the framework's formatter
            record.msg = clean.value(record.msg)
        else:
            message = _message(record)
            if clean.text(message) != message:
                record.msg, record.args = clean.text(message), None
        if record.exc_info and record.exc_info[0] is not None:
            text = "".join(traceback.format_exception(*record.exc_info)).rstrip("\n")
            if clean.text(text) != text:
                record.exc_info, record.exc_text = None, clean.text(text)
        for name, value in vars(record).items():
            if name not in _STANDARD or name in _WITH_TEXT:
                vars(record)[name] = clean.value(value)
        return True


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except (TypeError, ValueError):  # its arguments do not fit: the handler will say so, and show both
        return f"{record.msg} {record.args}"


_filter: SecretFilter | None = None
"of this process: a log is global, and so is what must not stand in it"


def redact_logs(secrets: Iterable[str]) -> None:
    """From now on no handler of this process shows one of them, whenever it is attached; nor does a crash."""
    global _filter
    if _filter is None:
        logging.Logger.addHandler = _add_handler  # type: ignore[method-assign,assignment]
        sys.excepthook = _report_crash
        threading.excepthook = _report_thread_crash
    previous, _filter = _filter, SecretFilter(secrets)
    loggers = [logging.getLogger(), *map(logging.getLogger, logging.Logger.manager.loggerDict)]
    for handler in {handler for logger in loggers for handler in logger.handlers} | {logging.lastResort}:
        if handler is not None:
            if previous is not None:
                handler.removeFilter(previous)
            handler.addFilter(_filter)


_attach = logging.Logger.addHandler


def _add_handler(logger: logging.Logger, handler: logging.Handler) -> None:
    """The framework attaches handlers when it likes: to the root logger at start, and in each process of a call."""
    if _filter is not None and _filter not in handler.filters:
        handler.addFilter(_filter)
    _attach(logger, handler)


def _report_crash(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    text = "".join(traceback.format_exception(kind, error, trace))
    sys.stderr.write(text if _filter is None else _filter.redactor.text(text))


def _report_thread_crash(crash: threading.ExceptHookArgs) -> None:
    if crash.exc_type is not SystemExit and crash.exc_value is not None:
        _report_crash(crash.exc_type, crash.exc_value, crash.exc_traceback)
