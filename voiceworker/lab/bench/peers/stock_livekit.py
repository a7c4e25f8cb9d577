"""livekit-agents as its starter has it: every option of the session at its default. Run by `voiceworker bench` alone.

    stock_livekit.py start      with BENCH_PEER set to the JSON of `PeerSettings`

What is set, and why: the providers' addresses (the emulators), the load function (its default reads the whole
machine's CPU and refuses calls on a busy one), the health server's port (two workers on one machine).
"""

import json
import os
from typing import Any

from livekit.agents import Agent, AgentServer, AgentSession, JobContext, cli
from livekit.plugins import deepgram, openai

settings: dict[str, Any] = json.loads(os.environ.get("BENCH_PEER", "{}"))  # noqa: TID251 - a program of its own


def no_load(_: AgentServer) -> float:
    return 0.0


server = AgentServer(load_fnc=no_load, host="127.0.0.1", port=settings.get("port", 0))


@server.rtc_session(agent_name="stock-livekit")
async def entrypoint(context: JobContext) -> None:
    forced: dict[str, Any] = {"turn_handling": {"turn_detection": "vad"}} if settings["vad"] else {}
    url, key = settings["deepgram_url"], settings["api_key"]
    session: AgentSession[None] = AgentSession(
        stt=deepgram.STT(model="nova-3", language="en", api_key=key, base_url=f"{url}/v1/listen"),
        llm=openai.LLM(model="gpt-4.1-mini", api_key=key, base_url=settings["openai_url"]),
        tts=deepgram.TTS(model=settings["voice"], api_key=key, base_url=f"{url}/v1/speak"),
        **forced,
    )
    await session.start(agent=Agent(instructions=settings["instructions"]), room=context.room)
    await context.connect()
    session.say(settings["greeting"])


if __name__ == "__main__":
    cli.run_app(server)
