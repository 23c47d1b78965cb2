"""What people like about the chat, in a real browser: the home beside it, charts, short answers, their own language."""

import re
from pathlib import Path
from typing import Any

import pytest
from visit import JOHN, MARKS, SARAH, SignIn, card, expect, happens, press, said, say, unfold

pytestmark = MARKS

CONTRAST = (Path(__file__).parent / "contrast.js").read_text()
PHONE = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True}
#: Whatever a person can press or fill in, and has no name for those who have it read to them.
NAMELESS = """() => [...document.querySelectorAll("button, a[href], input, select, textarea, [role=button]")]
  .filter((e) => e.checkVisibility() && !e.closest("[aria-hidden=true]"))
  .filter((e) => !(e.getAttribute("aria-label") || e.innerText || e.title || e.labels?.[0]?.innerText))
  .map((e) => e.outerHTML.slice(0, 160))"""
TEXTS = """() => [document.title, document.body.innerText, ...[...document.querySelectorAll("*")].flatMap((e) =>
  ["aria-label", "title", "alt", "placeholder"].map((a) => e.getAttribute(a) || ""))].join("\\n")"""


def row(page: Any, icon: str) -> Any:
    return page.locator(f"#hg-home [data-icon={icon}] dd")


def test_the_home_stands_beside_the_chat_and_follows_what_happens(sign_in: SignIn, address: str) -> None:
    page = sign_in()
    expect(row(page, "open")).to_have_text("Back Door Lock is unlocked")
    expect(row(page, "climate")).to_contain_text("70\u00a0°F · set to 70\u00a0°F")
    expect(row(page, "battery")).to_have_text("Back Door Lock · 17\u00a0%")
    say(page, "Is everything locked?")
    expect(said(page, "Not quite")).to_have_count(1)

    happens(page, address, "device", id="garage_door", state={"cover": "open"})
    expect(row(page, "open")).to_have_text("Back Door Lock is unlocked · Garage Door is open")
    expect(page.locator("#hg-home")).to_have_attribute("data-tone", "notice")
    happens(page, address, "mode", mode="away", arm_state="armed_away")
    expect(row(page, "shield")).to_have_text("Away · Armed, away")
    happens(page, address, "device", id="garage_door", state={"cover": "closed"})
    happens(page, address, "mode", mode="home", arm_state="disarmed")
    expect(row(page, "open")).to_have_text("Back Door Lock is unlocked")


def test_on_a_phone_the_home_is_a_line_that_unfolds(sign_in: SignIn) -> None:
    page = sign_in(**PHONE)
    fold = page.locator("#hg-home-fold")
    expect(fold).to_contain_text("Back Door Lock is unlocked")
    expect(row(page, "open")).to_be_hidden()

    fold.click()
    expect(row(page, "open")).to_be_visible()
    page.keyboard.press("Escape")
    expect(row(page, "open")).to_be_hidden()
    expect(page.locator("#hg-home-fold")).to_be_focused()
    say(page, "Unlock the front door")
    expect(card(page)).to_have_attribute("data-state", "open")
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    low = [b for b in card(page).get_by_role("button").all() if b.bounding_box()["height"] < 44]
    assert low == []


def test_a_starter_shuts_what_stands_open(sign_in: SignIn) -> None:
    page = sign_in()
    page.locator("#starters button", has_text="Lock Back Door Lock").click()

    expect(page.locator("[data-step-type=user_message]")).to_have_text("Lock the back door lock")
    expect(said(page, "Done. The back door is locked.")).to_have_count(1)
    expect(row(page, "lock")).to_have_text("All locked and closed")


def test_a_question_is_answered_with_a_button_that_speaks_for_the_person(sign_in: SignIn) -> None:
    page = sign_in()
    say(page, "Lock the door")
    replies = page.locator("[data-testid=quick-replies] button")
    expect(replies).to_have_text(["The back door", "The front door"])

    replies.first.click()
    expect(page.locator("[data-step-type=user_message]").last).to_have_text("the back door")
    expect(said(page, "Done. The back door is locked.")).to_have_count(1)
    expect(replies).to_have_count(0)

    say(page, "It's getting dark")
    expect(replies).to_have_text(["Yes", "Just turn on the porch light", "Just close the garage", "No"])
    say(page, "Unlock the front door")
    expect(card(page)).to_have_attribute("data-state", "open")
    expect(replies).to_have_count(0)


