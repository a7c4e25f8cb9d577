"""The whole of voiceworker, running for real."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from rich.console import Console
from rig import RunningStack, make_key, private_environment

from voiceworker.config import load_settings
from voiceworker.stack.log import ReadableLog
from voiceworker.stack.up import Stack

pytest.register_assert_rewrite("emulated")  # it asserts for several tests


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What runs for real runs a second time when it fails: on a shared machine sound is lost now and then, and the
    report shows both (R, then F or a dot). What is broken fails twice."""
    for item in items:
        if item.get_closest_marker("system") is not None:
            item.add_marker(pytest.mark.flaky(reruns=1))


@pytest.fixture(scope="session")
def stack_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("stack")


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def stack(stack_directory: Path) -> AsyncIterator[RunningStack]:
    """One stack for all system tests of a run: starting it costs seconds, and sharing it is what a server does."""
    environment = private_environment(stack_directory)
    settings = load_settings(environment)
    log_file = stack_directory / "stack.log"
    with log_file.open("w") as output:
        log = ReadableLog(Console(file=output, width=200), stack_directory / "log")
        running = Stack(settings, log, environment)
        try:
            await running.start()
            yield RunningStack(running, running.settings, environment, make_key(settings), log_file)
        finally:
            await running.stop()
            log.close()
