import http.server
import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from voiceworker.lab.audio import SpeechDetector
from voiceworker.lab.call_command import _document, _Transcript, call
from voiceworker.lab.conversation import Conversation, Utterance

AUDIO = Path(__file__).parent.parent / "audio"
KEY = "vw_test"


class Api(http.server.BaseHTTPRequestHandler):
    """Knows one key and has no worker."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        status = 503 if self.headers.get("Authorization") == f"Bearer {KEY}" else 401
        body = json.dumps({"detail": "no place is free" if status == 503 else "the key is wrong"}).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/problem+json")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Retry-After", "3")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture(scope="module")
def api() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Api) as server:
        thread = threading.Thread(target=server.serve_forever, name="api")
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def run(*arguments: str) -> Result:
    app = typer.Typer()
    app.command()(call)
    environment = {"VOICEWORKER_API_KEY": None, "LIVEKIT_API_KEY": "APItest", "LIVEKIT_API_SECRET": "s" * 32}
    return CliRunner().invoke(app, arguments, env=environment)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--say", "nowhere.wav"], "nowhere.wav: no such file"),
        (["--say", "nowhere.wav@3"], "nowhere.wav: no such file"),
        (["--say", __file__], "not audio that can be read"),
        (["--api", "http://127.0.0.1:9"], "no API answers at http://127.0.0.1:9; start it with `voiceworker up`"),
        (["--url", "ws://127.0.0.1:9"], "no LiveKit server answers at ws://127.0.0.1:9"),
        (["--api", "{api}"], "401: the key is wrong"),
        (["--api", "{api}", "--api-key", "other"], "give a key by --api-key or VOICEWORKER_API_KEY"),
        (["--api", "{api}", "--api-key", KEY], "503: no place is free); no worker is free"),
    ],
)
def test_what_cannot_be_set_up_is_one_line_and_status_1(api: str, arguments: list[str], message: str) -> None:
    result = run(*[argument.format(api=api) for argument in arguments])
    assert result.exit_code == 1
    assert result.stdout == ""
    assert result.stderr.startswith("voiceworker: ")
    assert message in result.stderr
    assert result.stderr.count("\n") == 1


def test_a_recording_is_not_left_behind_by_a_call_that_never_began(api: str, tmp_path: Path) -> None:
    path = tmp_path / "call.wav"
    assert run("--api", api, "--record", str(path)).exit_code == 1
    assert not path.exists()


def interrupted_call() -> Conversation:
    talk = Conversation(SpeechDetector())
    talk.segment("a", of_caller=False, now=1).text = "Hello."
    talk.utterances.append(Utterance(2, 3))
    talk.segment("b", of_caller=False, now=4).text = "We open at"
    talk.interrupted("We open at")
    return talk


def test_the_document_has_a_turn_for_each_thing_said() -> None:
    assert _document("ses_1", interrupted_call()) == {
        "session": "ses_1",
        "greeting": "Hello.",
        "turns": [{"caller": "", "agent": "We open at", "first_audio_ms": None, "interrupted": True}],
    }


def test_the_printed_transcript_marks_what_was_cut_off(capsys: pytest.CaptureFixture[str]) -> None:
    transcript = _Transcript(interrupted_call(), silent=False)
    transcript.print_news()
    transcript.print_news()
    assert capsys.readouterr().out.splitlines() == [
        "agent   Hello.",
        "caller  (not understood)",
        "agent   We open at -- (interrupted)",
    ]
