"""Clients that nobody here wrote join with the API's answer as it is. The browser: test_page.py."""

from __future__ import annotations

import asyncio
import json
import os

import pytest
from joining import new_session
from rig import RunningStack

from voiceworker.config import ROOT
from voiceworker.dispatch import agent_identity

pytestmark = [pytest.mark.system, pytest.mark.asyncio(loop_scope="session")]

NODE_CLIENT = ROOT / "tests" / "system" / "node"


async def run(*command: str, given: str = "") -> str:
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=NODE_CLIENT,
        env={**os.environ, "PATH": f"{ROOT / '.venv' / 'bin'}:{os.environ['PATH']}"},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(100):
        output, errors = await process.communicate(given.encode())
    assert process.returncode == 0, errors.decode()[-2000:]
    return output.decode()


async def test_the_node_sdk_joins_with_the_answer_unchanged(stack: RunningStack) -> None:
    if not (NODE_CLIENT / "node_modules").is_dir():
        await run("npm", "ci", "--no-audit", "--no-fund", "--loglevel=error")
    session = await new_session(stack.api_url, stack.api_key)
    lines = (await run("node", "join.mjs", given=json.dumps(session))).splitlines()
    [joined] = [line.removeprefix("joined ") for line in lines if line.startswith("joined ")]
    said = json.loads(joined)
    assert said["room"] == session["room_name"]
    assert said["agent"] == agent_identity(session["id"])
    assert said["me"].startswith("caller-")
