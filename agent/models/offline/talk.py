"""What is said to what is not about a device: greetings, thanks, help, and what HomeGuard does not do."""

from datetime import datetime
from typing import Final

from agent.models.offline.home import Home
from agent.models.offline.parts import Part, refusal
from agent.models.offline.wording import clock, listed, the

_CANNOT: Final = {
    "timer": "I don\'t keep timers or one-time delays.",
    "notes": "I don't keep lists, calendars or reminders.",
    "other": "That is beyond me: I look after this home. Ask me about its doors, lights, climate or what happened.",
    "yes": "There is nothing waiting for a yes in this chat. What needs a confirmation has a card with a button.",
}  # fmt: skip


def talk(label: str, text: str, home: Home, now: datetime) -> Part:
    """The answer to small talk. `now` is local."""
    if label in _CANNOT:
        return refusal(text, _CANNOT[label])
    if label == "greet":
        part = "morning" if now.hour < 12 else "afternoon" if now.hour < 18 else "evening"
        return Part(text=text, say=f"Good {part}! What can I do for you?")
    if label == "thanks":
        return Part(text=text, say="You're welcome.")
    if label == "cancel":
        return Part(text=text, say="Okay, I won't do anything.")
    if label == "time":
        return Part(text=text, say=f"It is {clock(now)} on {now:%A}, {now.day} {now:%B} {now.year}.")
    examples = [the(d) for d in home.devices[:3]]
    return Part(
        text=text,
        say="I look after your home: ask me what is locked, open or on, what happened last night, the temperature, "
        f"or tell me to lock, switch or set things ({listed(examples, 3)}). "
        "I work on this machine; what you say to me stays here. Anything risky asks you first.",
    )
