"""The composition root of the worker: settings, tools and the framework's server, wired by hand.

`python agent.py start | dev | console | connect | download-files` are the framework's own commands.
"""

from livekit.agents import JobContext, JobRequest, cli

from voiceworker.config import load_settings
from voiceworker.runtime.call import Toolbox, ToolSurroundings
from voiceworker.runtime.worker import Worker, make_server, run_call

settings = load_settings()
server = make_server(settings)
worker = Worker(server, settings)


def calendar_tools(call: ToolSurroundings): ...


TOOLBOXES: dict[str, Toolbox] = {"calendar": calendar_tools}


async def answer_request(request: JobRequest) -> None:
    await worker.answer(request)


@server.rtc_session(agent_name=settings.agent_name, on_request=answer_request)
async def entrypoint(context: JobContext) -> None:
    await run_call(context, settings, TOOLBOXES)


if __name__ == "__main__":
    cli.run_app(server)
