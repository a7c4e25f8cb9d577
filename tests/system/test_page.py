"""The page in a real browser, against the whole of voiceworker; and LiveKit's own browser client against the API."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest
from browser import AXE, LIVEKIT_CLIENT, browser, spaced
from playwright.async_api import Browser, Page, expect
from rig import RunningStack

from voiceworker.config import ROOT
from voiceworker.dispatch import agent_identity

pytestmark = [pytest.mark.system, pytest.mark.asyncio(loop_scope="session")]

ANSWER_MS = 30_000
"generous: a busy machine answers late, and a late answer is another test's matter"

FIRST_WORDS_MS = 60_000
"the first call of a worker just started: the question is asked three times in this"

PHONE = {"width": 390, "height": 844}
DESKTOP = {"width": 1280, "height": 800}


@pytest.fixture(scope="session")
def question(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`What are your opening hours?`, after the greeting and again and again."""
    target: Path = tmp_path_factory.mktemp("microphone") / "question.wav"
    return spaced(ROOT / "tests" / "audio" / "hours.wav", target, before_seconds=9, after_seconds=12)


async def open_page(chromium: Browser, url: str, viewport: dict[str, int]) -> Page:
    page = await chromium.new_page(viewport={"width": viewport["width"], "height": viewport["height"]})
    page.set_default_timeout(ANSWER_MS)
    expect.set_options(timeout=ANSWER_MS)
    await page.goto(url)
    return page


@pytest.fixture
def faults() -> Iterator[list[str]]:
    """What pages of the test complain of; it must stay empty."""
    heard: list[str] = []
    yield heard
    assert heard == []


def listen_for_faults(page: Page, faults: list[str]) -> None:
    page.on("pageerror", lambda error: faults.append(f"uncaught: {error}"))
    page.on(
        "console",
        lambda message: faults.append(message.text) if "Content Security Policy" in message.text else None,
    )


async def test_a_caller_talks_by_keyboard_alone(stack: RunningStack, question: Path, faults: list[str]) -> None:
    async with browser(question) as chromium:
        page = await open_page(chromium, stack.api_url, PHONE)
        listen_for_faults(page, faults)
        words = page.get_by_role("region", name="Transcript")

        talk = page.get_by_role("button", name="Talk", exact=True)
        await talk.focus()
        await page.keyboard.press("Enter")
        await expect(words).to_contain_text("automatic assistant")
        await expect(page.get_by_role("timer")).not_to_have_text("0:00")

        # The microphone says its line by itself; the answer stands beside the time it took.
        await expect(words).to_contain_text(re.compile("opening hours", re.IGNORECASE), timeout=FIRST_WORDS_MS)
        await expect(words).to_contain_text("nine to six")
        await expect(words.locator(".latency").first).to_have_text(re.compile(r"\d\.\d s$"))

        mute = page.get_by_role("button", name="Mute microphone")
        await mute.focus()
        await page.keyboard.press("Space")
        await expect(mute).to_have_attribute("aria-pressed", "true")

        field = page.get_by_role("textbox", name="Message to the agent")
        await field.focus()
        await page.keyboard.type("what is your address")
        await page.keyboard.press("Enter")
        await expect(words).to_contain_text("what is your address")
        await expect(words).to_contain_text("Willow Lane, opposite the library")

        await page.get_by_role("button", name="Hang up").focus()
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("heading", name="Call ended")).to_be_focused()
        await expect(page.get_by_text("You hung up.")).to_be_visible()
        await expect(words).to_contain_text("nine to six")
        await expect(page.get_by_role("button", name="Talk again")).to_be_visible()


async def test_a_refused_microphone_is_explained_and_typing_still_works(stack: RunningStack, faults: list[str]) -> None:
    async with browser(None) as chromium:
        page = await open_page(chromium, stack.api_url, DESKTOP)
        listen_for_faults(page, faults)
        await page.get_by_role("button", name="Talk", exact=True).click()
        await expect(page.get_by_role("alert")).to_contain_text("The microphone is blocked")
        await assert_usable_by_all(page)

        await page.get_by_role("button", name="Type instead").click()
        words = page.get_by_role("region", name="Transcript")
        await expect(words).to_contain_text("automatic assistant")
        await page.get_by_role("textbox", name="Message to the agent").fill("what are your opening hours")
        await page.keyboard.press("Enter")
        await expect(words).to_contain_text("nine to six")

        # The agent hangs up by itself after a goodbye, and the page says who did.
        await page.get_by_role("textbox", name="Message to the agent").fill("thank you, goodbye")
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("heading", name="Call ended")).to_be_visible()
        await expect(page.get_by_text("The agent said goodbye.")).to_be_visible()


