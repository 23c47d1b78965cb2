"""The chat in a real browser, in front of a fake home: what a person sees, does and gets back."""

import re
from typing import Any

import pytest
from visit import (
    JOHN,
    MARKS,
    SARAH,
    SignIn,
    card,
    expect,
    following,
    happens,
    press,
    reached,
    said,
    say,
    told,
    unfold,
)

pytestmark = MARKS


def test_the_whole_way_from_login_to_an_unlocked_door(sign_in: SignIn, address: str) -> None:
    page = sign_in()
    expect(page.locator("#hg-status")).to_contain_text("Hello, John")
    expect(page.locator("#hg-status")).to_contain_text("Back Door Lock is unlocked.")
    expect(page.locator("#starters button")).to_have_count(4)

    page.locator("#starters button", has_text="Is everything locked?").click()
    expect(said(page, "Not quite: the back door is unlocked.")).to_be_visible()
    expect(page.get_by_text("No: the")).to_have_count(0)
    unfold(page, "How I know this")
    expect(page.get_by_text("Looked at your home")).to_be_visible()
    expect(page.get_by_text('"total_devices"')).to_be_hidden()
    page.get_by_text("Details", exact=True).click()
    expect(page.get_by_text('"total_devices"')).to_be_visible()
    expect(page).to_have_url(re.compile("/chat/thread/thr_"))

    say(page, "Unlock the front door")
    expect(card(page)).to_have_attribute("data-state", "open")
    unfold(page, "What I did and why")
    deed = page.locator("[data-testid=deeds] li", has_text="Unlock Front Door Lock")
    expect(deed).to_contain_text("waits for the card")
    expect(deed).to_contain_text("words are not enough")
    lock = f"{address}/api/v1/devices"
    assert page.request.get(lock).json()["items"][0]["state"] == {"lock": "locked"}

    page.reload()
    expect(card(page)).to_have_count(1)
    expect(said(page, "Not quite: the back door is unlocked.")).to_be_visible()
    other = sign_in(SARAH)
    expect(card(other)).to_have_attribute("data-state", "open")
    card(page).get_by_role("button", name="Unlock").click()
    expect(card(page)).to_have_attribute("data-state", "approved")
    expect(card(page)).to_contain_text("Approved by you")
    expect(card(page)).to_contain_text("Front Door Lock")
    expect(said(page, "The front door is unlocked.")).to_have_count(1)
    assert page.request.get(lock).json()["items"][0]["state"] == {"lock": "unlocked"}
    unfold(page, "What I did and why")
    expect(deed).to_contain_text("You pressed the card.")
    expect(card(other)).to_have_attribute("data-state", "approved")

    happens(page, address, "alert", severity="critical", title="Water leak", text="Under the sink.", device_id="leak")
    for seen in (page, other):
        expect(seen.locator("[data-testid=alert-card]")).to_have_count(1)
        expect(seen.locator("[data-testid=alert-card]")).to_contain_text("Water leak")
    expect(said(page, "The front door is unlocked.")).to_have_count(1)
    assert "chainlit" not in (page.title() + page.locator("body").inner_text()).lower()
    assert said(other, "Not quite").count() == 0


def test_a_plan_is_a_list_that_follows_its_card_and_is_there_after_a_reload(sign_in: SignIn, address: str) -> None:
    page = sign_in()
    say(page, "Get ready for the night")
    plan = page.locator("[data-testid=plan-list]")
    steps = plan.locator("li")

    expect(steps).to_have_text(
        [
            "Lock Back Door Lockconfirmed", "Close Garage Doorsent, not confirmed",
            "Set Thermostat to 72\u00b0Ffailed: it did not answer", "Unlock Front Door Lockwaits for the card",
        ]
    )  # fmt: skip
    expect(plan.locator(".hg-plan-head")).to_have_text("1 of 4 confirmed")
    assert page.locator("[data-testid=plan-list], [data-testid=confirm-card]").first.get_attribute(
        "data-testid"
    ) == "plan-list"  # fmt: skip

    card(page).get_by_role("button", name="Unlock").click()
    expect(steps.last).to_have_text("Unlock Front Door Lockconfirmed")
    expect(plan.locator(".hg-plan-head")).to_have_text("2 of 4 confirmed")
    expect(plan).to_have_count(1)

    page.reload()
    expect(steps).to_have_text(["Lock Back Door Lockconfirmed", "Unlock Front Door Lockconfirmed"])


def test_every_reload_comes_back_to_the_conversation(sign_in: SignIn) -> None:
    page = sign_in()
    say(page, "Is everything locked?")
    expect(page).to_have_url(re.compile("/chat/thread/thr_"))
    expect(page.get_by_text("How I know this")).to_be_visible()

    for _ in range(6):
        page.reload()
        expect(page.locator("[data-step-type=user_message]")).to_have_text("Is everything locked?")


