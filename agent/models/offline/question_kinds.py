"""Which kind of question a clause asks: the model's label, corrected by words that leave no doubt. Pure."""

import re
from typing import Final

from agent.models.offline import measuring, reading
from agent.models.offline.frames import Frame
from agent.models.offline.times import clock_time
from agent.models.offline.words import those

_PAST_WORDS: Final = those("was were did happened happen yesterday ago history")
_LOOKING_BACK: Final = those("when recent events activity log today tonight since anything")


_NEWS: Final = re.compile(
    r"^(?:so )?what is new\b|\bdid i miss\b|\banything new\b|\bcatch me up\b|\b(?:summar(?:y|ize|ise)|recap)\b.*"
    r"\b(?:week|day|today|yesterday|night|events)\b"
)


_OVER_TIME: Final = re.compile(
    r"\b(?:last|past) (?:few |couple of |\d+ )?(?:hours?|days?|weeks?|months?)\b|\blast (?:week|month)\b"
)
_DRAWN: Final = those("show graph plot chart draw trend curve")


def question_kind(label: str, found: Frame) -> str:
    """One of the `ask_*` labels, or what the model said."""
    words = set(found.words)
    text = " ".join(found.words)
    measures = measuring.measured(found)
    if _NEWS.search(text):
        return "ask_past"
    if "mode" in words and words & {"we", "house", "home"}:
        return "ask_overview"
    if words & {"alert", "alerts", "warnings", "anomalies"} and not found.held:
        return "ask_anomalies"
    if words & {"package", "packages", "delivery", "deliveries", "visitor", "visitors"} and not found.held:
        return "ask_past"
    if words & {"why"}:
        return "ask_past"
    if words & {"battery", "batteries"} and label in ("ask_devices", "ask_which") and not reading.predicate_of(found):
        return "ask_value"
    past = (
        bool(words & _PAST_WORDS)
        or "last night" in text
        or _OVER_TIME.search(text) is not None
        or re.search(
            r"\b(?:some|any)(?:body|one) (?:unlocked|locked|opened|closed|rang|entered|came|left|touched|used)\b"
            r"|\bha(?:s|ve|d) "
            r".*\b(?:been|opened|unlocked|locked|closed|triggered|come|left|rung|gone|entered)\b",
            text,
        )
        is not None
    )
    if re.search(r"\bdid (?:i|we|you|somebody|someone|anyone) (?:leave|forget)\b", text) or re.search(
        r"\b(?:did (?:i|we) (?:lock|close|shut|turn)|have (?:i|we) (?:locked|closed|shut|turned))\b", text
    ):
        return "ask_state"
    if measures and words & _DRAWN and words & {"today", "yesterday", "tonight", "week", "month"}:
        return "ask_history"
    if (
        past
        and measures
        and measures[0] not in ("hue", "title")
        and (
            not words & {"did", "motion"}
            or "temperature" in words
            or "humidity" in words
            or words & {"warm", "cold", "hot", "humid"}
        )
        and not reading.predicate_of(found)
    ):
        return "ask_history"
    if (
        measures
        and clock_time(found.words)
        and words & {"temperature", "humidity", "warm", "hot", "cold", "power"}
        and past
    ):
        return "ask_history"
    when = clock_time(found.words) is not None and words & {"today", "yesterday", "morning", "night", "evening"}
    if when and (measures[:1] in (("temperature_c",), ("humidity_pct",)) or words & {"read", "measure", "measured"}):
        return "ask_history"
    if past and label == "ask_past" and not measures:
        return "ask_past"
    if past and label in (
        "ask_state",
        "ask_value",
        "ask_which",
        "ask_count",
        "other",
        "ask_overview",
        "ask_devices",
        "time",
        "notes",
        "help",
    ):
        return "ask_past"
    if re.search(r"\b(?:unusual|strange|odd|suspicious|weird|anomal\w+|abnormal)\b", text):
        return "ask_anomalies"
    sure = reading.predicate_of(found) or reading.noun_of(found)
    if label in ("ask_anomalies", "ask_overview") and sure and not words & {"ok", "okay", "everything"}:
        return "ask_state"
    if label == "ask_anomalies":
        return "ask_overview"
    if re.match(
        r"^who (?:has |had )?(?:unlocked|locked|opened|closed|rang|came|left|entered|turned|armed|disarmed|was)\b", text
    ):
        return "ask_past"
    if label == "ask_energy" and (found.held or measures[:1] not in (("power_w",), ("energy_kwh",), ())):
        return "ask_value"
    if label in ("ask_past", "ask_history") and not past and not words & _LOOKING_BACK:
        return "ask_value" if measures else "ask_state"
    if "how many" in text:
        return "ask_devices" if re.search(r"\b(?:do i have|do we have|are there|have i got)$", text) else "ask_count"
    if (
        re.match(r"^(?:which|what) .*\b(?:is|are)\b", text)
        and reading.predicate_of(found)
        and not re.match(r"^what (?:is|are) (?:the|my|our) ", text)
    ):
        return "ask_which"
    if (
        label in ("ask_state", "ask_which", "ask_overview")
        and measures
        and not reading.predicate_of(found)
        and not reading.noun_of(found)
        and re.match(r"^(?:please |tell me |hey )?(?:what|how|give|tell)", text)
    ):
        return "ask_value"
    if (
        label == "ask_value"
        and reading.predicate_of(found)
        and re.match(r"^(?:please |hey )?(?:is|are|do|does|tell me if|check)", text)
    ):
        return "ask_state"
    if label == "ask_value" and not measures and re.search(r"\b(?:status|state)\b", text):
        return "ask_state"
    if label in ("ask_predictions",) and re.match(r"^(?:what|how) (?:is|much|full)", text):
        return "ask_value"
    return label
