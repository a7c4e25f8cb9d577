from __future__ import annotations

import signal
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from livekit.agents import JobExecutorType, JobProcess

from voiceworker.config import Settings
from voiceworker.runtime.worker import _Load, _Setup


def test_a_worker_with_all_places_taken_still_reports_less_than_what_the_sfu_takes_for_full() -> None:
    for places in (1, 4, 100):
        loads = [_Load(places)(cast("Any", SimpleNamespace(active_jobs=[0] * calls))) for calls in range(places + 1)]
        assert loads == sorted(loads)
        assert loads[0] == 0
        assert loads[-1] < 0.7


def test_a_process_is_set_up_in_a_thread_as_the_console_does_and_without_its_agent(tmp_path: Path) -> None:
    before = signal.getsignal(signal.SIGTERM)
    failures: list[BaseException] = []

    def set_up() -> None:
        try:
            _Setup(Settings(agents_directory=tmp_path), {})(
                JobProcess(executor_type=JobExecutorType.THREAD, user_arguments=None, http_proxy=None)
            )
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=set_up)
    thread.start()
    thread.join()
    assert failures == []
    assert signal.getsignal(signal.SIGTERM) is before
