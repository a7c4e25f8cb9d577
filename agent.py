"""The composition root of the worker: settings, tools and the framework's server, wired by hand.

`python agent.py start | dev | console | connect | download-files` are the framework's own commands.
"""

import sys
from collections.abc import Sequence
from zoneinfo import ZoneInfo

from livekit.agents import JobContext, JobRequest, cli, llm

from tools.calendar import CalendarTools, SqliteCalendar, read_settings
from voiceworker.config import ConfigError, load_settings
from voiceworker.redaction import redact_logs, secrets_of
from voiceworker.runtime.toolbox import Toolbox, ToolSurroundings
from voiceworker.runtime.weights import want_weights
from voiceworker.runtime.worker import Worker, make_server, run_call


def calendar_tools(call: ToolSurroundings) -> Sequence[llm.Tool]:
    rules = read_settings(call.definition.tool_settings.get("calendar", {}))
    path = call.settings.data_directory / "calendar.db"
    calendar = SqliteCalendar(path, rules, ZoneInfo(call.definition.timezone), call.clock)
    return CalendarTools(calendar, list(rules.services)).function_tools()


TOOLBOXES: dict[str, Toolbox] = {"calendar": calendar_tools}

try:
    settings = load_settings()
except ConfigError as error:
    sys.exit(f"voiceworker: {error}")
redact_logs(secrets_of(settings))  # the processes of the calls read this file, too
server = make_server(settings, TOOLBOXES)
worker = Worker(server, settings, TOOLBOXES)


async def answer_request(request: JobRequest) -> None:
    await worker.answer(request)


@server.rtc_session(agent_name=settings.agent_name, on_request=answer_request)
async def entrypoint(context: JobContext) -> None:
    await run_call(context, settings, TOOLBOXES)


def fetch_weights() -> None:
    """What the agents' models need on this machine, by the framework's command; each plugin fetches its own."""
    want_weights(settings)
    try:
        cli.run_app(server)
    except (OSError, ValueError) as error:
        sys.exit(f"voiceworker: not everything could be fetched: {str(error).partition(chr(10))[0]}")


if __name__ == "__main__":
    try:
        if "download-files" in sys.argv[1:]:
            fetch_weights()
        worker.prepare()
    except ConfigError as error:
        sys.exit(f"voiceworker: {error}")
    cli.run_app(server)
