from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from voiceworker.api.page import content_security_policy

if TYPE_CHECKING:
    from tests.api.conftest import House


@pytest.fixture
def built(house: House) -> House:
    directory = house.settings.web_directory
    (directory / "assets").mkdir(parents=True)
    (directory / "index.html").write_text("<!doctype html><title>Talk</title>")
    (directory / "favicon.svg").write_text("<svg/>")
    (directory / "assets" / "index-4f2a.js").write_text("void 0")
    (directory.parent / "secret.txt").write_text("secret")
    (directory / "link.txt").symlink_to(directory.parent / "secret.txt")
    return house


async def test_the_built_page_is_served_with_its_files(built: House) -> None:
    async with built.client() as browser:
        page = await browser.get("/")
        assert "Talk" in page.text
        assert page.headers["cache-control"] == "no-store"
        script = await browser.get("/assets/index-4f2a.js")
        assert script.headers["content-type"].startswith("text/javascript")
        assert "immutable" in script.headers["cache-control"]
        icon = await browser.get("/favicon.svg")
        assert (icon.status_code, icon.headers["cache-control"]) == (200, "no-cache")


async def test_a_page_that_is_not_built_says_how(house: House) -> None:
    async with house.client() as browser:
        page = await browser.get("/")
    assert page.status_code == 200
    assert "make web" in page.text


@pytest.mark.parametrize(
    "path",
    [
        "/../secret.txt",
        "/%2e%2e/secret.txt",
        "/assets/../../secret.txt",
        "/assets/%2e%2e%2f%2e%2e%2fsecret.txt",
        "/assets//etc/passwd",
        "/link.txt",
        "/assets",
        "/assets/",
        "/%00",
        "/assets/" + "x" * 5000,
    ],
)
async def test_no_path_leads_out_of_the_folder(built: House, path: str) -> None:
    async with built.client() as browser:
        answer = await browser.get(path)
    assert answer.status_code == 404
    assert "secret" not in answer.text


def test_the_page_may_connect_to_this_server_and_the_sfu_only() -> None:
    policy = content_security_policy("wss://sfu.example.org/path")
    directives = dict(part.strip().split(" ", 1) for part in policy.split(";"))
    assert directives["default-src"] == "'none'"
    assert directives["connect-src"] == "'self' wss://sfu.example.org https://sfu.example.org"
    assert directives["script-src"] == "'self'"
    assert "unsafe" not in policy
