# mypy: ignore-errors
# pipecat lives in an environment of its own, where neither this project nor mypy is.
"""pipecat as its own generated project has it, on its LiveKit transport. Run by `voiceworker bench` alone.

    stock_pipecat.py            with BENCH_PEER set to the JSON of `PeerSettings`

`POST /start {"room", "token"}` brings a bot into a room, in this process, as pipecat's own runner does; it answers
once the bot is on its way. Set are the providers' addresses alone; VAD, smart-turn, interruption and queues are the
defaults.
"""

import asyncio
import json
import os
import sys

from aiohttp import web
from loguru import logger
from pipecat.audio.vad.silero import SileroVADAnalyzer
from pipecat.frames.frames import TTSSpeakFrame
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.processors.aggregators.llm_response_universal import LLMContextAggregatorPair, LLMUserAggregatorParams
from pipecat.services.deepgram.stt import DeepgramSTTService
from pipecat.services.deepgram.tts import DeepgramTTSService
from pipecat.services.openai.llm import OpenAILLMService
from pipecat.transports.livekit.transport import LiveKitParams, LiveKitTransport
from pipecat.turns.user_stop import SpeechTimeoutUserTurnStopStrategy
from pipecat.turns.user_turn_strategies import UserTurnStrategies
from pipecat.workers.runner import WorkerRunner

settings = json.loads(os.environ["BENCH_PEER"])  # noqa: TID251 - a program of its own
bots = set()


async def run_bot(room: str, token: str) -> None:
    transport = LiveKitTransport(
        url=settings["livekit_url"],
        token=token,
        room_name=room,
        params=LiveKitParams(audio_in_enabled=True, audio_out_enabled=True),
    )
    key = settings["api_key"]
    stt = DeepgramSTTService(api_key=key, base_url=settings["deepgram_url"])
    tts = DeepgramTTSService(
        api_key=key,
        base_url=settings["deepgram_url"].replace("http", "ws"),
        settings=DeepgramTTSService.Settings(voice=settings["voice"]),
    )
    llm = OpenAILLMService(
        api_key=key, base_url=settings["openai_url"], settings=OpenAILLMService.Settings(model="gpt-4.1-mini")
    )
    context = LLMContext([{"role": "system", "content": settings["instructions"]}])
    turns = UserTurnStrategies(stop=[SpeechTimeoutUserTurnStopStrategy()]) if settings["vad"] else None
    aggregators = LLMContextAggregatorPair(
        context,
        user_params=LLMUserAggregatorParams(vad_analyzer=SileroVADAnalyzer(), user_turn_strategies=turns),
    )
    user, assistant = aggregators
    pipeline = Pipeline([transport.input(), stt, user, llm, tts, transport.output(), assistant])
    worker = PipelineWorker(
        pipeline, params=PipelineParams(enable_metrics=True, enable_usage_metrics=True), idle_timeout_secs=None
    )
    runner = WorkerRunner(handle_sigint=False)
    await runner.add_workers(worker)

    @transport.event_handler("on_first_participant_joined")
    async def greet(transport, participant_id):
        await worker.queue_frame(TTSSpeakFrame(settings["greeting"]))

    @transport.event_handler("on_participant_left")
    async def leave(transport, participant_id, reason):
        await worker.cancel()

    await runner.run()


async def start(request: web.Request) -> web.Response:
    body = await request.json()
    bot = asyncio.create_task(run_bot(body["room"], body["token"]))  # noqa: TID251 - a program of its own
    bots.add(bot)
    bot.add_done_callback(bots.discard)
    return web.json_response({"started": True})


async def ready(request: web.Request) -> web.Response:
    return web.json_response({"ready": True})


if __name__ == "__main__":
    logger.remove()
    logger.add(sys.stderr, level="INFO")
    app = web.Application()
    app.add_routes([web.post("/start", start), web.get("/", ready)])
    web.run_app(app, host="127.0.0.1", port=settings["port"], print=None, access_log=None)
