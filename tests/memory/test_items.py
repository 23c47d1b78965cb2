"""What can be kept, and how it reads."""

import pytest

from homeguard.errors import InvalidInput
from memory.items import address, fact, id_of, item_from, member_of_household, preference, quiet_hours


@pytest.mark.parametrize(
    ("kind", "given", "text"),
    [
        ("pet", {"name": "Biscuit", "species": "dog"}, "There is a pet called Biscuit, a dog"),
        ("pet", {"name": "Jane Austen", "species": "iguana"}, "There is a pet called Jane Austen, an iguana"),
        ("pet", {"name": "Biscuit"}, "There is a pet called Biscuit"),
        ("resident", {"name": "Ana", "relation": "sister"}, "Ana lives here (sister)"),
        ("resident", {"name": "Ana"}, "Ana lives here"),
        ("vehicle", {"name": "Blue Volvo", "plate": "B-HG 12"}, "There is a vehicle: Blue Volvo, plate B-HG 12"),
        ("contact", {"name": "Rosa", "relation": "mother", "phone": "555 0199"},
         "Rosa (mother) is a contact: 555 0199"),
        ("contact", {"name": "Ida", "role": "emergency", "phone": "1", "email": "i@x.y"},
         "Ida is an emergency contact: 1, i@x.y"),
        ("contact", {"name": "Ida", "role": "trusted"}, "Ida is a trusted contact"),
    ],
)  # fmt: skip
def test_the_household_reads_as_sentences(kind: str, given: dict[str, str], text: str) -> None:
    item = member_of_household(kind, given)

    assert (item.text, item.shared, item.value) == (text, True, given)
    assert item_from(item.as_json()) == item


@pytest.mark.parametrize(
    ("kind", "given"),
    [
        ("pet", {}), ("pet", {"name": " "}), ("pet", {"name": 7}), ("pet", {"name": "x" * 101}),
        ("pet", {"name": "B", "phone": "1"}), ("contact", {"name": "B", "role": "owner"}),
        ("vehicle", {"name": ["a"]}), ("resident", {"name": "A", "pin": "1234"}),
    ],
)  # fmt: skip
def test_a_household_with_wrong_fields_is_refused(kind: str, given: dict[str, object]) -> None:
    with pytest.raises(InvalidInput):
        member_of_household(kind, given)


@pytest.mark.parametrize("text", ["", " \n ", "x" * 501, None, 7])
def test_a_sentence_has_words_and_an_end(text: object) -> None:
    with pytest.raises(InvalidInput):
        fact(text)  # type: ignore[arg-type]
    with pytest.raises(InvalidInput):
        address(text)  # type: ignore[arg-type]


@pytest.mark.parametrize(("start", "end"), [("22", "07:00"), ("24:00", "07:00"), ("22:00", ""), ("22:00", "7:00")])
def test_quiet_hours_are_two_times_of_day(start: str, end: str) -> None:
    with pytest.raises(InvalidInput):
        quiet_hours(start, end)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("", True), ("Routines", "07:15"), ("a.b.c", 1), ("routines.morning_departure", "quarter past"),
        ("routines.evening_return", 7), ("alert_preferences.night_motion_threshold", 1.5),
        ("alert_preferences.night_motion_threshold", True), ("automation_style", "reckless"), ("x", None), ("x", []),
        ("x", "y" * 101), ("a.$b", 1),
    ],
)  # fmt: skip
def test_a_preference_that_is_none_is_refused(name: str, value: object) -> None:
    with pytest.raises(InvalidInput):
        preference(name, value)


def test_a_preference_keeps_its_value_as_it_is() -> None:
    item = preference("alert_preferences.suppress_pet_motion", True)

    assert item.value == {"name": "alert_preferences.suppress_pet_motion", "value": True}
    assert item.text == "alert preferences: suppress pet motion: yes"


def test_the_same_thing_said_again_has_the_same_id_and_another_persons_has_another() -> None:
    one, again = fact("Ana has a key."), fact("ana has a KEY")

    assert id_of(one, "h", "ann") == id_of(again, "h", "ann")
    assert len({id_of(one, "h", "ann"), id_of(one, "h", "ben"), id_of(one, "i", "ann"),
                id_of(fact("Ana has a key", shared=True), "h", "ann")}) == 4  # fmt: skip
    dogs = [member_of_household("pet", {"name": "Biscuit", "species": s}) for s in ("dog", "puppy")]
    assert id_of(dogs[0], "h", "ann") == id_of(dogs[1], "h", "ben")
    assert id_of(dogs[0], "h", "ann") != id_of(member_of_household("resident", {"name": "Biscuit"}), "h", "ann")
    hours = [quiet_hours("22:00", "07:00"), quiet_hours("23:00", "06:00")]
    assert id_of(hours[0], "h", "ann") == id_of(hours[1], "h", "ann")
