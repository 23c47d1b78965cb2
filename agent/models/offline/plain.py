"""A sentence without what people say around a request: fillers, endearments, courtesies, reasons behind it. Pure."""

import re
from collections.abc import Collection, Sequence
from typing import Final

from agent.models.offline.frames import is_question
from agent.models.offline.times import clock_time
from agent.models.offline.words import those

_FILLER: Final = (
    r"(?:yo|hmm+|hm|mm+|umm*|uhh*|erm?|ah+|oh|ugh|aw|like|so like|yeah|yep|well|listen|honestly|basically|anyway|btw|"
    r"by the way|quick question|excuse me|actually|now then|right then|okay so|sorry|alright|dude|man|bro|hey "
    r"there|look here|i mean|you know|i say)"
)
_STARTS: Final = re.compile(rf"(?:^|(?<=[.;?!] ))((?:(?:so|ok|okay|hey|hi) )?{_FILLER}(?: ,)? )+")
#: A yes to something else, before what is wanted now.
_YES_FIRST: Final = re.compile(
    r"^(?:(?:oh|ah|ok|okay|well|and) )?(?:yes|yeah|yep|yup|sure|sure thing|right|true|correct|exactly|of course"
    r"|certainly|no problem|great|perfect|thanks|thank you|alright|all right)(?: (?:please|thanks|then|sure))? ?[,.!;] "
    r"(?=\w+ \w)|^(?:yes|yeah|yep|yup)(?: please)? (?=\w+ \w)"
)
_BETWEEN: Final = re.compile(
    rf" , (?:{_FILLER}|i (?:do not|dont) know|let me (?:think|see)|you know|what is it) , ?(?:like )?"
)
_ENDEARMENT: Final = (
    "love", "dear", "darling", "honey", "sweetheart", "sweetie", "babe", "baby", "buddy", "pal", "mate", "friend",
    "dude", "bro", "man", "sir", "boss", "champ",
)  # fmt: skip
_TRAILERS: Final = re.compile(
    r"(?: ,)? (?:or (?:nah|no|nope|what)|lol|haha|nothing else|nothing more|and nothing else|and nothing more|"
    r"that is all|that is it|you know|i guess|innit|eh|if you (?:do not|dont) mind)(?= [,.;?!]|$)"
)
#: A courtesy -> the plain word for what it introduces.
_COURTESIES: Final = (
    (r"(?:^|(?<=[.;?!,] ))(?:and )?if you (?:(?:have|had|get|got|have got|find)(?: got)? (?:a |the |any |some )?"
     r"(?:minute|moment|second|chance|time|sec)|could|can|would|would not mind|do not mind|dont mind|would be so kind)"
     r"(?: ,)? (?=\w)", ""),
    (r"^([a-z ]{3,20}) (?:rather than|instead of) (?:that|it|this|[a-z]+)$", r"make it \1"),
    (r"^(?:(?:no|sorry|oops|wait|hang on|hold on|actually|my bad|i mean)[ ,]+)*(?:i (?:meant|mean)|make that|no "
     r"i said|i said|rather) "
     r"(?=(?:\d|[a-z]+(?: (?:percent|degrees))?$))", "make it "),
    (r"^i (?:want|would like|need|wish) to (?:be (?:told|notified|alerted|informed)|hear about it) "
     r"(?=(?:if|when|whenever|any ?time|as soon as)\b)",
     "notify me "),
    (r"\bsend (?:me|us) (?:a |an )?(?:push )?(?:notification|message|alert|push|text|ping|note)\b(?= (?:if|when"
     r"|whenever|any ?time|as soon as|each|every))", "notify me"),
    (r"^(?:hm+|no|actually|oh|sorry)?[ ,]*(\d+(?:\.\d+)?)(?: degrees| percent)? (?:rather|instead)$", r"make it \1"),
    (r" [.] (?=(?:every (?:day|night|morning|evening|week|weekday)|daily|on weekdays|on weekends)(?: [.!])?$)", " "),
    (r" ,? ?((?:the|my|our) [a-z ]{2,30}?) excepted\b", r" except \1"),
    (r"^(?:never ?mind|forget(?: about)?|skip|ignore) (?:about )?(?:the|my|our) [^,.;]+ [,.;] (?:just|but"
     r"|instead|and|rather) ",
        ""),
    (r"\b(\d+(?:\.\d+)?)(?: percent| degrees?)? ?,? (?:wait|no|sorry|i mean|actually|make that|scratch that|or "
     r"rather|er|um)[ ,]*"
     r"(?:no[ ,]+)?(?:not (?:\1|that)[ ,]+)?(?:make (?:it|that) |i meant? |to |rather )?(?=\d)", ""),
    (r"\bnot (?:the|my|our) [a-z]+(?: [a-z]+)? , (?:but |just |i mean |i meant )?(?=(?:the|my|our) )", ""),
    (r"\b(?:would|could) you be so (?:kind|good|nice|sweet) (?:as to|and)\b", "can you"),
    (r"\b(?:would|will) you be (?:a dear|an angel|a darling|kind enough to) (?:and )?", "can you "),
    (r"\b(?:would|do) you mind (?:please )?telling (me|us)\b", r"tell \1"),
    (r"\b(?:would|do) you mind (?:please )?checking\b", "check"),
    (r"\b(?:can|could|would|will) you (?:please )?(?:kindly|quickly|maybe|perhaps|possibly|just) ", "can you "),
    (r"\bi (?:was|am|have been) (?:just )?wondering (?=if|whether|what|how|when|who)", "tell me "),
    (r"^(?:can|could|may|might) (?:we|i) (?:please )?(?:have|get) "
     r"(?=(?:the|my|our|all)\b.* (?:un)?(?:locked|closed|shut)\b)",
     "have "),
    (r"\b(?<!dis)engag(?:e|ing) the (?:locks?|deadbolts?|bolts?) (?:on|of|at|for)\b", "lock"),
    (r"^(?:(?:please|just|can|could|would|you) )*only (?=(?:lock|unlock|open|close|shut|turn|switch|set|dim)\b)", ""),
    (r"^(?:(?:can|could|would|will) you )?(?:please )?(?:(?:look|pull|bring) up|fetch|find) "
     r"(?=(?:the |our |my )?(?:\w+ ){0,3}(?:temperature|humidity)\b)", "tell me "),
    (r"^(?:i|we) (?:would (?:like|love)|want|need|wish) to (?:know|hear|see) ", "tell me "),
    (r"\b(lights?|lamps?) , (?:all|each|every one|every single one) of them\b", r"\1"),
    (r"\b(?:so )?(?:i|we) (?:just |really )?(?:have|need|want|wanted|would like) to ask ,? ?"
     r"(?=(?:is|are|did|was|were|has|what)\b)", ""),
    (r"( last night| overnight)?( [a-z ]{0,30})? (?:while|when) (?:i|we|he|she|they|everyone) "
     r"(?:slept|(?:was|were) (?:all )?(?:asleep|sleeping|in bed))\b",
     r"\2 last night"),
    (r"\bfor the (?:next|coming) (?=(?:hour|minute|half hour|half an hour|quarter of an hour)\b)", "for 1 "),
    (r"\bfor the (?:next|coming) (?=\d)", "for "),
    (r"^(?:(?:no|actually|hmm|ok|well|,) )*(\d+(?:\.\d+)?)(?: (percent|degrees))? "
     r"(?:is|would be|will be|should be|will) (?:just )?"
     r"(?:fine|ok|okay|enough|good|better|plenty|do|great|perfect|nice)$", r"make it \1 \2"),
    (r"^((?:turn|switch|put)\b.*?\bon)(?: again)? ,? ?(?:but )?not (?:too|so|that|very) bright$", r"\1 at 30 percent"),
    (r"^(?:(?:but|,) )*not (?:too|so|that|very|quite so|as) bright$", "dim it a bit"),
    *(
        (rf"^(?:(?:no|oh|ok|hmm+|ugh|,) )*(?:(?:that|this|it|still|is|s|now|way|far|a bit|a little) )+too (?:{how})"
         r"(?: now)?$", instead)
        for how, instead in (
            ("bright", "dim it a bit"), ("dim|dark", "make it a bit brighter"), ("loud", "make it a bit quieter"),
            ("quiet", "make it a bit louder"),
        )
    ),
    (r"\bhalve the brightness (?:of|on|in) (.+)$", r"make \1 half as bright"),
    (r"\b(?:switch|change|turn|move|put) ((?:the |my )?[a-z ]+?) from (?:heat|cool|auto|off|eco|dry|fan)(?: mode)? "
     r"(?:over |back )?to (heat|cool|auto|off|eco|dry|fan)\b", r"set \1 to \2"),
    (r" ,? ?(?:and )?(?:i |we )?(?:have |was |were |am |are )?(?:been|being) (?:out|away|gone|off)(?: of the house)? "
     r"(?=since )", " "),
    (r"\bsince (?:lunch|lunchtime|midday)\b", "since noon"),
    (r" , (?:please|thanks|thank you|cheers|ta)(?= [.!?]|$)", " please"),
    (r"\b(?:i|we) (?:would like|want|need|wish for) ((?:the|my|our|all) [a-z ]+?) to (?:come|go|be|turn|switch)"
     r"(?: turned| switched)? (on|off)\b", r"turn \2 \1"),
    (r",? and while (?:you are|youre|you re|u are) at it ,? ?", " . "),
    (r",? while (?:you are|youre|you re|u are) at it(?= [.!?]|$)", ""),
    (r"^((?:close|shut|open|lock|unlock|turn|switch|dim|set|do)\b.*) anyways?$", r"\1"),
    (r"^(?:(?:hmm+|no|ok|well|oh|,) )*(\d+(?:\.\d+)?)(?: (percent|degrees))?(?: ,)? actually$", r"make it \1 \2"),
    (r"^(?:and |just )?(?:one|1|a) (?:more degree|degree (?:more|higher))(?: please)?(?: [.!])?$",
     "make it 1 degree warmer"),
    (r"^(?:and |just )?(?:one|1|a) degree (?:less|lower)(?: please)?(?: [.!])?$", "make it 1 degree cooler"),
    (r"^(every|all|each)((?: of)?(?: the| my| our)? (?:lights?|lamps?)) (to|at) (\d+(?: percent)?) "
     r"((?:other than|except|apart from|but not|minus) .+)$", r"set \1\2 \5 \3 \4"),
    (r"^(?:(?:haha|heh|lol|well|ok|okay|yeah|ah|oh|,) )*(?:fair (?:enough|point|play)|makes sense"
     r"|good (?:point|call|to know)|no worries|sounds good|all good|cool cool|nice one|got it|gotcha|i see|noted)$",
     "okay"),
    (r"^(?:(?:wait|no|nope|oops|whoops|hmm+|actually|sorry|oh|,) )+(?:(?:turn|switch|put) )?(?:it |them |that )?"
     r"(on|off)(?: again)?$", r"turn it \1"),
    (r"^(?:it|that) would be (?:so |very |really )?(?:nice|great|good|lovely|better|kind|cool|helpful) if you "
     r"(?:could |would )?(?:just )?", "can you "),
    (r"\bcan you (turn|switch|lock|unlock|open|dim|close|shut|put)(?:m?ed|d)\b", r"can you \1"),
    (r"^(?:no ,? ?)?i said ,? ?(?:to )?(?=(?:turn|switch|lock|unlock|open|close|shut|dim|set|put)\b)", ""),
    (r"\b(set|put|turn|bring|change) ((?:it|that|them|(?:the|my) [a-z ]+?)) back to (?=\d)", r"\1 \2 to "),
    (r"\b(?:at|to) (?:a|one|1) 3rd\b(?: ,? ?(?:roughly|about|so|or so|i e"
     r"|approximately) \d+ percent)?", "to 33 percent"),
    (r"^(?:a (?:bit|little|touch|tad) )?(?:lower|higher|more|less|brighter|dimmer|warmer|cooler) ,? ?(?:say"
     r"|like|maybe|to) "
     r"(\d+)(?: (percent|degrees))?$", r"make it \1 \2"),
    (r"^(?:i|we) (?:was|were|am|are|meant) (?:going |supposed |meant )?to (.+?)(?: earlier| before)? (?:and|but) "
     r"(?:i |we )?(?:forgot|did not|didnt|got distracted)(?: to)?(?: ,)?(?: so)? (?:can|could|would"
     r"|will) you (?:please )?"
     r"do (?:it|that)(?: now| for me)*(?: please)?(?: [?.])?$", r"\1"),
    (r"^((?:turn|switch|lock|unlock|open|close|shut|set|dim|have|keep|i want|i need"
     r"|i would like)\b.*?) automatically\b",
     r"\1"),
    (r"^(?:never ?mind|forget(?: about)?) (?:the|my) timer(?: ,? ?(?:scrap|cancel|stop|ditch|kill) (?:it|that))?$",
     "cancel the timer"),
    (r"^((?:everything|all)\b.+?) , i mean (?:all )?(?:of )?(?:the|my) [a-z]+(?= [.!]|$)", r"\1"),
    (r"\b(?:rings|presses|pushes|hits) the (?:bell|door ?bell|buzzer)\b", "rings the doorbell"),
    (r"\b(?:the )?same(?: thing| again)? but (?:at |with |to |on )?(\d+)(?: (percent|degrees))?$", r"make it \1 \2"),
    (r" ,? ?including (?=the|my|our)", " and "),
    (r" (?:which|that) (?:should|can|may|must|has to|is to) (?:stay|remain|be left|keep) "
     r"(?:on|off|lit|as it is)\b", ""),
    (r"\btell me , (?=(?:did|is|are|was|were|has|have|do|does)\b)", ""),
    (r"\blet (?:\w+ ){1,3}in (?:through|by|at|via) ", "unlock "),
    (r"\b(?:take|get) the (?:lock|bolt|latch|deadbolt) off ", "unlock "),
    (r"^(please |can you )?(?:undo|release|unbolt|unlatch) (?=(?:the|my|our) (?:\w+ ){0,3}(?:lock|bolt|door)\b)",
     r"\1unlock "),
    (r"\bundo the (?:lock|bolt|latch|deadbolt) (?:on|of|at) ", "unlock "),
    (r"\bclose (?=(?:the|my|our) (?:\w+ ){0,3}lock(?= [,.;!]|$))", "lock "),
    (r"^can ((?:the|my|our|all)\b.*?) be ((?:un)?locked|closed|shut) (?:please|now|right now|for me)\b",
     r"have \1 \2"),
    (r"^(?:can|could|may) ((?:all|every|the|my|our|each)\b.*?) (?:please )?"
     r"(?:go|be|be turned|be switched) (off|out|on)\b",
     r"can you turn \1 \2"),
)  # fmt: skip
_PLAIN: Final = tuple((re.compile(pattern), plain) for pattern, plain in _COURTESIES)
#: "Not the front door, the back one": only the second is meant.
_NOT_BUT: Final = re.compile(
    r"\bnot (?:the|my|our) (?:[a-z]+ ){1,2}?([a-z]+) , (?:but |rather |it is )*(the|my|our) ([a-z]+(?: [a-z]+)?) one\b"
)
#: "The hallway one. Off."
_NAMED_THEN: Final = re.compile(r"^((?:the|my) [a-z ]{3,40}?) [.,] (on|off)(?: please)?(?: [.!])?$")
_NAMED_FIRST: Final = re.compile(
    r"^((?:the|my) [a-z ]{3,40}?) [.] (turn|switch) (?:it|that|that one) (on|off)(?: please)?(?: [.!])?$"
)
#: "..., not the front one" behind a single thing that was named: nothing more than that is meant.
_NOT_THE_OTHER: Final = re.compile(
    r"(?P<said>\b(?:the|my) (?P<which>[a-z]+) (?P<kind>[a-z]+[a-rt-z])) , "
    r"(?:and |but )?not (?:the|my) (?!(?P=which) )[a-z]+ (?:one|(?P=kind))(?= [.,;!]|$)"
)
_BECAUSE: Final = re.compile(r" ,? ?(?:because|cause|cuz|coz)(?: of)? [^.;?!,]*?(?= (?:and|then|but|so) \w|[.;?!,]|$)")
_BEFORE: Final = re.compile(
    r" before (?:it|he|she|they|we|i|you|someone|somebody|anyone|anybody|something|anything|(?:the|my|our|that) \w+) "
    r"[^.;?!,]*?(?= (?:and|then) \w|[.;?!,]|$)"
)
_FORGOT: Final = re.compile(
    r"^(?:.* )?(?:i|we) (?:(?:have|had|just|totally|completely|might have|must have) )*(?:forgot|forgotten|forget) to "
    r"(?P<deed>[^,.;?!]+?)(?: [,.;])?(?: (?:and|so))?"
    r"(?: (?:please|can|could|would|will|you))* (?:do|handle|see to) (?:it|that)"
    r"(?: for (?:me|us))?(?: please)?(?: [?.!])?$"
)
#: "Is it locked? If not, lock it": one condition, as it holds when something is to be done.
_CHECKED_FIRST: Final = re.compile(
    r"^(?:is|are) (?P<what>(?:the|my|our|all) .+?) (?P<how>locked|unlocked|open|closed|shut|on|off) [?] "
    r"(?P<if>if not|if so|if it is not|if they are not|if it is|if they are)(?: (?P=how))? ?,? ?(?:then )?"
    r"(?:please |can you |could you |just )*(?P<deed>\w+ .+?)(?: [.!?])?$"
)
_OPPOSITE: Final = {"locked": "unlocked", "unlocked": "locked", "open": "closed", "closed": "open", "shut": "open",
                    "on": "off", "off": "on"}  # fmt: skip
