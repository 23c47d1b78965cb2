"""A new user's first minutes in a real browser, against everything running: ask, lock, a card, a reload, the press."""

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from chat_ui.languages import words_in
from chat_ui.starters import starters

playwright = pytest.importorskip("playwright.sync_api")
expect = playwright.expect
expect.set_options(timeout=20_000)

CHROMIUM = Path("/usr/bin/chromium")
SHOTS = os.environ.get("HOMEGUARD_SHOTS", "")
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists(), reason="needs Chromium at /usr/bin/chromium"),
    pytest.mark.timeout(240),
]


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-m", "deploy.cli.main", "up", "--no-simulator", "--port", str(port),
         "--data-dir", str(tmp_path_factory.mktemp("home"))],
        stdout=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        while not (line := process.stdout.readline()).startswith("ready "):
            assert process.poll() is None
        yield line.split()[1]
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0


@pytest.fixture
def sign_in(address: str) -> Iterator[Callable[[str], Any]]:
    foreign: list[str] = []
    with playwright.sync_playwright() as engine:
        browser = engine.chromium.launch(
            executable_path=str(CHROMIUM), args=["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"]
        )

        def signed_in(email: str) -> Any:
            page = browser.new_context(viewport={"width": 1100, "height": 900}).new_page()
            own = (address, address.replace("http", "ws"), "data:", "blob:")
            page.on("request", lambda r: r.url.startswith(own) or foreign.append(r.url))
            page.on("requestfailed", lambda r: r.failure == "csp" and foreign.remove(r.url))
            page.goto(f"{address}/")
            expect(page).to_have_url(re.compile("/login"))
            page.select_option("#demo-user", email)
            page.click("#go")
            expect(page.locator("#hg-status")).to_be_visible(timeout=60_000)
            return page

        yield signed_in
        browser.close()
    assert foreign == []


def say(page: Any, text: str) -> None:
    page.locator("#chat-input").click()
    page.keyboard.type(text)
    for _ in range(200):
        page.keyboard.press("Enter")
        page.wait_for_timeout(150)
        if text not in page.locator("#chat-input").inner_text():
            return
    raise AssertionError("the chat did not take the message")


def press(page: Any, card: Any, name: str) -> None:
    """As a person does: once, and again where the card was drawn anew under the pointer."""
    button = card.get_by_role("button", name=name)
    button.click()
    for _ in range(10):
        page.wait_for_timeout(1_500)
        if not button.is_visible() or not button.is_enabled():
            return
        # it may go in this moment
        with contextlib.suppress(playwright.TimeoutError):
            button.click(timeout=2_000)
    raise AssertionError("the card did not take the press")


def told(page: Any, text: str | re.Pattern[str]) -> None:
    expect(page.locator(".ai-message, [data-step-type=assistant_message]").filter(has_text=text).last).to_be_visible()


def shot(page: Any, name: str) -> None:
    if SHOTS:
        page.screenshot(path=f"{SHOTS}/{name}.png")


def state(page: Any, address: str, device_id: str) -> dict[str, Any]:
    return dict(page.request.get(f"{address}/api/v1/devices/{device_id}").json()["state"])


def test_john_asks_locks_and_unlocks_with_the_card(address: str, sign_in: Any) -> None:
    page = sign_in("john@demo.com")
    shot(page, "1_welcome")

    say(page, "Is everything locked?")
    told(page, re.compile("back door lock", re.IGNORECASE))
    say(page, "Lock the back door")
    told(page, "The back door lock is locked.")
    assert state(page, address, "back_door_lock")["lock"] == "locked"

    say(page, "Unlock the front door")
    card = page.locator("[data-testid=confirm-card]")
    expect(card).to_contain_text("Unlock Front door lock?")
    shot(page, "2_card")
    assert state(page, address, "front_door_lock")["lock"] == "locked"

    page.reload()
    card = page.locator("[data-testid=confirm-card]").last
    expect(card).to_contain_text("Unlock Front door lock?")
    shot(page, "3_card_after_reload")
    assert state(page, address, "front_door_lock")["lock"] == "locked"

    press(page, card, "Unlock")
    told(page, "The front door lock is unlocked.")
    assert state(page, address, "front_door_lock")["lock"] == "unlocked"

    say(page, "Lock the front door")
    told(page, "The front door lock is locked.")
    say(page, "Don't unlock the front door")
    told(page, re.compile("leave", re.IGNORECASE))
    assert state(page, address, "front_door_lock")["lock"] == "locked"
    expect(
        page.locator("[data-testid=confirm-card]").filter(has=page.get_by_role("button", name="Unlock"))
    ).to_have_count(0)

    say(page, "What was the temperature today at 5?")
    told(page, re.compile(r"\d+°F"))
    shot(page, "4_conversation")


def test_sarah_turns_off_all_lights_but_one(address: str, sign_in: Any) -> None:
    page = sign_in("sarah@demo.com")

    say(page, "Turn off all the lights except the hallway light")
    told(page, re.compile("off", re.IGNORECASE))
    shot(page, "5_sarah")

    lights = {
        light: state(page, address, light)["on"] for light in ("porch_light", "living_room_light", "hallway_light")
    }
    assert lights == {"porch_light": False, "living_room_light": False, "hallway_light": True}


@pytest.mark.parametrize("email", ["john@demo.com", "sarah@demo.com"])
def test_no_starter_of_a_demo_home_fails(address: str, sign_in: Any, email: str) -> None:
    page = sign_in(email)
    devices = page.request.get(f"{address}/api/v1/devices").json()["items"]
    offered = {s.message for home in _as_they_may_be(devices) for s in starters(home, words_in("en"))}
    assert len(offered) >= 8

    for message in sorted(offered):
        asked = {"message": message, "new_thread": True}
        told = page.request.post(f"{address}/api/v1/ai/chat", data=asked).json()
        assert told["status"] == "completed", message
        assert told["asked"] == []
        assert not re.search("can't|cannot|don't understand|not sure", told["answer"]), f"{message}: {told['answer']}"


def _as_they_may_be(devices: list[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    """The home as it is, and in states in which other things are offered."""
    locks = [d["id"] for d in devices if d["type"] == "lock"]

    def but(**changed: dict[str, Any]) -> list[dict[str, Any]]:
        return [{**d, "state": {**d["state"], **changed.get(d["id"], changed.get(d["type"], {}))}} for d in devices]

    yield devices
    yield but(light={"on": True})
    yield but(**{locks[0]: {"lock": "unlocked"}})
    yield but(lock={"lock": "unlocked"})
    yield but(garage_door={"cover": "open"})
    yield [d for d in devices if d["type"] == "lock"]
    yield [d for d in devices if d["type"] in ("motion", "contact")]
