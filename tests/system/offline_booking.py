"""Starts everything, lets the first of the twelve callers book by voice, ends everything. Run by offline.sh."""

from __future__ import annotations

import asyncio
import sys
import tempfile
from pathlib import Path

from rich.console import Console

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "audio" / "scenarios")]

from render import VOICES, file_of  # noqa: E402
from rig import make_key, private_environment  # noqa: E402

from voiceworker.config import load_settings  # noqa: E402
from voiceworker.lab.audio import Samples, read_speech  # noqa: E402
from voiceworker.lab.caller import Caller  # noqa: E402
from voiceworker.lab.dialogue import converse  # noqa: E402
from voiceworker.lab.invitation import by_session_api  # noqa: E402
from voiceworker.lab.persona import Persona, read_scenarios  # noqa: E402
from voiceworker.stack.log import ReadableLog  # noqa: E402
from voiceworker.stack.up import Stack  # noqa: E402


async def audio_for(line: str) -> Samples:
    return read_speech(file_of(VOICES[0], line))


async def main() -> None:
    scenario = read_scenarios(HERE.parent / "scenarios" / "bookings.yaml")[0]
    with tempfile.TemporaryDirectory() as directory:
        environment = private_environment(Path(directory))
        settings = load_settings(environment)
        key = make_key(settings)
        stack = Stack(settings, ReadableLog(Console(width=200)), environment)
        try:
            await stack.start()
            async with (
                by_session_api(f"http://127.0.0.1:{settings.api_port}", key, "frontdesk") as invitation,
                Caller(invitation) as caller,
            ):
                turns = await converse(caller, Persona(scenario), audio_for)
            print("booked" if "booked for" in " ".join(turn.agent for turn in turns) else "not booked")
        finally:
            await stack.stop()


asyncio.run(main())