#: "... for Mary", "... for the night": for whom something is locked or opened changes nothing of what is done.
_FOR_WHOM: Final = re.compile(
    r" (?:(?:un)?lock(?:ed)?|open(?:ed)?|closed?|shut)\b(?: .*?)? "
    r"for (?P<who>(?!an?\b|\d|another\b|one\b|half\b)(?:(?:my|our|the|when) )?\w+(?: \w+)?)(?= [.,;!?]|$)"
)
_SPANS: Final = those("minute minutes hour hours second seconds while moment bit day days week weeks next")
_THAT_TIME: Final = re.compile(r"\b(?:at (?:that|this|the) (?:time|moment|hour|point)|back then)\b")
#: "What was the room temperature": of the home, not of a room without a name.
_ROOM: Final = re.compile(r"(?:(?<=\bthe )|(?<=\bwas )|(?<=\bis ))room (?=temperature\b)")
_MISSPELT: Final = {"lockd": "locked", "loked": "locked", "locekd": "locked", "unlockd": "unlocked", "closd": "closed"}
_RULES: Final = frozenset(("when", "whenever", "if", "every", "once"))


def plain(words: Sequence[str], names: Collection[str]) -> list[str]:
    """The words of a sentence that carry the request. `names` are the words of the home's own names: never dropped."""
    text = " ".join(words)
    text = _STARTS.sub("", _BETWEEN.sub(" ", text)) or text
    text = _YES_FIRST.sub("", text)
    text = _without_endearments(text, names)
    text = _TRAILERS.sub("", text) or text
    for pattern, instead in _PLAIN:
        text = pattern.sub(instead, text)
    text = _NAMED_THEN.sub(r"turn \2 \1", _NOT_BUT.sub(r"\2 \3 \1", text))
    text = _NAMED_FIRST.sub(r"\2 \3 \1", text)
    text = _NOT_THE_OTHER.sub(lambda m: m["said"], text)
    forgot = _FORGOT.match(text)
    if forgot is not None:
        text = forgot["deed"]
    text = _at_that_time(_for_nobody(text, names))
    out = text.split()
    if is_question(out):
        out = _ROOM.sub("", text).split()
        return [_MISSPELT.get(w, w) for w in out] or list(words)
    if not _RULES & set(out):
        text = _BEFORE.sub(lambda m: m[0] if re.search(r"\d", m[0]) else "", _BECAUSE.sub("", text))
    return text.split() or list(words)