def test_a_card_is_pressed_by_keyboard_and_no_leaves_things_as_they_are(sign_in: SignIn) -> None:
    page = sign_in()
    say(page, "Unlock the front door")
    button = card(page).get_by_role("button", name="Keep locked")
    button.focus()
    page.keyboard.press("Enter")

    expect(card(page)).to_contain_text("Declined by you. Nothing was changed.")
    expect(card(page).get_by_role("button")).to_have_count(0)
    expect(said(page, "I left the front door locked.")).to_have_count(1)


def test_a_card_decided_elsewhere_changes_in_the_open_page(sign_in: SignIn, address: str) -> None:
    page = sign_in()
    say(page, "Unlock the front door")
    expect(card(page)).to_have_attribute("data-state", "open")

    happens(page, address, "decide", approve=False, **{"as": SARAH})

    expect(card(page)).to_contain_text("Declined by someone else of your home")
    expect(said(page, "I left the front door locked.")).to_have_count(1)


def test_an_open_card_stands_in_a_new_chat_too(sign_in: SignIn) -> None:
    page = sign_in()
    say(page, "Unlock the front door")
    expect(card(page)).to_have_attribute("data-state", "open")

    page.goto(page.url.partition("/thread/")[0] + "/")
    expect(card(page)).to_have_attribute("data-state", "open")
    card(page).get_by_role("button", name="Keep locked").click()
    expect(card(page)).to_have_attribute("data-state", "denied")
    expect(said(page, "I left the front door locked.")).to_have_count(1)


def test_a_card_asks_for_the_pin_in_the_card(sign_in: SignIn, address: str) -> None:
    page = sign_in()
    happens(page, address, "set", pin="2468")
    say(page, "Unlock the front door")
    unlock = card(page).get_by_role("button", name="Unlock")

    unlock.click()
    expect(card(page)).to_contain_text("Enter the PIN of your home first.")
    page.get_by_label("PIN of your home").fill("1111")
    unlock.click()
    expect(card(page)).to_contain_text("That PIN is not right.")
    expect(card(page)).to_have_attribute("data-state", "open")
    page.get_by_label("PIN of your home").fill("2468")
    unlock.click()

    expect(card(page)).to_have_attribute("data-state", "approved")
    assert "2468" not in page.content()


def test_a_card_expires_before_the_eyes(sign_in: SignIn, address: str) -> None:
    page = sign_in()
    happens(page, address, "set", card_seconds=12)
    say(page, "Unlock the front door")

    expect(card(page).get_by_role("timer")).to_be_visible()
    expect(card(page)).to_contain_text("This question has expired. Nothing was changed.")
    expect(card(page).get_by_role("button")).to_have_count(0)


def test_an_answer_survives_a_lost_socket(sign_in: SignIn) -> None:
    page = sign_in()
    say(page, "count to sixty")
    expect(said(page, "1 2 3 4 5")).to_be_visible()

    page.evaluate("window.kept.forEach((socket) => socket.close())")

    expect(said(page, "57 58 59 60")).to_have_count(1)
    expect(said(page, " ".join(str(n) for n in range(1, 61)))).to_have_count(1)
    expect(page.get_by_text("count to sixty").locator("visible=true")).not_to_have_count(0)


def test_an_open_page_goes_on_after_a_restart(sign_in: SignIn, server: Any) -> None:
    page = sign_in()
    say(page, "Unlock the front door")
    expect(card(page)).to_have_attribute("data-state", "open")

    server.stop()
    server.start()

    expect(card(page)).to_have_attribute("data-state", "open")
    following(page, server.address, 1)
    press(page, "Keep locked")
    expect(card(page)).to_have_attribute("data-state", "denied")
    expect(said(page, "I left the front door locked.")).to_have_count(1)
    say(page, "Is everything locked?")
    expect(page.locator("[data-step-type=user_message]")).to_have_count(2)


def test_a_card_that_is_answered_while_the_page_loads_is_shown_answered(sign_in: SignIn, address: str) -> None:
    page = sign_in()
    say(page, "Unlock the front door")
    expect(card(page)).to_have_attribute("data-state", "open")
    page.wait_for_url("**/chat/thread/*")

    before = told(page, address, cards_after_s=1)["cards_asked"]
    page.reload()
    reached(page, address, "cards_asked", before + 1)
    happens(page, address, "decide", approve=False, **{"as": SARAH})

    expect(card(page)).to_have_attribute("data-state", "denied")
    expect(said(page, "I left the front door locked.")).to_have_count(1)


def test_errors_are_plain_sentences(sign_in: SignIn) -> None:
    page = sign_in()
    say(page, "you are too fast")
    expect(said(page, "That was a lot at once. Please try again in 20 seconds.")).to_be_visible()
    say(page, "please fail")
    expect(said(page, "The model did not answer in time.")).to_be_visible()
    say(page, "count to sixty")
    expect(said(page, "57 58 59 60")).to_have_count(1)
    expect(said(page, "The model did not answer in time.")).to_have_count(1)