def test_measurements_are_drawn_and_told_in_words_and_rows(sign_in: SignIn) -> None:
    page = sign_in()
    say(page, "How warm was it?")
    chart = page.locator("[data-testid=chart]")

    for _ in range(2):
        expect(chart.locator("svg[role=img]")).to_have_attribute("aria-label", re.compile("between 67.1 °F"))
        expect(chart.locator("svg path.hg-chart-line")).to_have_count(1)
        chart.get_by_text("Show as a table").click()
        expect(chart.locator("tbody tr")).to_have_count(48)
        expect(chart.locator("tbody tr").first.locator("td")).to_have_text(["68", "67.1", "68.9"])
        page.reload()
    expect(chart).to_have_count(1)


def test_the_chat_speaks_the_browser_s_language_or_the_one_that_is_chosen(sign_in: SignIn) -> None:
    page = sign_in(locale="de-DE")
    expect(page.locator("#hg-status")).to_contain_text("Hallo, John")
    expect(page.locator("#hg-status")).to_contain_text("Back Door Lock ist aufgeschlossen.")
    expect(page.locator("#chat-input")).to_have_attribute("placeholder", "Frag dein Zuhause oder sag ihm etwas…")
    assert page.evaluate("document.documentElement.lang") == "de"

    page.locator("#hg-language").select_option("fr")
    expect(page.locator("#hg-status")).to_contain_text("Bonjour, John")
    say(page, "Unlock the front door")
    expect(card(page)).to_contain_text(re.compile(r"Déverrouiller Front Door Lock\s\?"))
    press(page, "Laisser verrouillé")
    expect(card(page)).to_contain_text("Refusé par vous. Rien n'a été changé.")
    page.reload()
    expect(card(page)).to_contain_text("Refusé par vous. Rien n'a été changé.")


def test_a_press_before_the_page_is_known_goes_again_by_itself(sign_in: SignIn, address: str) -> None:
    page = sign_in()
    say(page, "Unlock the front door")
    expect(card(page)).to_have_attribute("data-state", "open")
    unknown = {"sessionId": "not-known-yet", "action": {"name": "decide", "payload": {}}}
    answer = page.request.post(f"{address}/chat/project/action", data=unknown)
    assert (answer.status, answer.json()["error"]["code"]) == (409, "NOT_YET")

    early: list[int] = []

    def not_yet(route: Any) -> None:
        early.append(1)
        if len(early) < 3:
            route.fulfill(status=409, content_type="application/json", body=answer.text())
        else:
            route.continue_()

    page.route("**/project/action", not_yet)
    card(page).get_by_role("button", name="Keep locked").click()

    expect(card(page)).to_have_attribute("data-state", "denied")
    expect(said(page, "I left the front door locked.")).to_have_count(1)
    assert len(early) == 3


def test_a_page_that_was_away_during_a_restart_is_not_taken_for_signed_out(sign_in: SignIn, server: Any) -> None:
    page = sign_in()
    say(page, "Is everything locked?")
    expect(said(page, "Not quite")).to_have_count(1)
    page.wait_for_url("**/chat/thread/*")

    page.context.set_offline(True)
    server.stop()
    server.start()
    with page.expect_response("**/chat/user") as asked:
        page.context.set_offline(False)

    assert asked.value.status == 200
    say(page, "count to sixty")
    expect(said(page, "57 58 59 60")).to_have_count(1)
    expect(page).to_have_url(re.compile("/chat/thread/"))


def test_an_answer_that_a_restart_cut_off_comes_whole_and_once(sign_in: SignIn, server: Any) -> None:
    page = sign_in()
    say(page, "count to sixty")
    expect(said(page, "1 2 3 4 5")).to_be_visible()

    server.stop()
    server.start()

    expect(said(page, "57 58 59 60")).to_have_count(1)
    expect(said(page, "1 2 3 4 5")).to_have_count(1)
    expect(page.locator("[data-step-type=user_message]")).to_have_count(1)


