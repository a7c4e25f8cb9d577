"""What libraries do at their first use, done while a process waits for its call: on the way to a greeting it would keep
a core busy for 0.1 s."""

from __future__ import annotations

import importlib

from livekit.agents import tokenize
from livekit.agents.utils import http_context

_IMPORTED_LATE = ("anyio._backends._asyncio", "numpy.fft", "openai.resources.models")


def have_first_uses_behind() -> None:
    for module in _IMPORTED_LATE:
        importlib.import_module(module)
    tokenize.basic.hyphenate_word("ready")  # captions are paced by syllables; it reads their patterns
    http_context._create_ssl_context()  # reads the machine's certificates, once for all that share the HTTP session
