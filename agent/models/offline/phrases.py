"""Our own phrases for each kind of request, as a small grammar: `(a|b)` chooses, `[a]` may be left out.

Words in angle brackets are the masks of `features.masked`. `examples` unrolls them the same way every time.
"""

import random
import re
from collections.abc import Mapping
from typing import Final

_THING: Final = (
    "(<name>|the <name>|my <name>|the <place> <kind>|the <kind> in the <place>|the <kind>|all the <kind>|"
    "<place> <kind>|every <kind>|the <door>|<name> and <name>|it|them)"
)
_OPENER: Final = (
    "(|please |can you |could you please |hey |would you |i want to |i need you to |go ahead and |just |now |will you |"
    "let us |i would like to )"
)
_CLOSER: Final = "(|| please| now| for me| right now| thanks)"

GRAMMAR: Final[Mapping[str, tuple[str, ...]]] = {
    "turn_on": (
        f"{_OPENER}(turn|switch|put|flip|power) on {_THING}{_CLOSER}",
        f"{_OPENER}(turn|switch|put) {_THING} on{_CLOSER}",
        f"{_OPENER}(activate|enable|run|launch|trigger|illuminate|start|fire up) {_THING}{_CLOSER}",
        f"{_THING} on{_CLOSER}",
        "(i need|give me) [some] light (here|in the <place>)", "light up the <place>",
        f"(make sure|ensure) {_THING} is on",
        "run the <name> scene", "start the <name>", "<name> mode on", "activate the <kind> <name>",
    ),
    "turn_off": (
        f"{_OPENER}(turn|switch|shut|power) off {_THING}{_CLOSER}",
        f"{_OPENER}(turn|switch|shut) {_THING} off{_CLOSER}",
        f"{_OPENER}(deactivate|disable|kill|cut|stop) {_THING}{_CLOSER}", f"{_THING} (off|out){_CLOSER}",
        f"(make sure|ensure) {_THING} is off", f"i want {_THING} off", "lights out", "power down everything",
    ),
    "toggle": (f"{_OPENER}(toggle|flip) {_THING}{_CLOSER}",),
    "lock": (
        f"{_OPENER}(lock|bolt|secure|latch) {_THING}{_CLOSER}", f"(make sure|ensure|see to it that) {_THING} is locked",
        f"i want {_THING} locked", f"{_OPENER}lock up [the house]", f"{_OPENER}lock everything [up]",
        f"have {_THING} locked",
    ),
    "unlock": (
        f"{_OPENER}(unlock|unbolt|unlatch) {_THING}{_CLOSER}", f"i need {_THING} unlocked",
        "let (him|her|them|my friend|the guest) in",
        f"(make sure|ensure) {_THING} is unlocked", "unlock for the (plumber|cleaner|nanny)",
    ),
    "open": (
        f"{_OPENER}(open|open up|raise|lift|roll up) {_THING}{_CLOSER}", f"i want {_THING} open",
        f"{_THING} open please",
        "let some (light|air) in by opening the <kind>", f"(make sure|ensure) {_THING} is open",
    ),
    "close": (
        f"{_OPENER}(close|shut|lower|roll down|pull down|draw) {_THING}{_CLOSER}",
        f"(make sure|ensure) {_THING} is (closed|shut)",
        f"i want {_THING} (closed|shut)",
    ),
    "stop": (f"{_OPENER}(stop|halt|freeze) {_THING}{_CLOSER}", "stop moving the <kind>", "stop it there"),
    "set": (
        f"{_OPENER}(set|change|adjust|put|turn|make|move|bring) {_THING} to <n> [percent|degrees]{_CLOSER}",
        f"{_OPENER}(set|change|adjust) the "
        f"(brightness|volume|temperature|position|speed|humidity|color|level|mode) (of|on|in|for) {_THING} to "
        f"(<n>|<n> percent|<n> degrees|<color>|max|half)",
        f"{_OPENER}(set|change|turn|make|paint) {_THING} (<color>|to <color>|to heat|to cool|to auto|to low|to "
        f"high|to maximum|to half)",
        f"{_THING} (to|at) <n> [percent|degrees]", f"{_THING} (<color>|<n> percent|<n> degrees)",
        "(brightness|volume|temperature) <n> [percent]",
        "<n> degrees", "set it to <n>", "make it <n> [degrees]", "heat the <place> to <n>",
        f"{_THING} brightness <n> percent",
        f"dim {_THING} to <n> percent", "turn (up|down) the volume to <n>", "lower the <kind> to <n> percent",
        "switch the <kind> to <color>",
        "i want it <n> degrees in the <place>", "cool the <place> down to <n> degrees",
        "put the <kind> in (auto|heat|cool|eco|sleep) mode",
    ),
    "raise": (
        f"{_OPENER}(raise|increase|boost|bump up|turn up) {_THING}{_CLOSER}",
        f"{_OPENER}(brighten|make brighter) {_THING}",
        f"{_OPENER}(increase|raise) the (brightness|volume|temperature|speed|humidity) [of {_THING}] by <n> "
        f"[percent|degrees]",
        f"make {_THING} [a bit|a little|much] (brighter|warmer|louder|faster|higher)",
        "make it (louder|warmer|brighter|hotter)",
        "it is too (cold|dark|quiet) [in here]",
        "turn (it|the volume|the heat|the temperature) up [a bit|a little|by <n>]", "i am (cold|freezing)",
        "i cannot (see|hear) [anything]", "louder", "brighter", "warmer please", "more light",
    ),
    "lower": (
        f"{_OPENER}(lower|decrease|reduce|turn down) {_THING}{_CLOSER}", f"{_OPENER}(dim|darken) {_THING}{_CLOSER}",
        f"{_OPENER}(decrease|lower|reduce) the (brightness|volume|temperature|speed|humidity) [of {_THING}] by <n> "
        f"[percent|degrees]",
        f"make {_THING} [a bit|a little|much] (dimmer|darker|cooler|quieter|slower|softer|colder)",
        "make it (quieter|cooler|dimmer|softer)",
        "it is too (hot|bright|loud|warm) [in here]",
        "turn (it|the volume|the heat|the temperature) down [a bit|a little|by <n>]", "i am (hot|sweating)",
        "quieter", "dimmer", "cooler please", "less light",
    ),
    "play": (
        f"{_OPENER}(play|resume|continue|unpause|start) (the music|music|{_THING}|playing|the song|playback|the "
        f"movie){_CLOSER}",
        "keep playing", "(unpause|resume)", "(unpause|resume) (the music|the show) in the <place>",
        "<name> (resume|unpause|play)",
    ),
    "play_media": (
        "play (the album|the song|some|something by|the playlist|the movie|the podcast|the artist) "
        "(jazz|rock|classical|dinner songs|my mix) [on the <name>|in the <place>]",
        "put on (some jazz|a podcast|my mix) [on the <name>]",
        "play (rainy morning|blue train|golden hour) [on the <name>]",
    ),
    "pause": (
        f"{_OPENER}(pause|halt) (the music|music|{_THING}|playback|the song|the movie|this){_CLOSER}", "pause",
        "stop the (music|song|movie|playback) [in the <place>]", "<name> pause",
    ),
    "next": (
        f"{_OPENER}(next|skip|skip to the next|go to the next|play the next) (song|track|one|episode) [on the "
        f"<name>|in the <place>]{_CLOSER}",
        "skip this [one|song|track]", "next", "skip", "skip [it] on the <name>", "<name> next",
        "fast forward to the next track",
    ),
    "previous": (
        f"{_OPENER}(go back to|play|return to|replay|repeat) the (last|previous|earlier) (song|track|one|episode) "
        f"[on the <name>|in the <place>]",
        "previous (song|track)", "go back [a song|one track] [in the <place>]", "replay [that]", "back",
        "play that [one] again",
    ),
    "mute": (f"{_OPENER}(mute|silence) {_THING}", "mute [the sound|the music]", "sound off"),
    "unmute": (f"{_OPENER}unmute {_THING}", "unmute", "sound on again"),
    "start": (
        f"{_OPENER}(start|begin|run) (the <kind>|<name>|cleaning|vacuuming|mowing|the cleaning)",
        "vacuum the (<place>|house|floor)", "clean the (<place>|floors)", "mow the lawn",
    ),
    "dock": (
        f"{_OPENER}(send|return|bring) {_THING} (home|back|to (its|the) (base|dock|charger|station))",
        "<name> (go home|dock|return to base)", "dock the <kind>", "stop cleaning and go home",
    ),
    "locate": ("(find|locate) my <kind>", "(find|locate) the <name>", "where did the <kind> get stuck"),
    "arm": (
        f"{_OPENER}arm (the alarm|the house|the system|security|{_THING}) [in (away|home|night) mode|for the "
        f"night|away|stay]", "arm (away|stay|night)", "turn on the alarm", "set the alarm [to away]",
    ),
    "disarm": (f"{_OPENER}disarm (the alarm|the house|the system|security|{_THING})", "disarm", "turn off the alarm"),
    "snapshot": ("take a (picture|photo|snapshot) [with the <name>|of the <place>]", "snap a photo from <name>",
    "get me an image of the <place>"),
    "record": ("(record|film|start recording) [on|with] the <name> [for <n> (minutes|seconds)]",
    "record <n> minutes on the <kind>", "start recording"),
    "mode": (
        f"{_OPENER}(set|switch|put|change) (the house|the home|us|home) (to|in|into) "
        f"(away|vacation|party|sleep|home|night) mode", "(away|vacation|party|sleep|night|home) mode [please|on]",
        "(i am|we are) (leaving|going out|heading out|off to work|going on vacation|home|back home|back|going to "
        "bed|off to bed)", "good night", "goodnight everyone", "bye i am off",
        "activate (away|vacation|party|sleep) mode", "turn on (away|vacation|party|sleep) mode",
        "vacation mode for <n> days", "set mode to (away|home)", "time for bed", "see you later i am leaving",
    ),
    "automate": (
        f"(when|whenever|if|every time) (the <door>|the <name>|motion|someone|the <kind>) (opens|closes|is "
        f"detected|rings|is unlocked|turns on|leaves|arrives) (turn on|turn off|lock|notify me|close|tell me) "
        f"[{_THING}]",
        f"(turn on|turn off|lock|close|dim) {_THING} (every day|every night|every morning|daily|on weekdays|each "
        f"evening) at <n> [pm|am]",
        "every (night|morning|evening|day) at <n> [am|pm] (turn off|lock|turn on|close) the <kind>",
        "(create|make|add|set up) (an automation|a rule|a schedule|a routine) (to|that|which) (turns "
        "on|locks|turns off) the <name> at <n>", "(lock|turn on|turn off) the <name> (at|after) (sunset|sunrise|night)",
        "remind me to lock the <door> every night at <n>",
        f"turn on {_THING} when (motion is detected|someone comes home|it gets dark)",
        "notify me (when|if) the <door> opens",
    ),
    "ask_state": (
        f"(is|are) {_THING} "
        f"(locked|unlocked|open|closed|shut|on|off|running|armed|playing|dry|wet|secure|working|online|ok|still "
        f"on|triggered)", "(is|are) the <name> (on|off|open|locked) right now",
        f"(tell me|check|do you know) (if|whether) {_THING} (is|are) (locked|open|on|off|closed)",
        "(what is|tell me) the (status|state) of the <name>", "how is the <name>",
        "what is the <name> (doing|set to|state)",
        "did i leave the <name> (on|open|unlocked)", "is (it|that) (locked|on|open)",
        "is the <place> (occupied|empty)", "is there (motion|smoke|gas|a leak|anyone) in the <place>",
        "is (anyone|somebody) home", "where is <name>", "status of <name>",
        "is everything (locked|off|closed|ok|secure)", "are we locked up", "is the house (secure|locked|armed|safe)",
        "is the alarm (on|armed)", "(is|are) (any|all|all the|both) (<kind>|<door>|<window>) (on|open|locked|off)",
        "(are|is) there any <kind> (on|open) in the <place>", "do i have any (unlocked|open) <door>",
        "any <window> open", "did we lock the <door>", "have i closed the <name>",
    ),
    "ask_which": (
        "(which|what) (<kind>|<door>|<window>|devices|people) (is|are) "
        "(on|off|open|locked|unlocked|closed|running|home|offline|low) [in the <place>]",
        "(who|which people) (is|are) [at] home",
        "(list|show me|name) (the|all|all the|every) <kind> (that are|which are) (on|open|off|unlocked)",
        "what is (on|open|unlocked|running|offline) [right now|in the <place>]", "show me open <window>",
        "what (lights|things) did i leave on",
    ),
    "ask_count": ("how many (<kind>|<door>|<window>|devices|things|batteries|people|updates) (are|is) "
    "(on|open|locked|off|closed|low|home|available|running) [in the <place>]", "how many <kind> do i have",
    "(count|number of) <kind> (on|open)"),
    "ask_value": (
        "(what is|tell me|how much is|give me) the (temperature|humidity|brightness|volume|battery|battery "
        "level|power|pressure|level|energy|speed|position) (of|in|on|at|from|for) (the <name>|the "
        "<place>|here|<name>)", "what is the <name> (temperature|humidity|battery|level|reading|value)",
        "how (warm|cold|hot|humid|bright|loud) is (it|the <place>|it in the <place>) [right now|in "
        "here|inside|outside]", "what is the <place> (temperature|humidity)", "what temperature is it",
        "(what is|how is) the <name> set to", "how much battery does the <name> have [left]",
        "what does the <name> (say|show|read)", "how (far|much) is the <kind> open", "what is the temperature",
        "what color is the <kind>", "is it (hot|cold|warm) (inside|in the <place>)", "current temperature",
        "what is the (target temperature|set "
        "point|concentration|amount|index|frequency|voltage|current|size|distance|duration|cost) (of|indicated "
        "by|measured by|from) the <name>", "what is the <name>",
    ),
    "ask_past": (
        "(did|has) (anyone|someone|somebody|anybody|<name>) "
        "(open|opened|unlock|unlocked|lock|ring|rung|leave|come|enter|close) [the <door>|the <name>|home] [last "
        "night|today|yesterday|this morning|recently|while i was out]",
        "(when|what time) (was|did) (the <name>|the <door>|the doorbell|someone|motion) "
        "(open|opened|unlocked|locked|last opened|ring|last seen|come home|closed)",
        "(what happened|what went on|anything happen|any activity|any events) [today|last night|yesterday|while i "
        "was away|in the <place>|recently|this week]",
        "(who|what) (unlocked|opened|triggered|rang) (the <door>|the <name>|the doorbell|the alarm)",
        "(was|were) (there|the <name>|the <door>) [any] (motion|open|opened|unlocked|left open|movement) (last "
        "night|today|yesterday|in the <place>)",
        "show me (the events|recent events|the history|the log|what happened) [of the <name>|today|from last night]",
        "how many times (was|did) the (<door>|<name>) (opened|open|unlock) (today|yesterday)",
        "was there (anyone|somebody|motion) (at|in|near) the <place> (last night|today)",
        "when did i last (lock|open) the <door>", "has the <name> been opened (today|since <n>)",
        "any motion [last night|today|in the <place>]", "did anything (trigger|happen|move)",
        "was the <name> (on|locked|open) last night", "recent (activity|events)",
        "how long has the <name> been (open|on)",
    ),
    "ask_history": (
        "what was the (temperature|humidity|brightness|power|battery|target) [in the <place>|of the <name>] "
        "(today|yesterday|last night|this morning|at noon|on monday) [at <n>|at <n> pm]",
        "how (warm|cold|hot|humid) was it [in the <place>] (yesterday|last night|at <n>|this morning|at "
        "midnight|today at <n>)",
        "what was the (average|highest|lowest|maximum|minimum|mean|peak) (temperature|humidity) [in the <place>] "
        "(yesterday|today|this week|last night)",
        "(show|graph|plot) the temperature (over|for|of) the (last|past) <n> hours",
        "how has the temperature (changed|developed) (today|since yesterday)", "temperature history of the <name>",
        "how low did the temperature (go|get) last night",
    ),
    "ask_energy": ("how much (energy|power|electricity) (did|do) (we|i) use [today|this week|this month|yesterday]",
    "(what is|show me) (my|our|the) (energy|power|electricity) (use|usage|consumption|bill)",
    "energy (report|insights|usage) [for this week]", "which device uses the most (power|energy)",
    "how can i save energy", "what did (electricity|power) cost this month"),
    "ask_anomalies": ("(anything|something|is anything|was there anything|did you notice anything) "
    "(unusual|strange|odd|suspicious|wrong|abnormal|weird) [today|last night|lately|going on]",
    "(any|are there any|show me) (anomalies|alerts|warnings|suspicious events) [today|this week]",
    "did anything (weird|strange|odd) happen"),
    "ask_predictions": ("(when|how soon) (will|does|do) the (battery|batteries|<name>) (die|run out|need "
    "replacing|last|fail|need to be replaced)",
    "(which|any|what) (batteries|devices) (need|will need) (replacing|maintenance|attention) [soon]",
    "(maintenance|predictions) [for the <name>]", "how long will the battery of the <name> last"),
    "ask_overview": (
        "(how is|how are things at|what is going on at|what is up at|status of) (the house|home|my home|the home)",
        "(give me|show me) (a summary|an overview|a status report|the status) [of the house]",
        "home (status|summary|report)", "is everything (ok|okay|alright|fine) [at home]", "how is everything",
        "everything ok", "what is the status", "what is going on at home",
        "what mode (is the house in|are we in)", "is the house ok", "status", "is my home safe", "are we safe",
    ),
    "ask_devices": ("(what|which) (devices|things|sensors|gadgets) (do i have|are there|can you control|are "
    "connected|are in the <place>)", "(list|show me) (all|my|all my|the) (devices|sensors|<kind>)",
    "what is in the <place>", "what can i control [here|in the <place>]", "how many devices do i have",
    "do i have a <kind>", "what <kind> do i have"),
    "help": ("help", "what can (you|i) (do|say|ask)", "how (do you|does this) work", "who are you", "what are you",
    "i need help", "can you help me", "are you [always] listening [to me]", "where (does|do|is) my data [go|stored]",
    "what commands do you know", "are you a robot", "what is your name", "do you record what i say"),
    "greet": ("(hi|hello|hey|good morning|good evening|good afternoon|howdy|hey there|hello there) [homeguard]",
    "how are you", "are you there", "nice to meet you"),
    "thanks": ("(thanks|thank you|great|perfect|cool|nice|awesome|cheers|well done|good job) [so much|a "
    "lot|homeguard]", "that is (great|perfect|all)", "no (that is all|thanks)", "ok [thanks]",
    "you are (great|the best)"),
    "cancel": ("(cancel|nevermind|never mind|forget it|forget about it|stop|abort|no|nope|do nothing|scratch "
    "that|drop it|leave it) [please|that]", "no dont", "cancel that"),
    "yes": ("(yes|yeah|yep|sure|ok do it|go ahead|confirm|do it|correct|absolutely|yes please)",),
    "time": ("what (time|day|date) is it", "what is (the time|the date|todays date|the date today)",
    "tell me the (time|date)", "what day is it today", "is it (monday|weekend)"),
    "timer": (
        "(set|start|create) a timer for <n> (minutes|hours|seconds)", "<n> minute timer [for the oven]",
        "(cancel|stop|pause|resume|remove) (the|my|all|the <n> minute) (timer|timers)",
        "how (much time|long) is left on (the|my) timer", "timer status",
        "(add|remove|take) <n> minutes (to|from|off) (the|my) timer", "wake me up at <n>",
        "set an alarm [clock] for <n> am",
        f"(turn off|open|turn on|lock) {_THING} in <n> (minutes|hours|seconds)",
        "(increase|decrease) my timer by <n> minutes", "in <n> minutes turn off the <kind>",
    ),
    "notes": ("(add|put|write) (milk|bread|eggs|batteries) (to|on) (the|my) [shopping|grocery|to do] list",
    "(remove|check|cross|delete|complete) (milk|bread|the laundry) (from|off|on) (the|my) [shopping|chores] list",
    "what is on my (shopping list|to do list|calendar|agenda)", "remind me to call mom",
    "do i have any (meetings|appointments|events on my calendar) today"),
    "other": (
        "tell me a joke", "what is the capital of (france|spain|peru)", "sing a song",
        "who won the (game|election|match)", "how do i cook (rice|pasta|eggs)",
        "translate good morning to (german|french)", "what is <n> plus <n>", "order a pizza",
        "call (mom|dad|the police)", "send a message to (anna|tom)", "write me a poem",
        "i locked the <door> [already]", "the <name> is (open|on|nice|unlocked)", "my brother likes the <kind>",
        "i saw the <kind> was on", "why is the sky blue", "broadcast that (dinner is ready|we are leaving)",
        "(asdf|lorem ipsum|blah blah)", "book a flight to (rome|oslo)", "what is the meaning of life",
        "buy me (shoes|a car)", "is (rome|london|oslo) far away",
        "what is the weather [like] [today|tomorrow|in (rome|london|oslo)]", "will it rain (today|tomorrow)",
        "how is the weather (in <name>|outside)",
    ),
}  # fmt: skip


def examples(per_template: int = 60, seed: int = 7) -> list[tuple[str, list[str]]]:
    """Labelled masked phrases, the same list every time, without doubles."""
    rng = random.Random(seed)  # noqa: S311  (phrases, not secrets)
    found: dict[tuple[str, ...], str] = {}
    for label, templates in GRAMMAR.items():
        for template in templates:
            for _ in range(per_template):
                words = tuple(_unroll(template, rng).split())
                if words:
                    found.setdefault(words, label)
    return [(label, list(words)) for words, label in found.items()]


def _unroll(template: str, rng: random.Random) -> str:
    """One choice at each `(a|b)` and `[a|b]`, innermost first."""
    inner = re.compile(r"\(([^()\[\]]*)\)|\[([^()\[\]]*)\]")
    while match := inner.search(template):
        options = (match[1] if match[1] is not None else match[2]).split("|")
        chosen = rng.choice(options) if match[1] is not None or rng.random() < 0.5 else ""
        template = template[: match.start()] + chosen + template[match.end() :]
    return template
