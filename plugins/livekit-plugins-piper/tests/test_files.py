from __future__ import annotations

import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from livekit.agents import Plugin

pytest.importorskip("piper", reason="piper-tts is not installed", exc_type=ImportError)
pytest.importorskip("onnx", reason="onnx, which makes the tests' voices, is not installed", exc_type=ImportError)

from livekit.plugins import piper
from livekit.plugins.piper import files

pytestmark = pytest.mark.slow

HUM = "en_US-hum-low"
ADDRESS = "piper.download_voices.URL_FORMAT"


class Shelf(SimpleHTTPRequestHandler):
    """Serves a folder of voices; one that is called `half` breaks off in the middle."""

    def log_message(self, *arguments: object) -> None:
        pass

    def do_GET(self) -> None:
        if "half" in self.path:
            self.send_response(200)
            self.send_header("Content-Length", "1000")
            self.end_headers()
            self.wfile.write(b"half")
        else:
            super().do_GET()


@pytest.fixture
def shelf(voices_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ThreadingHTTPServer]:
    """Stands where Piper fetches its voices."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Shelf, directory=str(voices_folder)))
    name = "{lang_code}-{voice_name}-{voice_quality}{extension}"
    monkeypatch.setattr(ADDRESS, f"http://127.0.0.1:{server.server_port}/{name}")
    thread = threading.Thread(target=partial(server.serve_forever, poll_interval=0.01))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_voice_is_fetched_by_the_command_for_those_that_were_asked_for(
    shelf: ThreadingHTTPServer, tmp_path: Path, voices_folder: Path
) -> None:
    folder = tmp_path / "new"
    assert files.missing_files(HUM, folder) == [folder / f"{HUM}.onnx", folder / f"{HUM}.onnx.json"]
    piper.want(HUM, folder)
    plugin = next(plugin for plugin in Plugin.registered_plugins if plugin.package == "livekit.plugins.piper")
    plugin.download_files()
    assert files.find(HUM, folder) == folder / f"{HUM}.onnx"
    assert files.find(HUM, folder).read_bytes() == (voices_folder / f"{HUM}.onnx").read_bytes()
    assert sorted(path.name for path in folder.iterdir()) == [f"{HUM}.onnx", f"{HUM}.onnx.json"]
    shelf.shutdown()
    plugin.download_files()


@pytest.mark.usefixtures("shelf")
@pytest.mark.parametrize(("voice", "error"), [("en_US-half-low", piper.VoiceError), ("en_US-nobody-low", OSError)])
def test_a_voice_that_cannot_be_fetched_whole_leaves_nothing(
    voice: str, error: type[Exception], tmp_path: Path
) -> None:
    with pytest.raises(error):
        files.download(voice, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_either_file_is_missed_and_an_empty_one_too(voices_folder: Path, tmp_path: Path) -> None:
    (tmp_path / f"{HUM}.onnx").write_bytes((voices_folder / f"{HUM}.onnx").read_bytes())
    assert files.missing_files(HUM, tmp_path) == [tmp_path / f"{HUM}.onnx.json"]
    (tmp_path / f"{HUM}.onnx.json").touch()
    with pytest.raises(files.MissingVoiceError, match=r"onnx\.json is not there; fetch it by: python agent\.py"):
        files.find(HUM, tmp_path)


@pytest.mark.parametrize("name", ["", "..", "../x", "a/b", "/etc", "a b"])
def test_a_name_cannot_lead_elsewhere(name: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no voice's name"):
        files.missing_files(name, tmp_path)
