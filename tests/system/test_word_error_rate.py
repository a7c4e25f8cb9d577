"""How well the embedded recogniser hears, with a language model made of the agent's file alone."""

from __future__ import annotations

import asyncio
import re
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile
from joining import joined, plain_token
from livekit import rtc
from livekit.agents import utils
from livekit.agents.stt import RecognizeStream
from livekit.plugins.pocketsphinx import STT
from livekit.plugins.pocketsphinx.evaluation import (
    WordErrors,
    by_utterance,
    finals,
    spoken_words,
    through_opus,
    transcribe,
    with_pauses,
    word_errors,
)
from rig import RunningStack
from sentences import AGENT, MOST_ERRORS, VOICES, frontdesk_grammar, recordings, sentences

from voiceworker.lab.audio import SAMPLE_RATE, Samples, read_speech, room_noise

SAID = [*sentences("frontdesk"), *sentences("paraphrases")]
AGENT_INPUT_RATE = 24000  # what a LiveKit agent asks its room for


def files(voice: str) -> list[Path]:
    return [*recordings("frontdesk", voice), *recordings("paraphrases", voice)]


def judged(heard: dict[str, list[str]]) -> dict[str, WordErrors]:
    """The errors of each voice and in `total`, printed as a table, with what was misheard."""
    errors: dict[str, WordErrors] = {}
    for voice, texts in heard.items():
        each = [word_errors(spoken_words(said), spoken_words(text)) for said, text in zip(SAID, texts, strict=True)]
        errors[voice] = sum(each, WordErrors())
        for said, text, found in zip(SAID, texts, each, strict=True):
            if found.errors:
                print(f"{voice}: {said!r} was heard as {text!r}")
    errors["total"] = sum(errors.values(), WordErrors())
    print("word error rate: " + ", ".join(f"{voice} {each.rate:.1%}" for voice, each in errors.items()))
    return errors


@pytest.fixture
def stt() -> STT:
    return STT(grammar=frontdesk_grammar())


def test_no_sentence_stands_in_the_agents_file_word_for_word() -> None:
    text = " ".join(re.sub(r"[^a-z']+", " ", AGENT.read_text(encoding="utf-8").lower()).split())
    judged_by = [words for words in map(spoken_words, SAID) if len(words) >= 4]
    assert len(SAID) == 60
    assert [words for words in judged_by if f" {' '.join(words)} " in f" {text} "] == []


@pytest.mark.slow
@pytest.mark.timeout(900)
async def test_the_front_desk_is_understood_after_opus(stt: STT) -> None:
    heard = {
        voice: await transcribe(stt, [through_opus(soundfile.read(path, dtype="int16")[0]) for path in files(voice)])
        for voice in VOICES
    }
    await stt.aclose()
    assert {name: each.rate for name, each in judged(heard).items() if each.rate > MOST_ERRORS} == {}


@pytest.mark.system
@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.asyncio(loop_scope="session")
async def test_the_front_desk_is_understood_through_the_sfu(stack: RunningStack, stt: STT) -> None:
    heard: dict[str, list[str]] = {}
    for pair in (VOICES[:2], VOICES[2:]):  # two calls at a time: two cores hold more, but not beside other tests
        texts = await asyncio.gather(*(through_sfu(stack, stt, voice) for voice in pair))
        heard |= zip(pair, texts, strict=True)
    await stt.aclose()
    assert {name: each.rate for name, each in judged(heard).items() if each.rate > MOST_ERRORS} == {}


async def through_sfu(stack: RunningStack, stt: STT, voice: str) -> list[str]:
    """A caller speaks all sentences in a room; another participant receives the track as an agent does."""
    room = f"sentences-{voice}"
    speech, ends = with_pauses([read_speech(path) for path in files(voice)], SAMPLE_RATE)
    async with (
        joined(stack.sfu_url, plain_token(stack.settings, room, "listener")) as listener,
        joined(stack.sfu_url, plain_token(stack.settings, room, "caller")) as caller,
        stt.stream() as stream,
    ):
        tracks: asyncio.Queue[rtc.Track] = asyncio.Queue()
        listener.on("track_subscribed", lambda track, *_: tracks.put_nowait(track))
        source = rtc.AudioSource(SAMPLE_RATE, 1)  # sends by a clock of its own, however busy this process is
        microphone = rtc.TrackPublishOptions(source=rtc.TrackSource.SOURCE_MICROPHONE)
        track = rtc.LocalAudioTrack.create_audio_track("speech", source)
        await caller.local_participant.publish_track(track, microphone)
        began = asyncio.get_running_loop().create_future()
        listening = asyncio.create_task(listen(await tracks.get(), stream, began))
        spoke_at = time.perf_counter()
        await speak(speech, source)
        offset = spoke_at - await began
        await utils.aio.cancel_and_wait(listening)
        stream.end_input()
        heard = by_utterance(await finals(stream), [offset + end for end in ends])
        await source.aclose()
        return heard


async def speak(speech: Samples, source: rtc.AudioSource) -> None:
    noise = np.resize(room_noise(), len(speech)).astype(np.int32)
    audio = np.clip(speech + noise, -32768, 32767).astype(np.int16)
    frame = SAMPLE_RATE // 50
    for start in range(0, len(audio), frame):
        part = audio[start : start + frame]
        await source.capture_frame(rtc.AudioFrame(part.tobytes(), SAMPLE_RATE, 1, len(part)))
    await source.wait_for_playout()


async def listen(track: rtc.Track, stream: RecognizeStream, began: asyncio.Future[float]) -> None:
    audio = rtc.AudioStream(track, sample_rate=AGENT_INPUT_RATE, num_channels=1)
    try:
        async for event in audio:
            if not began.done():
                began.set_result(time.perf_counter())
            stream.push_frame(event.frame)
    finally:
        await audio.aclose()