def once_checked(words: Sequence[str]) -> list[str]:
    """ "Is it locked? If not, lock it" as "if it is unlocked, lock it", which is meant for now alone."""
    found = _CHECKED_FIRST.match(" ".join(words))
    if found is None:
        return list(words)
    how = _OPPOSITE[found["how"]] if "not" in found["if"] else found["how"]
    deed = re.sub(r"\b(?:it|them)\b", found["what"], found["deed"])
    return f"if {found['what']} is {how} , {deed}".split()


def _without_endearments(text: str, names: Collection[str]) -> str:
    said = "|".join(w for w in _ENDEARMENT if w not in names)
    text = re.sub(rf"^(?:(?:hey|ok|okay) )?(?:my )?(?:{said}) , ", "", text) if said else text
    text = re.sub(rf"(?<= ),? ?(?:my )?(?:{said}) ?(?=[,.;?!]|$)", "", f"{text}") if said else text
    return re.sub(r" {2,}", " ", re.sub(r" , ,(?= )", " ,", text)).strip(" ,") if said else text


def _for_nobody(text: str, names: Collection[str]) -> str:
    found = _FOR_WHOM.search(f" {text}")
    if found is None or {*found["who"].split()} & (_SPANS | {*names}) or re.search(r"\barm\b", text):
        return text
    return f" {text}".replace(f" for {found['who']}", "", 1).strip()


def _at_that_time(text: str) -> str:
    """ "It was 5 o'clock today when ... What was it at that time?" as one question with its time."""
    sentences = [s for s in re.split(r" ?[.;!] ", text) if s]
    if len(sentences) < 2 or not _THAT_TIME.search(sentences[-1]):
        return text
    before = " ".join(sentences[:-1]).split()
    found = clock_time(before)
    if found is None:
        return text
    hour, minute, half = found
    day = next((w for w in ("yesterday", "today", "morning", "evening", "night") if w in before), "")
    day = {"morning": "this morning", "evening": "this evening", "night": "last night"}.get(day, day)
    at = f"at {hour - 12 if half == 'pm' and hour > 12 else hour}:{minute:02d} {half} {day}"
    return " ".join(_THAT_TIME.sub(at, sentences[-1]).split())
