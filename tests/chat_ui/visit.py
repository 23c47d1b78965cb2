"""What a person does in the browser, and what a fake home is told to do meanwhile."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

playwright = pytest.importorskip("playwright.sync_api")
expect = playwright.expect
expect.set_options(timeout=30_000)

CHROMIUM = Path("/usr/bin/chromium")
JOHN, SARAH = "john@example.com", "sarah@example.com"
MARKS = [
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists(), reason="needs Chromium at /usr/bin/chromium"),
    pytest.mark.timeout(120),
    pytest.mark.usefixtures("clean"),
]
SignIn = Callable[..., Any]
#: Keeps the page's sockets at hand, so that a test can break them.
KEEP_SOCKETS = """
window.kept = [];
window.WebSocket = class extends window.WebSocket { constructor(...a) { super(...a); window.kept.push(this); } };
"""


def say(page: Any, text: str) -> None:
    page.locator("#chat-input").click()
    page.keyboard.type(text)
    for _ in range(200):
        # Before the socket is open Enter does nothing and the words stay where they are.
        page.keyboard.press("Enter")
        page.wait_for_timeout(150)
        if text not in page.locator("#chat-input").inner_text() + page.locator("#chat-input").input_value():
            return
    raise AssertionError("the chat did not take the message")


def unfold(page: Any, head: str) -> None:
    page.locator("[data-testid=deeds] > summary", has_text=head).last.click()


def said(page: Any, text: str) -> Any:
    """What stands in the conversation; an answer is also in the unseen line that is read aloud."""
    return page.locator("[data-step-type]").get_by_text(text)


def card(page: Any) -> Any:
    return page.locator("[data-testid=confirm-card]")


def press(page: Any, name: str) -> None:
    """A button of the card that is open; again where the card was drawn anew under the pointer, so that the page sent
    nothing."""
    for _ in range(3):
        try:
            with page.expect_request("**/project/action", timeout=15_000):
                card(page).get_by_role("button", name=name).click(timeout=5_000)
        except playwright.TimeoutError:
            continue
        return
    raise AssertionError("the page did not send the press")


def happens(page: Any, address: str, what: str, **data: Any) -> None:
    assert page.request.post(f"{address}/fake/{what}", data=data).ok


def told(page: Any, address: str, **data: Any) -> Any:
    """What the fake home counts, after it was given these settings."""
    return page.request.post(f"{address}/fake/set", data=data).json()


def reached(page: Any, address: str, name: str, count: int) -> None:
    """Waits until the fake home has counted so many."""
    for _ in range(600):
        if told(page, address)[name] >= count:
            return
        page.wait_for_timeout(50)
    raise AssertionError(f"{name} did not come to {count}")


def following(page: Any, address: str, count: int) -> None:
    """Waits until `count` chats follow the home."""
    reached(page, address, "listeners", count)
