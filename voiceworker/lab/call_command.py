"""`voiceworker call`: a synthetic caller from the command line."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from voiceworker.config import Settings, load_settings

if TYPE_CHECKING:  # the media library takes a while to load, and the other commands do not need it
    from voiceworker.lab.conversation import Conversation, Turn
    from voiceworker.lab.invitation import Invitation

SET_UP_ERROR = 1
NO_ANSWER = 2


def call(
    agent: Annotated[str, typer.Option(help="The agent to call; default: VOICEWORKER_DEFAULT_AGENT.")] = "",
    say: Annotated[
        list[str] | None,
        typer.Option(help="A file of speech, said in its turn; FILE@12.5: at that second. Repeatable."),
    ] = None,
    record: Annotated[Path | None, typer.Option(help="Write both sides: caller left, agent right.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")] = False,
    api: Annotated[str, typer.Option(help="The session API; default: this machine's.")] = "",
    api_key: Annotated[str, typer.Option(help="Default: VOICEWORKER_API_KEY.")] = "",
    url: Annotated[str, typer.Option(help="Call on this LiveKit server instead, by its key pair.")] = "",
    answer_seconds: Annotated[float, typer.Option(min=1, help="How long to wait for each answer.")] = 20,
) -> None:
    """Call an agent with speech from files, and print what was said and how soon it answered.

    Exit status: 0 answered, 1 the call could not be set up, 2 no answer.
    """
    from voiceworker.lab.audio import AudioError
    from voiceworker.lab.invitation import CallSetupError

    settings = load_settings()
    wanted = _Wanted(agent or settings.default_agent, tuple(say or ()), record, as_json, answer_seconds)
    try:
        failure = asyncio.run(_call(wanted, _invitation(settings, wanted.agent, api, api_key, url)))
    except (AudioError, CallSetupError) as error:
        typer.echo(f"voiceworker: {error}", err=True)
        raise typer.Exit(SET_UP_ERROR) from None
    if failure:
        typer.echo(f"voiceworker: {failure}", err=True)
        raise typer.Exit(NO_ANSWER)


@dataclasses.dataclass(frozen=True, slots=True)
class _Wanted:
    agent: str
    say: tuple[str, ...]
    record: Path | None
    as_json: bool
    answer_seconds: float


def _invitation(
    settings: Settings, agent: str, api: str, api_key: str, url: str
) -> AbstractAsyncContextManager[Invitation]:
    from voiceworker.lab.invitation import by_livekit, by_session_api

    if url:
        return by_livekit(settings, url, agent)
    return by_session_api(api or f"http://{settings.api_host}:{settings.api_port}", api_key or settings.api_key, agent)


async def _call(wanted: _Wanted, invited: AbstractAsyncContextManager[Invitation]) -> str:
    """Holds the call and prints it. Returns why there was no answer; empty when there was one."""
    from voiceworker.lab.caller import Caller, NoAnswerError
    from voiceworker.lab.dialogue import read_line, say_lines

    lines = [read_line(text) for text in wanted.say]
    failure = ""
    async with invited as invitation, Caller(invitation, recording=wanted.record) as caller:
        if not wanted.as_json:
            typer.echo(f"in the room of {invitation.session}; waiting for {wanted.agent}")
        transcript = _Transcript(caller.conversation, silent=wanted.as_json)
        try:
            await say_lines(caller, lines, answer_seconds=wanted.answer_seconds, on_answer=transcript.print_news)
        except NoAnswerError as error:
            failure = str(error)
        transcript.print_news()
        if wanted.as_json:
            typer.echo(json.dumps(_document(invitation.session, caller.conversation), ensure_ascii=False, indent=2))
    return failure


def _document(session: str, conversation: Conversation) -> dict[str, Any]:
    return {
        "session": session,
        "greeting": conversation.greeting,
        "turns": [dataclasses.asdict(turn) for turn in conversation.turns()],
    }


class _Transcript:
    """Prints a conversation as it grows."""

    def __init__(self, conversation: Conversation, *, silent: bool) -> None:
        self._conversation = conversation
        self._silent = silent
        self._greeted = False
        self._printed_turns = 0

    def print_news(self) -> None:
        if self._silent:
            return
        if not self._greeted and self._conversation.greeting:
            typer.echo(f"agent   {self._conversation.greeting}")
        self._greeted = True
        turns = self._conversation.turns()
        for turn in turns[self._printed_turns :]:
            typer.echo(f"caller  {turn.caller or '(not understood)'}")
            typer.echo(_answer(turn))
        self._printed_turns = len(turns)


def _answer(turn: Turn) -> str:
    words = f"{turn.agent} -- (interrupted)" if turn.interrupted else turn.agent or "(nothing)"
    return f"agent   {words}" + (f"  [{turn.first_audio_ms} ms]" if turn.first_audio_ms is not None else "")
