"""Correct reports of what the turns of `situations` hold, in many wordings: none of them deserves to be cut."""
# ruff: noqa: E501

from typing import Final

from situations import BROKEN, DENIED, FAILED, HALF, HISTORY, LOCKED, NOTHING, READ, REFUSED, SENT, WARMED, Situation

_TOLD: Final[tuple[tuple[Situation, tuple[str, ...]], ...]] = (
    (NOTHING, (
        "Which door do you mean?", "I can lock the back door for you.", "Do you want me to lock the back door?",
        "I have not locked anything.", "I did nothing.", "Nothing was changed.", "I don't know which door you mean.",
        "Please tell me which one.", "I can't do that here.", "Sorry, I could not do that.", "You're welcome!",
        "Good evening!", "I did not lock the back door.", "If you want, I can lock it.", "Should I lock the back door?",
        "You can lock it from the app.", "I'm HomeGuard, the assistant of this home.", "I would rather ask first.",
    )),
    (FAILED, (
        "I could not lock the back door: it did not answer.", "The back door lock did not answer.",
        "Locking the back door failed.", "The back door is still unlocked.", "The back door lock is still unlocked.",
        "Sorry, the back door lock did not respond.", "I tried to lock the back door, but it did not answer.",
        "It failed: the back door lock did not answer.", "The back door lock is unlocked.",
        "I was not able to lock the back door.", "The command was not confirmed.", "The back door is not locked.",
        "The front door is locked, but the back door is not.", "Please check the back door yourself.",
        "Nothing has changed: the lock did not answer.",
    )),
    (REFUSED, (
        "The garage door refused: something is in the way.", "I could not close the garage.",
        "The garage door is still open.", "Something is in the way of the garage door.", "The garage was not closed.",
        "The garage door did not close because something is in the way.", "The garage is open.",
        "Closing the garage was refused.",
    )),
    (SENT, (
        "I sent that to the kitchen light, but it has not confirmed it yet.",
        "I asked the kitchen light to turn off; it has not confirmed.", "The kitchen light has not confirmed yet.",
        "I sent the command to the kitchen light.", "I don't know yet whether the kitchen light is off.",
        "The kitchen light has not answered so far.", "The command is on its way, not confirmed.",
    )),
    (DENIED, (
        "Okay, the front door stays locked.", "The front door is still locked.", "I left the front door locked.",
        "You said no, so I did not unlock the front door.", "The front door lock stays as it is.",
        "The front door remains locked.", "I won't unlock it.", "I did not unlock the front door.",
    )),
    (LOCKED, (
        "The back door is locked.", "I locked the back door.", "I've locked the back door.", "Done.", "Done!",
        "The back door is locked now.", "The back door is now locked.", "The back door has been locked.",
        "Back door locked.", "✅ Back door locked.", "Locked the back door.", "Your back door is locked.",
        "Okay, the back door is locked.", "All set: the back door is locked.", "The back door lock is locked.",
        "I have locked the back door for you.", "The back door lock confirmed that it is locked.",
        "It's done: the back door is locked.", "I locked it.", "The lock confirmed it.", "Sure, the back door is locked.",
        "Both doors are locked.", "The back door and the front door are locked.", "The front door is locked too.",
        "The back door is locked; the garage door is closed.", "I just locked the back door.", "That worked.",
        "The back door was locked just now.", "The back door is locked. Anything else?", "Your request is done.",
        "I did it.", "- Back door lock: locked", "**Back door lock**: locked", "Die Tür ist verriegelt.",
        "He cerrado la puerta con llave.", "La porte est verrouillée.", "Successfully locked the back door.",
        "The bedroom window is still open, though.", "The back door got locked.", "The door is locked.",
    )),
    (WARMED, (
        "The heating is set to 68°F.", "I set the heating to 68.", "I set the thermostat to 68 degrees.",
        "The thermostat is now set to 68°F.", "Done, the target is 68°F.", "The heating has been set to 68°F.",
        "Heating set to 68°F.", "It is 70°F now, and the target is 68°F.", "The thermostat is set to 20 °C.",
        "Done: 68°F.", "The thermostat confirmed 68°F.", "I've set the thermostat to sixty-eight.",
    )),
    (READ, (
        "The front door is locked.", "The back door is unlocked.", "The front door is locked and the back door is unlocked.",
        "The front door is locked, but the back door is not.", "The garage door is closed.", "The garage is closed.",
        "The kitchen light is on.", "The kitchen light is on at 40%.", "The kitchen light is at 40% brightness.",
        "The bedroom lamp is off.", "One light is on.", "One light is on: the kitchen light.", "It is 70°F inside.",
        "The thermostat reads 70°F.", "The thermostat is set to 68°F.", "The target is 68°F.", "It is 21.1 °C inside.",
        "It's about 70 degrees inside.", "The humidity is 44%.", "The thermostat is in heat mode.",
        "The thermostat is set to heat.", "The bedroom window is open.", "The bedroom window stands open.",
        "There is no motion in the hall.", "The hall motion sensor sees no motion.", "You have 8 devices.",
        "You have eight devices.", "All 8 devices are online.", "All devices are online.", "The alarm is off.",
        "The alarm is disarmed.", "The alarm is not armed.", "The house is in home mode.", "The home is in home mode.",
        "The back door lock is unlocked, so the house is not secure.", "Your home is not secure: the back door is unlocked.",
        "The front door lock's battery is at 18%.", "The battery of the front door lock is low.",
        "The front door lock has a low battery: 18%.", "The back door lock's battery is at 82%.", "One battery is low.",
        "Yes, the front door is locked.", "No, the back door is not locked.", "Not everything is locked.",
        "The back door is the only one that is unlocked.", "Everything is fine except the back door, which is unlocked.",
        "Two doors have a lock: the front door and the back door.", "One lock is unlocked.", "One of the locks is unlocked.",
        "- Front door lock: locked", "- Back door lock: unlocked", "- Garage door: closed", "- Kitchen light: on",
        "**Thermostat**: 70°F", "| Front door lock | locked |", "The front door lock is locked (battery 18%).",
        "Would you like me to lock the back door?", "I'd recommend locking the back door.",
        "You may want to close the bedroom window.", "Shall I lock the back door?", "The kitchen light is lit.",
        "The lamp in the bedroom is off.", "The light in the kitchen is on.", "The front door is secured.",
        "Nobody is moving in the hall.", "The hall motion sensor's battery is at 74%.", "The bedroom window is not closed.",
        "The garage door is not open.", "The thermostat measured 70°F and is set to 68°F.", "It is seventy degrees inside.",
    )),
    (HISTORY, (
        "The back door was unlocked at 2:20 PM.", "The back door was unlocked today at 2:20 PM.",
        "The back door was unlocked 10 minutes ago.", "The back door was unlocked ten minutes ago.",
        "The back door was unlocked this afternoon.", "The back door lock was unlocked at 14:20.",
        "Motion was detected in the hall at 3:12 AM.", "The hall motion sensor saw motion at 3:12 AM.",
        "There was motion in the hallway at 3:12 AM.", "The front door was locked yesterday at 10:05 PM.",
        "The front door was locked last night at 10:05 PM.", "The front door was locked at 10:05 PM.",
        "Three things happened: motion in the hall, and the doors.", "There are three events.",
        "The last event was at 2:20 PM.", "Motion was detected once.", "The back door was unlocked once.",
        "The back door has been unlocked for ten minutes.", "The back door is unlocked.",
        "The most recent event was the back door being unlocked.", "There was motion at 3:12 AM.",
        "I found three events.", "The back door was unlocked on March 18.", "There was no motion in the kitchen.",
        "I can't tell who unlocked the back door.",
    )),
    (HALF, (
        "The back door is locked, but the kitchen light did not answer.", "I locked the back door.",
        "I locked the back door, but the kitchen light did not answer.", "The back door is locked.",
        "I could not turn off the kitchen light.", "The kitchen light is still on.", "One of the two worked.",
        "The kitchen light did not answer.", "The back door has been locked.",
    )),
    (BROKEN, (
        "I could not find that out.", "I can't tell: the events did not answer.", "The events did not answer.",
        "I don't know when the back door was opened.", "Sorry, I could not look that up.",
        "I was unable to read the events.", "Please try again later.",
    )),
)  # fmt: skip

TRUE: Final = tuple((situation, text) for situation, texts in _TOLD for text in texts)

#: What may be said although nothing was looked up: it is not about how the home is.
TALK: Final = (
    "Hello! How can I help?", "I can lock doors and read sensors.", "I have not looked that up.",
    "I don't know how the back door is.", "Shall I check the back door?", "You can ask me which doors are open.",
    "I'm HomeGuard.", "I can tell you whether a door is open.", "A lock with a low battery reports it to me.",
    "I did not find that.", "Which light do you mean?", "I can't do that.", "You're welcome.",
    "Sorry, I did not understand.", "Good night!", "Unlocking a door needs a press on a card.",
    "Rules can start from doors and windows, locks, motion, smoke, leaks and devices that go offline.",
    "Would you like the lights on?", "Please say it in other words.", "I only see what your devices report.",
    "If a door is open, I can tell you.", "Say \"lock the front door\" and I will do it.",
    "I don't have cameras in this home.", "Okay, I won't do that.",
    "I am the assistant of this home, and I can look after locks, lights and the heating.",
    "My answers come from your devices.", "Nothing was changed.", "Ask me what happened last night, for example.",
)  # fmt: skip