def test_the_first_screen_follows_the_home(sign_in: SignIn, address: str) -> None:
    page = sign_in()
    following(page, address, 1)
    happens(page, address, "device", id="garage_door", state={"cover": "open"})
    expect(page.locator("#hg-status")).to_contain_text("Garage Door is open")

    happens(page, address, "device", id="garage_door", state={"cover": "closed"})
    expect(page.locator("#hg-status")).not_to_contain_text("Garage Door is open")


def test_a_picture_in_an_answer_is_not_fetched_from_elsewhere(browser: Any, sign_in: SignIn) -> None:
    page = sign_in()
    answered: list[str] = []
    page.on("response", lambda response: answered.append(response.url))
    with page.expect_console_message(lambda m: "10.9.8.7" in m.text and "Content Security Policy" in m.text):
        say(page, "show a picture")
        expect(said(page, "Look:")).to_be_visible()

    assert not any("10.9.8.7" in url for url in answered)


def test_a_revoked_session_leads_to_the_login_and_the_others_stay(sign_in: SignIn, address: str) -> None:
    page, other = sign_in(), sign_in(SARAH)
    say(other, "Is everything locked?")
    expect(other.get_by_text("back door")).not_to_have_count(0)
    following(page, address, 2)

    happens(page, address, "revoke", email=JOHN)

    expect(page).to_have_url(re.compile(r"/login\?next="))
    say(other, "count to sixty")
    expect(said(other, "57 58 59 60")).to_be_visible()


def test_signing_out_ends_the_session_everywhere(sign_in: SignIn, address: str) -> None:
    page = sign_in()
    page.locator("#user-nav-button").click()
    page.get_by_text("Sign out").click()

    expect(page).to_have_url(re.compile("/login"))
    assert page.request.get(f"{address}/api/v1/users/me").status == 401


def test_past_conversations_are_listed_searched_and_deleted(sign_in: SignIn) -> None:
    page = sign_in(SARAH)
    say(page, "Lock the back door please")
    expect(said(page, "Done. The back door is locked.")).to_be_visible()
    entry = page.locator("#thread-history").get_by_text("Lock the back door please")
    expect(entry).to_be_visible()

    page.locator("#new-chat-button").click()
    expect(page.locator("#hg-status")).to_be_visible()
    entry.click()
    expect(said(page, "Done. The back door is locked.")).to_be_visible()
    unfold(page, "What I did and why")
    expect(page.locator("[data-testid=deeds] li").last).to_contain_text("Lock Back Door Lock · confirmed")
    expect(page.locator("[data-testid=deeds] li").last).to_contain_text("You asked: “Lock the back door please”")
    say(page, "Is everything locked?")
    expect(page.locator("[data-step-type=user_message]")).to_have_count(2)

    page.locator("#thread-history #thread-options").first.click()
    page.locator("#rename-thread").click()
    page.get_by_role("dialog").get_by_role("textbox").fill("Bedtime")
    page.get_by_role("dialog").get_by_role("button", name="Confirm").click()
    expect(page.locator("#thread-history").get_by_text("Bedtime")).to_be_visible()
    page.reload()
    expect(page.locator("#thread-history").get_by_text("Bedtime")).to_be_visible()

    page.locator("#thread-history #thread-options").first.click()
    page.locator("#delete-thread").click()
    page.get_by_role("button", name="Confirm").click()
    expect(page.locator("#thread-history").get_by_text("Bedtime")).to_have_count(0)


def test_a_question_has_a_page_of_its_own(sign_in: SignIn, address: str) -> None:
    page = sign_in()
    say(page, "Unlock the front door")
    expect(card(page)).to_have_attribute("data-state", "open")
    card_id = page.request.get(f"{address}/api/v1/confirmations").json()["items"][0]["id"]

    alone = sign_in(SARAH, path=f"/confirm/{card_id}")
    expect(alone.locator("#text")).to_have_text("Unlock the front door?")
    expect(alone.locator("#clock")).to_contain_text("Open for another")
    alone.get_by_role("button", name="Unlock").click()

    expect(alone.locator("#result")).to_contain_text("Approved by you")
    expect(alone.locator("#result")).to_contain_text("Front Door Lock — done")
    expect(card(page)).to_contain_text("Approved by someone else of your home")


@pytest.mark.parametrize(
    ("wanted", "lands"),
    [
        ("/chat/", "/chat/"),
        ("//evil.example/x", "/chat/"),
        ("https://evil.example", "/chat/"),
        ("/\\evil.example", "/chat/"),
    ],
)
def test_the_login_leads_only_to_our_own_pages(browser: Any, address: str, wanted: str, lands: str) -> None:
    context = browser.new_context()
    page = context.new_page()
    page.goto(f"{address}/login?next={wanted}")
    page.fill("#email", JOHN)
    page.fill("#password", "wrong")
    page.click("#go")
    expect(page.locator("#problem")).to_have_text("E-mail or password is wrong.")
    page.fill("#password", "demo123")
    page.keyboard.press("Enter")

    page.wait_for_url(f"{address}{lands}")
    context.close()
