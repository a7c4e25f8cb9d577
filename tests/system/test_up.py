"""`voiceworker up` as an operator meets it: starts, ends without a trace, says in one line what is in the way."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from pathlib import Path

import psutil
import pytest
from joining import agent_in, joined, new_session, until
from rig import make_key, private_environment

from voiceworker.config import ROOT, load_settings

pytestmark = [pytest.mark.system]

UP = [sys.executable, "-m", "voiceworker", "up"]


async def start_up(environment: dict[str, str]) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *UP, cwd=ROOT, env=environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )


async def refusal(environment: dict[str, str]) -> str:
    """What it says on standard error when it cannot start; it must end by itself, with status 1, in one line."""
    process = await start_up(environment)
    async with asyncio.timeout(60):
        _, errors = await process.communicate()
    assert process.returncode == 1
    lines = errors.decode().strip().splitlines()
    assert len(lines) == 1, errors.decode()
    return lines[0]


@pytest.mark.parametrize("ended_by", [signal.SIGINT, signal.SIGTERM])
async def test_it_ends_a_live_call_and_leaves_no_process_and_no_port(tmp_path: Path, ended_by: signal.Signals) -> None:
    environment = private_environment(tmp_path)
    settings = load_settings(environment)
    key = make_key(settings)
    process = await start_up(environment)
    assert process.stdout is not None
    seen: list[str] = []

    async def read() -> None:
        assert process.stdout is not None
        async for line in process.stdout:
            seen.append(line.decode())

    reading = asyncio.ensure_future(read())
    await until(lambda: any("Ctrl-C ends it" in line for line in seen), within_seconds=90)
    assert f"http://127.0.0.1:{settings.api_port}" in "".join(seen)
    assert "pocketsphinx  (set DEEPGRAM_API_KEY for deepgram/nova-3)" in "".join(seen)
    session = await new_session(f"http://127.0.0.1:{settings.api_port}", key)
    async with joined(session["server_url"], session["participant_token"]) as room:
        await until(lambda: agent_in(room))
        tree = psutil.Process(process.pid).children(recursive=True)
        assert len(tree) >= 4
        process.send_signal(ended_by)
        async with asyncio.timeout(40):
            assert await process.wait() == 0
    await reading
    _, alive = psutil.wait_procs(tree, timeout=5)
    assert alive == []
    for port in (settings.sfu_port, settings.api_port, settings.worker_port):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
    assert any("call ended" in line for line in seen)


async def test_a_busy_port_is_named_with_the_setting_that_changes_it(tmp_path: Path) -> None:
    environment = private_environment(tmp_path)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", int(environment["VOICEWORKER_API_PORT"])))
        taken.listen()
        said = await refusal(environment)
    assert f"port {environment['VOICEWORKER_API_PORT']} is in use" in said
    assert "VOICEWORKER_API_PORT" in said


async def test_a_missing_sfu_is_told_with_every_remedy(tmp_path: Path) -> None:
    environment = private_environment(tmp_path)
    environment |= {"PATH": "/nowhere", "VOICEWORKER_CACHE_DIRECTORY": str(tmp_path / "empty")}
    said = await refusal(environment)
    for remedy in ("install Go", "livekit-server >= 1.13", "start Docker", "LIVEKIT_URL"):
        assert remedy in said


async def test_an_sfu_elsewhere_that_does_not_answer_is_an_error(tmp_path: Path) -> None:
    environment = private_environment(tmp_path) | {"LIVEKIT_URL": "ws://127.0.0.1:9"}
    assert "no LiveKit server answers at ws://127.0.0.1:9" in await refusal(environment)


async def test_half_a_key_pair_is_an_error(tmp_path: Path) -> None:
    environment = private_environment(tmp_path) | {"LIVEKIT_API_SECRET": ""}
    assert "LIVEKIT_API_SECRET is missing" in await refusal(environment)


async def test_an_unknown_setting_is_an_error(tmp_path: Path) -> None:
    environment = private_environment(tmp_path) | {"VOICEWORKER_MAXCALLS": "3"}
    assert "VOICEWORKER_MAXCALLS: no such setting; did you mean VOICEWORKER_MAX_CALLS" in await refusal(environment)


@pytest.mark.parametrize(
    ("change", "line", "said"),
    [
        (("timezone: Europe/London", "timezone: Europe/Londn"), "timezone", "no such time zone"),
        (("tools: [calendar]", "tools: [calender]"), "tools", "no such tool; there are: calendar"),
        (("step_minutes: 15", "step_minuts: 15"), "step_minuts", "tool_settings.calendar.step_minuts"),
        (("stt: [deepgram/nova-3, pocketsphinx]", "stt: [deepgram]"), "stt:", "name the model too"),
    ],
)
async def test_a_broken_agents_file_is_told_with_file_and_line(
    tmp_path: Path, change: tuple[str, str], line: str, said: str
) -> None:
    agents = tmp_path / "agents"
    agents.mkdir()
    text = (ROOT / "agents" / "frontdesk.yaml").read_text()
    broken = text.replace(*change)
    assert broken != text
    (agents / "frontdesk.yaml").write_text(broken)
    number = next(n for n, row in enumerate(broken.splitlines(), 1) if row.strip().startswith(line))
    message = await refusal(private_environment(tmp_path) | {"VOICEWORKER_AGENTS_DIRECTORY": str(agents)})
    assert f"frontdesk.yaml:{number}: " in message
    assert said in message


async def test_a_wrong_key_for_a_server_elsewhere_is_told(tmp_path: Path) -> None:
    environment = private_environment(tmp_path)
    process = await start_up(environment)
    try:
        settings = load_settings(environment)
        await until(lambda: _answers(settings.sfu_port), within_seconds=90)
        elsewhere = private_environment(tmp_path / "second")
        elsewhere |= {"LIVEKIT_URL": f"ws://127.0.0.1:{settings.sfu_port}", "LIVEKIT_API_SECRET": "w" * 40}
        said = await refusal(elsewhere)
        assert "refuses this pair" in said
        assert "w" * 40 not in said
    finally:
        process.send_signal(signal.SIGTERM)
        await process.communicate()


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_the_command_line_tells_its_version() -> None:
    import subprocess

    outcome = subprocess.run([*UP[:3], "--version"], capture_output=True, text=True, env=os.environ, check=True)
    assert outcome.stdout.strip() == "0.1.0"
