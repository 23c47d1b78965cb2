"""What is said to what is not about a device: greetings, thanks, help, and what HomeGuard does not do."""

import re
from datetime import datetime
from typing import Final

from agent.models.offline.home import Home
from agent.models.offline.parts import Part, refusal
from agent.models.offline.reading import overview
from agent.models.offline.wording import clock, listed, the, unlocked_name

_CANNOT: Final = {
    "timer": "I can't do that with a timer. I set, show, change and cancel timers, and do things later.",
    "notes": "I keep shopping and other lists, timers and reminders, but no calendar and no notes.",
    "other": "I can't help with that: I look after this home. Ask me about its doors, lights, climate or what "
    "happened.",
    "yes": "There is nothing waiting for a yes in this chat. What needs your OK has a card with a button.",
}
_WELL: Final = re.compile(r"\bhow are you\b|\bhow is it going\b|\bhow do you do\b")
_BYE: Final = re.compile(r"\b(?:bye|goodbye|see you|later)\b")
_DATA: Final = re.compile(r"\b(?:data|listening|listen|record|stored|privacy|private|cloud)\b")
_NAME: Final = re.compile(
    r"\b(?:who|what) (?:are|is) (?:you|your name|homeguard)\b|\brobot\b|\byour name\b|\bare you (?:an? )?\w+$"
    r"|\bare you (?:an? |the )?(?:real|actual|live|actually|really|just)? ?(?:an? )?(?:person|human(?: being)?"
    r"|robot|ai|machine|bot|computer|program|alive)\b"
)
_EMERGENCY: Final = re.compile(
    r"\b(?:police|ambulance|fire (?:department|brigade|fighters)|burglar|burglars|intruder|intruders|robber|robbed|"
    r"thief|breaking in|broke in|break in|911|112|999|emergency)\b"
)
_ACCESS: Final = re.compile(
    r"\b(?:give|grant|add|create|make|remove|delete|change|reset|invite|revoke|what is|show|tell me)\b.*"
    r"\b(?:access|users?|accounts?|pin|password|permissions?|access codes?|door codes?)$"
)
_SHORT: Final = {
    "ok": "Okay.", "okay": "Okay.", "alright": "Okay.", "fine": "Okay.", "no": "Okay.", "nope": "Okay.",
    "sorry": "No problem.", "excuse me": "Yes? What can I do for you?",
}  # fmt: skip
_BLINKS: Final = re.compile(r"\b(?:blink|flash|flicker|strobe|pulse|twinkle)(?:s|es|ing)?\b")
_RULES: Final = re.compile(r"\b(?:rule|rules|automation|automations|routine|routines)\b")
_WEATHER: Final = re.compile(r"\b(?:weather|rain|forecast|snow|sunny|umbrella)\b")


def own_matter(text: str) -> str:
    """Why something is not done in chat at all, `""` for what may be."""
    if _BLINKS.search(text) and re.search(r"\b(?:lights?|lamps?|it|them)\b", text):
        return "I can't make a light blink: I switch lights on and off, and set how bright and which colour they are."
    if _ACCESS.search(text):
        return "I can't do that: people, access, codes and passwords are managed by the owner on HomeGuard's own page."
    return ""


def urgent(text: str) -> bool:
    """Whether somebody seems to need help that HomeGuard cannot give."""
    return _EMERGENCY.search(text.lower()) is not None


_OUTWARD: Final = re.compile(
    r"^(?:(?:please|can you|could you|hey|ok) )*(?:e ?mail|text|sms|whatsapp|phone|telephone|call|message|write"
    r"|fax|tweet|ping|"
    r"send (?:an? |my |the )?(?:e ?mail|text|message|sms|whatsapp)(?: message)? to|dial|facetime|video "
    r"call)\b(?! it| the (?:home|house))"
)


def outward(text: str) -> str:
    """Why nobody outside is written to or called, `""` for another wish."""
    if _OUTWARD.match(text) and not re.search(r"^(?:\w+ )*(?:message|ping|text|e ?mail) (?:me|us)\b", text):
        return "I can't write to or call anybody: I only look after this home, and tell you what happens in it."
    return ""


def talk(label: str, text: str, home: Home, now: datetime) -> Part:
    """The answer to small talk. `now` is local."""
    said = re.sub(r"[ ?.!]+$", "", text).lower()
    if said in _SHORT:
        return Part(text=text, say=_SHORT[said])
    if re.search(r"\b(?:stupid|useless|dumb|idiot|suck|terrible|hate you)\b", said):
        return Part(text=text, say="I'm sorry that I was no help. Please say it in other words.")
    if urgent(said):
        return refusal(
            text,
            "I can't call for help. If somebody may be in danger, go somewhere safe and call your emergency number "
            f"yourself, now. What I can see: {overview(home)}",
        )
    if _BYE.search(said) and label in ("thanks", "greet", "cancel", "other"):
        return Part(text=text, say="Goodbye.")
    if _RULES.search(said) and label in ("other", "notes"):
        return refusal(text, "I can make rules and show them, but I can't change or delete them from here.")
    if _WEATHER.search(said) and label in ("other", "notes", "time"):
        return refusal(text, "I don't know the weather: I only see what this home's own devices measure.")
    if label in _CANNOT:
        return refusal(text, _CANNOT[label])
    if label == "greet":
        if _WELL.search(said):
            return Part(text=text, say="All well here, thank you. What can I do for you?")
        part = "morning" if now.hour < 12 else "afternoon" if now.hour < 18 else "evening"
        return Part(text=text, say=f"Good {part}! What can I do for you?")
    if label == "thanks":
        return Part(text=text, say="You're welcome.")
    if label == "cancel":
        return Part(text=text, say="Okay, I won't do anything.")
    if label == "time" and not re.search(
        r"\b(?:time is|the time|date|day|clock|oclock|what time|weekend|monday"
        r"|today)\b",
        said,
    ):
        return refusal(text, _CANNOT["other"])
    if label == "time":
        return Part(text=text, say=f"It is {clock(now)} on {now:%A}, {now.day} {now:%B} {now.year}.")
    if _DATA.search(said):
        return Part(
            text=text,
            say="I run on this machine and read only what you write here and what your devices report. Nothing of it "
            "is sent to a cloud to understand you.",
        )
    if _NAME.search(said):
        return Part(
            text=text, say=f"I'm HomeGuard, the assistant of this home. I am a program, not a person. {_tries(home)}"
        )
    return Part(
        text=text,
        say="I can tell you how your home is and what happened, and lock, switch or set things, and make rules. "
        f"{_tries(home)} Anything risky waits for your OK on a card.",
    )


def _tries(home: Home) -> str:
    """Sentences that work in this home."""
    locks = [d for d in home.devices if d.type == "lock"]
    lights = [d for d in home.devices if d.type == "light"]
    found = []
    if locks:
        found += [f'"is the {unlocked_name(locks[0])} locked?"', '"lock everything"']
    if lights:
        found.append(f'"turn on {the(lights[0])}"')
    if any(home.takes(d, "set_temperature") for d in home.devices):
        found.append(f'"set the temperature to {"70" if home.unit == "F" else "21"}"')
    found.append('"what happened last night?"')
    return f"Try {listed(found[:4])}.".replace(" and ", " or ")