def test_what_was_done_survives_a_lost_socket_too(sign_in: SignIn) -> None:
    page = sign_in()
    say(page, "count to sixty")
    expect(said(page, "1 2 3 4 5")).to_be_visible()

    page.evaluate("window.kept.forEach((socket) => socket.close())")

    expect(said(page, "57 58 59 60")).to_have_count(1)
    unfold(page, "How I know this")
    expect(page.locator("[data-testid=deeds] li")).to_have_text([re.compile("Looked at your home")])


def test_what_was_unfolded_and_typed_stays_when_the_talk_goes_on(sign_in: SignIn, address: str) -> None:
    page = sign_in()
    happens(page, address, "set", pin="2468")
    say(page, "Is everything locked?")
    unfold(page, "How I know this")
    say(page, "Unlock the front door")
    page.get_by_label("PIN of your home").fill("24")

    say(page, "How warm was it?")
    expect(page.locator("[data-testid=chart]")).to_be_visible()

    expect(page.locator("[data-testid=deeds][open]")).to_have_count(1)
    expect(page.get_by_label("PIN of your home")).to_have_value("24")


def test_the_keyboard_alone_is_enough(sign_in: SignIn) -> None:
    page = sign_in()
    page.keyboard.press("Control+Home")
    page.locator("#hg-skip").focus()
    expect(page.locator("#hg-skip")).to_be_in_viewport()
    page.keyboard.press("Enter")
    expect(page.locator("#chat-input")).to_be_focused()
    say(page, "Unlock the front door")
    expect(card(page)).to_have_attribute("data-state", "open")

    for _ in range(40):
        page.keyboard.press("Shift+Tab")
        if card(page).locator("button:focus").count():
            break
    focused = card(page).locator("button:focus")
    expect(focused).to_have_text("Keep locked")
    assert focused.evaluate("(e) => getComputedStyle(e).outlineStyle") == "solid"
    page.keyboard.press("Escape")
    expect(page.locator("#chat-input")).to_be_focused()
    expect(card(page)).to_have_attribute("data-state", "open")
    focused = card(page).get_by_role("button", name="Keep locked")
    focused.focus()
    page.keyboard.press("Enter")
    expect(card(page)).to_have_attribute("data-state", "denied")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_can_be_read_and_every_control_has_a_name(sign_in: SignIn, address: str, scheme: str) -> None:
    page = sign_in(SARAH, color_scheme=scheme, reduced_motion="reduce")
    expect(page.locator("#hg-status")).to_be_visible()
    page.wait_for_function(f"Object.keys(({CONTRAST})()).length === 0")
    say(page, "Get ready for the night")
    expect(card(page)).to_have_attribute("data-state", "open")
    unfold(page, "What I did and why")
    say(page, "How warm was it?")
    expect(page.locator("[data-testid=chart]")).to_be_visible()
    happens(page, address, "alert", severity="critical", kind="smoke", title="Smoke", text="In the kitchen.")
    expect(page.locator("[data-testid=alert-card]")).to_contain_text("Get everybody out first.")

    assert page.evaluate(CONTRAST) == {}
    assert page.evaluate(NAMELESS) == []
    assert page.evaluate("document.getAnimations().filter((a) => a.playState === 'running').length") == 0
    expect(page.locator("#hg-live")).to_have_text("HomeGuard says: Between 67 and 74 degrees.")
    expect(page.get_by_role("alertdialog", name="Unlock the front door?")).to_have_count(1)
    assert not re.search("chainlit|LLMs? can|readme", page.evaluate(TEXTS), re.IGNORECASE)


def test_an_alert_offers_to_ask_about_it(sign_in: SignIn, address: str) -> None:
    page = sign_in(JOHN)
    happens(page, address, "alert", severity="high", kind="water_leak", title="Water leak", text="Under the sink.")
    page.locator("[data-testid=alert-card]").get_by_role("button", name="What happened?").click()

    expect(page.locator("[data-step-type=user_message]")).to_have_text("What happened in the last hour?")
