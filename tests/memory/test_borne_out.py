"""A note is kept when the person said what it says; what they did not say is asked, and never kept."""

import pytest

from memory.borne_out import Heard, is_borne_out
from memory.items import Item, address, fact, member_of_household, preference, quiet_hours

#: (what was said, a note that says the same in other words). Kept as it is.
KEPT = (
    ("My mum comes at five on Fridays", "Mother visits Fridays at 17:00"),
    ("Remember that my sister Ana has a key", "Ana, the sister, has a key"),
    ("I always get up at half six", "Wakes up at 6:30 every day"),
    ("we have a dog called Biscuit", "The pet dog is named Biscuit"),
    ("please note that the cleaner, Maria, is here on Tuesdays", "The cleaner Maria is here on Tuesdays"),
    ("I don't like it hot in the bedroom", "Dislikes a hot bedroom"),
    ("I hate loud alarms in the morning", "The person dislikes loud morning alarms"),
    ("bin day is Thursday", "Rubbish day: Thursday"),
    ("I'd like the hall light to stay on at night", "Prefers the hall light on at night"),
    ("My wife is allergic to nuts", "The wife is allergic to nuts"),
    ("don't forget that the spare key is under the blue pot", "The spare key is under the blue pot"),
    ("I usually leave for work at quarter past seven", "Leaves for work at 7:15"),
    ("I never drink coffee after noon", "Never drinks coffee after 12:00"),
    ("Could you remember that my dad takes his pills at nine in the evening?", "Father takes medication at 21:00"),
    ("our wifi guest password is bluebird42", "The guest wifi password is bluebird42"),
    ("My mum is Ruth. She comes on Fridays at five.", "Ruth visits on Fridays at 17:00"),
    ("The kids go to bed at eight", "Kids go to bed at 20:00"),
    ("only Ana may use the workshop", "Only Ana may use the workshop"),
    ("if it rains, the awning must be in", "The awning must be in if it rains"),
    ("FYI the boiler was serviced on the 3rd of March", "Boiler serviced on March 3"),
    ("my neighbour Tom feeds the cat when we're away", "The neighbour Tom feeds the cat when they are away"),
    ("I work from home on Mondays and Wednesdays", "Works from home Mondays and Wednesdays"),
    ("we prefer 21 degrees in the living room", "Likes 21 degrees in the living room"),
)
#: Says the same too, but so differently that the person is asked.
ASKED = (
    ("My wife is allergic to nuts", "Wife has a nut allergy"),
    ("Meine Mutter kommt freitags um f\u00fcnf", "Mother visits Fridays at 17:00"),
    ("we like 70 degrees in here", "Prefers 21 degrees"),
)
#: (what was said, a note that says something else).
INVENTED = (
    ("How is the house?", "The cleaner needs no card"),
    ("My mum comes at five on Fridays", "Mother visits Fridays at 18:00"),
    ("My mum comes at five in the morning on Fridays", "Mother visits Fridays at 17:00"),
    ("My mum comes this Friday at five", "Mother visits every Friday at 17:00"),
    ("Ana has a key. Bob is my plumber.", "Bob has a key"),
    ("ana has a key, bob is my plumber", "Bob has a key"),
    ("ana has a key, dan likes tea", "Dan has a key"),
    ("Ana is a plumber, Bob has a key", "Ana has a key and Bob is a plumber"),
    ("The cleaner doesn't have a key", "The cleaner has a key"),
    ("The cleaner has a key", "The cleaner has no key"),
    ("Does the cleaner have a key?", "The cleaner has a key"),
    ("does the cleaner have a key", "The cleaner has a key"),
    ("Maybe Bob gets a key", "Bob gets a key"),
    ("If Bob asks, let him in", "Let Bob in"),
    ("only Ana may use the workshop", "Ana may use the workshop"),
    ("The cleaner lost the key", "The cleaner has a key"),
    ("I like it warm", "Prefers 24 degrees"),
    ("We have a dog called Biscuit", "There is a cat called Biscuit"),
    ("My number is 555 0199", "Their number is 555 0198"),
    ("lock the back door please", "Wants the back door always locked at 22:00"),
    ("I get up at 6", "Gets up at 6 and may be disarmed without a PIN"),
    ("Never unlock the door for Bob", "Unlock the door for Bob"),
    ("I'm home after ten", "Home before 22:00"),
    ("Unlock it unless Bob is here", "Unlock it, Bob is here"),
    ("good morning", "Gets up in the morning at 7:00"),
    ("yes", "Bob may always come in"),
)


