"""The languages of the chat: all say the same things, and a visitor gets the one they want."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from chat_ui.languages import DEFAULT, LANGUAGES, library_texts, page_texts, wanted, words_in

FOLDER = Path(__file__).parents[2] / "chat_ui" / "languages"
OTHERS = [code for code in LANGUAGES if code != DEFAULT]
#: Texts that are the same in another language: names of things, and marks.
SAME = {
    "", "No", "Alarm", "Alarm!", "Plan", "Party", "{n} Party", "{mode} · {alarm}", "{name} · {device}",
    "{weekday} {day}", "{what} …", "Conversation", "Conversations", "Details", "{what}?", "Name",
}  # fmt: skip


def flat(texts: Any, prefix: str = "") -> dict[str, str]:
    if isinstance(texts, str):
        return {prefix: texts}
    return {k: v for key, value in texts.items() for k, v in flat(value, f"{prefix}.{key}").items()}


def texts(code: str) -> dict[str, str]:
    return flat(json.loads((FOLDER / f"{code}.json").read_text(encoding="utf-8")))


@pytest.mark.parametrize("code", OTHERS)
def test_every_language_says_the_same_things(code: str) -> None:
    assert list(texts(code)) == list(texts(DEFAULT))


@pytest.mark.parametrize("code", OTHERS)
def test_a_text_names_the_same_values_in_every_language(code: str) -> None:
    def places(text: str) -> set[str]:
        return set(re.findall(r"\{(\w*)\}", text))

    differing = [k for k, v in texts(code).items() if places(v) != places(texts(DEFAULT)[k])]

    assert differing == []


@pytest.mark.parametrize("code", OTHERS)
def test_nothing_is_left_in_english(code: str) -> None:
    english = texts(DEFAULT)

    assert {k: v for k, v in texts(code).items() if v == english[k] and v not in SAME} == {}


@pytest.mark.parametrize("code", LANGUAGES)
def test_nothing_of_the_chat_library_s_maker_is_said(code: str) -> None:
    said = " ".join(texts(code).values()).lower()

    assert [word for word in ("chainlit", "llm", "readme", "tool") if re.search(rf"\b{word}", said)] == []


@pytest.mark.parametrize(
    ("choice", "accepted", "language"),
    [
        (None, "", "en"),
        (None, "de-DE,de;q=0.9,en;q=0.8", "de"),
        (None, "en;q=0.5, fr-CA;q=0.9", "fr"),
        (None, "pt-BR, es;q=0.4", "es"),
        (None, "ja", "en"),
        (None, "de;q=0, fr;q=nonsense", "en"),
        ("es", "de", "es"),
        ("xx", "de", "de"),
        ("../en", "", "en"),
    ],
)
def test_the_visitor_s_choice_comes_before_the_browser_s(choice: str | None, accepted: str, language: str) -> None:
    assert wanted(choice, accepted) == language


def test_numbers_and_lists_are_said_as_people_say_them() -> None:
    words = words_in("de")

    assert words.count("home.lights_on", 1) == "1 Licht an"
    assert words.count("home.lights_on", 0) == "0 Lichter an"
    assert [words.enumerate(parts) for parts in (["A"], ["A", "B"], ["A", "B", "C"])] == ["A", "A und B", "A, B und C"]


def test_a_language_that_is_not_spoken_here_is_the_default() -> None:
    assert words_in("tlh") == words_in(DEFAULT)
    assert json.loads(page_texts("tlh"))["language"] == DEFAULT


@pytest.mark.parametrize("code", LANGUAGES)
def test_what_the_library_says_is_in_the_library_s_own_order(code: str) -> None:
    """A key that the library does not have would be said by nobody."""
    import chainlit

    theirs = flat(json.loads((Path(chainlit.__file__).parent / "translations" / "en-US.json").read_text("utf-8")))

    assert set(flat(library_texts(code))) <= set(theirs)