async def test_a_busy_service_is_said_in_plain_words(stack: RunningStack, faults: list[str]) -> None:
    async with browser(None) as chromium:
        page = await open_page(chromium, stack.api_url, PHONE)
        listen_for_faults(page, faults)
        await page.route(
            "**/v1/realtime/sessions",
            lambda route: route.fulfill(
                status=503,
                headers={"Retry-After": "20"},
                content_type="application/problem+json",
                body='{"code": "no_free_slot", "status": 503, "title": "Every agent is in a call"}',
            ),
        )
        await page.get_by_role("button", name="Type instead").click()
        await expect(page.get_by_role("alert")).to_contain_text("All lines are busy")
        await expect(page.get_by_role("alert")).to_contain_text("Try again in 20 seconds")

        await page.unroute("**/v1/realtime/sessions")
        await page.route("**/v1/realtime/sessions", lambda route: route.abort())
        await page.get_by_role("button", name="Type instead").click()
        await expect(page.get_by_role("alert")).to_contain_text("The service cannot be reached")


_TOO_SMALL = """() => [...document.querySelectorAll('button, select')]
  .map((element) => [element.textContent.trim(), element.getBoundingClientRect()])
  .filter(([, box]) => box.width > 0 && (box.width < 44 || box.height < 40))
  .map(([name, box]) => `${name}: ${box.width} x ${box.height}`)"""
"targets that a thumb misses"

_SPILLING = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"


_AXE = """async () => {
  const { violations } = await axe.run();
  return violations.flatMap(({ id, nodes }) => nodes.map((node) => `${id}: ${node.html} ${node.failureSummary}`));
}"""
"names, landmarks, headings, contrast: https://github.com/dequelabs/axe-core"


async def assert_usable_by_all(page: Page) -> None:
    """What axe finds, targets of a thumb's size, no scrolling sideways."""
    await page.evaluate(AXE.read_text())
    assert await page.evaluate(_AXE) == []
    assert await page.evaluate(_TOO_SMALL) == []
    assert await page.evaluate(_SPILLING) <= 0


@pytest.mark.parametrize(
    ("viewport", "scheme"),
    [(PHONE, "light"), (DESKTOP, "dark")],
    ids=["light phone", "dark desktop"],
)
async def test_every_screen_is_usable_by_all(
    stack: RunningStack,
    question: Path,
    faults: list[str],
    viewport: dict[str, int],
    scheme: Literal["light", "dark"],
) -> None:
    async with browser(question) as chromium:
        page = await open_page(chromium, stack.api_url, viewport)
        await page.emulate_media(color_scheme=scheme)
        listen_for_faults(page, faults)
        await expect(page.get_by_role("heading", name="Talk to Frontdesk")).to_be_visible()
        await assert_usable_by_all(page)

        await page.get_by_role("button", name="Talk", exact=True).click()
        await expect(page.get_by_role("log")).to_contain_text("automatic assistant")
        await page.get_by_role("button", name="Devices").click()
        await expect(page.get_by_label("Microphone", exact=True)).to_be_enabled()
        await assert_usable_by_all(page)
        await page.keyboard.press("Escape")
        await expect(page.get_by_role("button", name="Devices")).to_be_focused()

        await page.get_by_role("button", name="Hang up").click()
        await expect(page.get_by_role("heading", name="Call ended")).to_be_visible()
        await assert_usable_by_all(page)


_JOIN_BY_TOKEN_SOURCE = """async () => {
  const connections = [];
  window.RTCPeerConnection = class extends RTCPeerConnection {
    constructor(...given) { super(...given); connections.push(this); }
  };
  const protocols = async (connection) => {
    const stats = await connection.getStats();
    const used = [...stats.values()].filter((one) => one.type === "transport" && one.selectedCandidatePairId);
    return used.map((one) => stats.get(stats.get(one.selectedCandidatePairId).localCandidateId).protocol);
  };
  const { ParticipantKind, Room, RoomEvent, TokenSource } = LivekitClient;
  const source = TokenSource.endpoint(`${location.origin}/v1/realtime/sessions`);
  const { serverUrl, participantToken } = await source.fetch({ participantName: "Ada", agentName: "frontdesk" });
  const room = new Room();
  const agent = () => [...room.remoteParticipants.values()].find((one) => one.kind === ParticipantKind.AGENT);
  const heard = new Promise((resolve) => room.on(RoomEvent.TrackSubscribed, resolve));
  await room.connect(serverUrl, participantToken);
  await heard;
  const joined = {
    agent: agent().identity,
    me: room.localParticipant.identity,
    room: room.name,
    session: room.localParticipant.attributes["vw.session"],
    protocols: [...new Set((await Promise.all(connections.map(protocols))).flat())],
  };
  await room.disconnect();
  return joined;
}"""


async def test_livekit_client_joins_by_its_own_token_source(stack: RunningStack, question: Path) -> None:
    async with browser(question) as chromium:
        page = await open_page(chromium, stack.api_url, DESKTOP)
        await page.evaluate(LIVEKIT_CLIENT.read_text())
        joined = await page.evaluate(_JOIN_BY_TOKEN_SOURCE)
        assert joined["agent"] == agent_identity(joined["session"])
        assert joined["room"] == joined["session"]
        assert joined["me"].startswith("caller-")
        assert joined["protocols"] == ["udp"]