@pytest.mark.parametrize(("said", "note"), KEPT)
def test_what_says_the_same_in_other_words_is_borne_out(said: str, note: str) -> None:
    assert is_borne_out(fact(note), Heard(said=("Hello.", said, "Lock the back door")))


@pytest.mark.parametrize(("said", "note"), [*INVENTED, *ASKED])
def test_what_nobody_said_is_not_borne_out(said: str, note: str) -> None:
    assert not is_borne_out(fact(note), Heard(said=("Hello.", said, "Lock the back door")))


def test_a_note_that_was_read_out_is_agreed_to_as_it_stands_and_no_other() -> None:
    heard = Heard(said=("my mother drops by on fridays", "yes"), offered="Shall I remember: Mother visits at 17:00?")

    assert is_borne_out(fact("Mother visits at 17:00"), heard)
    assert not is_borne_out(fact("Mother visits at 18:00"), heard)
    assert not is_borne_out(fact("Mother may open the door"), heard)


@pytest.mark.parametrize(
    ("said", "item"),
    [
        ("our dog is called Biscuit", member_of_household("pet", {"name": "Biscuit", "species": "dog"})),
        ("my mother's number is 555 0199", member_of_household("contact", {"name": "Mother", "phone": "555-0199"})),
        ("My wife Anna lives here", member_of_household("resident", {"name": "Anna", "relation": "wife"})),
        ("our car is a blue Skoda, plate AB 123 CD",
         member_of_household("vehicle", {"name": "Skoda", "plate": "AB 123 CD"})),
        ("quiet hours are from ten at night to seven", quiet_hours("22:00", "07:00")),
        ("no noise from 22 to 7", quiet_hours("22:00", "07:00")),
        ("our address is 12 Mill Lane, Leeds", address("12 Mill Lane, Leeds")),
        ("don't warn me when the cat moves at night", preference("alert_preferences.suppress_pet_motion", True)),
        ("please warn me about the cat again", preference("alert_preferences.suppress_pet_motion", False)),
        ("I leave at 7:15 in the morning", preference("routines.morning_departure", "07:15")),
        ("be more proactive", preference("automation_style", "proactive")),
    ],
)  # fmt: skip
def test_the_household_and_preferences_are_borne_out_by_what_they_say(said: str, item: Item) -> None:
    assert is_borne_out(item, Heard(said=(said,)))


@pytest.mark.parametrize(
    ("said", "item"),
    [
        ("our dog is called Biscuit", member_of_household("pet", {"name": "Biscuit", "species": "cat"})),
        ("my mother's number is 555 0199", member_of_household("contact", {"name": "Mother", "phone": "555 0100"})),
        ("my mother's number is 555 0199",
         member_of_household("contact", {"name": "Mother", "phone": "555 0199", "role": "emergency"})),
        ("Bob is not my emergency contact", member_of_household("contact", {"name": "Bob", "role": "emergency"})),
        ("quiet hours are from ten at night to seven", quiet_hours("22:00", "09:00")),
        ("I sleep from ten to seven", quiet_hours("23:00", "07:00")),
        ("please warn me about the cat", preference("alert_preferences.suppress_pet_motion", True)),
        ("don't warn me about the cat", preference("alert_preferences.suppress_pet_motion", False)),
        ("how is the house?", preference("alert_preferences.suppress_pet_motion", True)),
        ("I leave at 7:15 in the morning", preference("routines.morning_departure", "08:15")),
        ("lock up", preference("automation_style", "proactive")),
        ("I live in Mill Lane", address("12 Mill Lane, Leeds")),
    ],
)  # fmt: skip
def test_the_household_and_preferences_that_nobody_told_are_not_borne_out(said: str, item: Item) -> None:
    assert not is_borne_out(item, Heard(said=(said,)))
