from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

pytest.importorskip("faster_whisper", reason="faster-whisper is not installed", exc_type=ImportError)

from livekit.agents import Plugin
from livekit.plugins import fasterwhisper
from livekit.plugins.fasterwhisper import files

pytestmark = pytest.mark.slow

CONSTANTS = "huggingface_hub.constants"
REPOSITORY = "Systran/faster-whisper-tiny.en"
COMMIT = "0123456789abcdef0123456789abcdef01234567"


class Hub(BaseHTTPRequestHandler):
    """Answers as the model hub does: the list of a repository's files, and each file."""

    def __init__(self, folder: Path, requests: list[str], *arguments: object) -> None:
        self.folder = folder
        self.requests = requests
        super().__init__(*arguments)  # type: ignore[arg-type]

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self.wfile.write(self._answer())

    def _answer(self) -> bytes:
        self.requests.append(f"{self.command} {self.path}")
        path = self.path.partition("?")[0]
        file = self.folder / path.rpartition("/")[2]
        files = list(self.folder.iterdir())
        status, body = 200, b""
        if path.startswith(f"/api/models/{REPOSITORY}/tree/"):
            sizes = [(file.name, file.stat().st_size) for file in files]
            body = json.dumps(
                [{"type": "file", "path": name, "size": size, "oid": f"{size:040x}"} for name, size in sizes]
            ).encode()
        elif path.startswith(f"/api/models/{REPOSITORY}"):
            siblings = [{"rfilename": file.name} for file in files]
            body = json.dumps({"id": REPOSITORY, "sha": COMMIT, "siblings": siblings}).encode()
        elif path.startswith(f"/{REPOSITORY}/resolve/") and file.is_file():
            body = file.read_bytes()
        else:
            status = 404
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("ETag", f'"{len(body):040x}"')
        self.send_header("X-Repo-Commit", COMMIT)
        self.end_headers()
        return body

    def log_message(self, *arguments: object) -> None:
        pass


def stand_in_for_the_hub(monkeypatch: pytest.MonkeyPatch, port: int) -> None:
    """What HF_ENDPOINT does, which is read at import only."""
    address = f"http://127.0.0.1:{port}"
    monkeypatch.setattr(f"{CONSTANTS}.ENDPOINT", address)
    monkeypatch.setattr(
        f"{CONSTANTS}.HUGGINGFACE_CO_URL_TEMPLATE", address + "/{repo_id}/resolve/{revision}/{filename}"
    )


@pytest.fixture
def hub(models_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Serves `tiny.en`; the requests that came."""
    requests: list[str] = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Hub, models_folder / "tiny.en", requests))
    stand_in_for_the_hub(monkeypatch, server.server_port)
    thread = threading.Thread(target=partial(server.serve_forever, poll_interval=0.01))
    thread.start()
    yield requests
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_model_is_fetched_by_the_command_for_those_that_were_asked_for(hub: list[str], tmp_path: Path) -> None:
    assert files.missing_files("tiny.en", tmp_path)[0] == tmp_path / "tiny.en" / "config.json"
    fasterwhisper.want("tiny.en", tmp_path)
    plugin = next(plugin for plugin in Plugin.registered_plugins if plugin.package == "livekit.plugins.fasterwhisper")
    plugin.download_files()
    assert files.missing_files("tiny.en", tmp_path) == []
    assert files.find("tiny.en", tmp_path) == tmp_path / "tiny.en"
    assert any(REPOSITORY in request for request in hub)
    hub.clear()
    plugin.download_files()
    assert hub == []


def test_a_hub_that_does_not_answer_is_an_error_and_leaves_nothing_that_looks_whole(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    stand_in_for_the_hub(monkeypatch, port=9)  # discard: nobody listens
    with pytest.raises(OSError):  # noqa: PT011  # the text is the client's
        files.download("tiny.en", tmp_path)
    assert files.missing_files("tiny.en", tmp_path) != []


def test_each_file_that_a_model_needs_is_missed(models_folder: Path, tmp_path: Path) -> None:
    needed = ["config.json", "model.bin", "tokenizer.json", "vocabulary.json"]
    for missing in needed:
        folder = tmp_path / missing / "tiny.en"
        folder.mkdir(parents=True)
        for name in set(needed) - {missing}:
            (folder / name).write_bytes((models_folder / "tiny.en" / name).read_bytes())
        assert files.missing_files("tiny.en", tmp_path / missing) == [folder / missing]
        with pytest.raises(files.MissingModelError, match=missing):
            files.find("tiny.en", tmp_path / missing)


def test_a_model_of_ones_own_is_found_by_its_folder(models_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "ours--studio").symlink_to(models_folder / "tiny")
    assert files.find("ours/studio", tmp_path) == tmp_path / "ours--studio"
    assert files.languages("ours/studio", tmp_path) == {"en", "de"}


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"added_tokens": [1]}'])
def test_a_broken_tokenizer_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "tokenizer.json").write_text(text)
    with pytest.raises(fasterwhisper.ModelError, match=r"broken/tokenizer\.json is no tokenizer"):
        files.languages("broken", tmp_path)


@pytest.mark.parametrize("name", ["", "..", "../x", "a/b/c", "/etc", "a b", "x/.."])
def test_a_name_cannot_lead_elsewhere(name: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no model's name"):
        files.missing_files(name, tmp_path)


def test_an_unknown_name_tells_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"nearest: large-v3-turbo"):
        files.missing_files("large-v3-trubo", tmp_path)
