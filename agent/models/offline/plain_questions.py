"""Questions in the few forms that are understood: "count the open doors" as "how many doors are open". Pure."""

import re
from typing import Final

_REWRITTEN: Final = (
    (r" or (?:is|are|was|has) (?:it|they|that|he|she) (?:just|only|still) .*$", " ?"),
    (r" , (?:or|and) (?:should|shall|do|must|can|would) (?:i|we) .*$", " ?"),
    (r"^count (?:up )?(?:all )?(?:of )?(?:the |my |our )?(.+?) (?:that|which|who) (?:are|is) (.+)$",
        r"how many \1 are \2"),
    (r"^count (?:up )?(?:all )?(?:of )?(?:the |my |our )?(.+)$", r"how many \1 do i have"),
    (r"^(?:what is|tell me|give me) the (?:total |exact )?(?:number|count) of (\w+(?: \w+)?)(?: (?:in|on"
     r"|at|of) .*)?$",
     r"how many \1 do i have"),
    (r"^how many (\w+(?: \w+)?) (?:are|is) (?:there )?(?:installed|set up|in total"
     r"|running here)"
     r"(?: .*)?$", r"how many \1 do i have"),
    (r"^how many (\w+(?: \w+)?) (?:have (?:i|we) got|are there|do (?:i|we|you) (?:own|know|see|have))(?: .*)?$",
     r"how many \1 do i have"),
    (r"^do (?:i|we) (?:own|have) (?:any|some) (.+?)(?: ,)? and if so ,? ?how many$", r"how many \1 do i have"),
    (r"^(?:please )?(?:list|name|enumerate|show(?: me)?|tell me|give me|read out)(?: me)? (?:everything|all(?: "
     r"of (?:it|them))?|the lot)"
     r"(?: (?:you (?:have|know|control|can control)|there is|that is here|here))?(?: slowly| please)?$",
         "list all my devices"),
    (r"^(?:is|are) (?:anybody|anyone|someone|somebody|there anyone|people) moving(?: around| about)? in ",
     "is there motion in "),
    (r"^am i (?:safe|ok|okay|good|fine) to (?:go to bed|leave|go to sleep|go out"
     r"|head out)\b.*$", "is everything secure"),
    (r"^(?:are there |is there )?any batter(?:y|ies) (?:that (?:are|is) )?(?:about|going|close) to (?:die"
     r"|run out|go)\b.*$",
     "which batteries are low"),
    (r"\b(?:over|in|during|for) the (last|past) couple of (hours|days|weeks)\b", r"in the last 2 \2"),
    (r"\b(?:over|in|during|for) the (last|past) few (hours|days|weeks)\b", r"in the last 3 \2"),
    (r"\bhow is (?:the |my )?([a-z ]+?) battery doing\b", r"what is the battery of the \1"),
    (r"^(?:name|list|tell me|which are|what are) (?:all )?(?:the |my |our )?(?:rooms|places|areas)(?: (?:that )?(?:you "
     r"know|you have|there are|i have|we have).*)?$", "which rooms do i have"),
    (r"^(?:what|which|anything|is anything)(?: is| are| things are| devices are)? (?:running |getting )?low on (?:juice"
     r"|power|charge|battery|batteries|energy)$", "which batteries are low"),
    (r"^(?:give|show|tell|run)(?: me| us)?(?: through)? (?:a |the |quick |short |brief )*(?:rundown|run down|list"
     r"|overview|breakdown|listing) of (?:every|each|all)(?: of)?(?: the| my| our)? (.+?)s?$", r"list all my \1s"),
    (r"^how many (devices|gadgets|things) (?:are|do i have|have i)(?: got)? (?:connected(?= here| in total)|installed"
     r"|linked|set up|paired)(?: here| now| in total)*$", "how many devices do i have"),
    (r"^(?:name|enumerate|reel off|rattle off) (?:all )?(?:of )?((?:my|the|our) .+?)(?: for (?:me|us))?(?: please)?$",
     r"list \1"),
    (r"^(?:give|show|tell|run)(?: me| us)?(?: through)? (?:a |the |quick |short |brief )*(?:rundown|run down"
     r"|recap|summary|overview|breakdown|digest)"
     r" (?:of|for|on|from) (yesterday|today|last night|this morning|this week|last week|the (?:day|week|night))$",
     r"what happened \1"),
    (r"^what is (the .+?) (?:dimmed|set|turned|turned up|turned down|dialed|sitting|running) (?:to|at|on)?(?: "
     r"(?:at the moment|now|right now|currently))?$",
     r"what is \1 set to"),
    (r"^did (?:i|we) (?:remember|manage|bother|forget) to (?:lock|bolt) (.+)$", r"is \1 locked ?"),
    (r"^did (?:i|we) (?:remember|manage|bother|forget) to (?:close|shut) (.+)$", r"is \1 closed ?"),
    (r"^did (?:i|we) (?:remember|manage|bother|forget) to (?:turn|switch) off (.+)$", r"is \1 off ?"),
    (r"^what was the (warmest|hottest) (?:it|the house|the \w+(?: room)?) (?:got|was|has been)",
        "what was the highest temperature"),
    (r"^what was the (coldest|coolest) (?:it|the house|the \w+(?: room)?) (?:got|was|has been)",
        "what was the lowest temperature"),
    (r"^how (?:warm|hot) did it get\b", "what was the highest temperature"),
    (r"^how (?:cold|cool) did it get\b", "what was the lowest temperature"),
    (r"\bover the (past|last) (\d+) (hours|days|weeks)\b", r"in the last \2 \3"),
    (r"^what did i (?:just )?(?:switch|turn|lock|unlock|set|change|do|dim|open|close|shut)\b.*$",
        "what did you just do"),
    (r"\bwhen (?:the |my |our )?(.+?) (?:got|was|were) (locked|unlocked|opened|closed|shut|armed) (?:the "
     r")?last(?: time)?$",
     r"when was the \1 last \2"),
    (r"^(?:is |are )?(?:everything|all|things)(?: is| are)? (?:good|well|fine|ok|okay|alright|in order|quiet|calm|safe)"
     r"(?: (?:at|in|back|over|with|around) .*)?$", "is everything ok at home"),
    (r"^(?:what|which) (.+?) do you (?:look after|know(?: of| about)?|see|control|watch|have|manage|monitor"
     r"|keep an eye on)$",
     r"list my \1"),
    (r"^what (?:are|is) (?:all )?(?:the |my |our )?(.+?) (?:called|named)$", r"list my \1"),
    (r"^(?:do|have) (?:i|we) (?:have |got )?(?:any|some) (unlocked|locked|open|closed|shut) (.+)$", r"are any \2 \1"),
    (r"^are (?:all )?(?:of )?(?:the |my |our )?batteries (?:still |all )?(?:ok|okay|fine|good|alright"
     r"|healthy)(?: \?)?$",
     "are any batteries low ?"),
    (r"^is the battery (?:of|in|on) (.+?) (?:still )?(?:ok|okay|fine|good|alright|healthy)(?: \?)?$",
     r"what is the battery of \1 ?"),
    (r"^is (?:the |my )?(.+?) battery (?:still )?(?:ok|okay|fine|good|alright|healthy)(?: \?)?$",
     r"what is the battery of the \1 ?"),
    (r"^(?:which|what|are there any|any) (.+?)(?: that| which)? (?:has|have) not (?:reported|checked in|been heard from"
     r"|phoned home|said anything|responded|answered|updated)\b.*$", r"which \1 are offline ?"),
    (r"^(?:was|were|has|have|did) (.+?) (?:been |stay |stayed |remain )?locked (?:all|the (?:whole|entire)"
     r"|throughout the"
     r"|through the) (night|day|morning|afternoon|evening)(?: long)?(?: \?)?$", r"how many times was \1 unlocked \2 ?"),
    (r"^(?:was|were|has|have|did) (.+?) (?:been |stay |stayed |remain )?(?:closed|shut) (?:all|the (?:whole|entire)"
     r"|throughout the|through the) (night|day|morning|afternoon|evening)(?: long)?(?: \?)?$",
     r"how many times was \1 opened \2 ?"),
    (r"\b(how many times was .* (?:unlocked|opened)) night \?", r"\1 last night ?"),
    (r"\b(how many times was .* (?:unlocked|opened)) day \?", r"\1 today ?"),
    (r"\b(how many times was .* (?:unlocked|opened)) (morning|afternoon|evening) \?", r"\1 this \2 ?"),
    (r"\brunning low\b", "low"), (r"^how is (?:the |my )?(.+?) doing battery(?: wise)?$",
        r"what is the battery of the \1"),
    (r"^(?:hows|how is) (?:the |my )?battery (?:of|on|in) (?:the |my )?(.+)$", r"what is the battery of the \1"),
    (r"^(?:of|among|out of|from) (?:all )?(?:the |my |our )?(.+?) , (?:which|what)(?: one)?(?: is| are)? (.+)$",
     r"which of the \1 is \2"),
    (r"^(?:can you |could you |please |would you )*explain (?:to me )?(?=(?:why|what|who|how)\b)", ""),
    (r"^what (?:turned|switched) (the .+?) (on|off)$", r"why is \1 \2"),
    (r"^what (locked|unlocked|opened|closed) (the .+)$", r"why is \2 \1"),
    (r"^any reason (?:why )?(?:it is|that|the)\b(?= )", "why is it"),
    (r"^why did (?:i|we) get (?:a |an )?(?:ping|alert|notification|message|buzz|text)\b(?: on (?:my|our) "
     r"phones?)?", "were there any alerts"),
    (r"^(?:(?:good )?(?:morning|afternoon|evening) ,? ?)?(?:is |was )?(?:there )?any(?:thing|body|one)(?: new)?"
     r"(?: that)?(?: (?:went|going|go|happened|happening|was|is))?(?: on| going on)?(?: ,)? "
     r"(?:overnight|last night|in the night)$",
     "what happened last night"),
    (r" while (?:i|we|he|she|they|everyone|nobody) (?:was|were) .*$", ""),
    (r"^(?:is |are )?(?:there )?any(?:thing)? (?:going on|happening|up|wrong|the matter|to report)"
     r"(?: (?:at|in|around|with) (?:home|my home|the house|the home|my house))?$", "is everything ok at home"),
    (r"^what is (the .+?|my .+?) (?:doing|up to)(?: (?:now|right now))?$", r"how is \1"),
    (r"^what is (?:it|that) (?:set|turned) (?:to|at)(?: (?:now|right now))?$", "what is it set to"),
    (r"^any(?:one|body|thing) (?:moving )?in the (.+?) ((?:after|since|around|before|at|between|last|yesterday"
     r"|today|this|overnight).*)$",
     r"was there motion in the \1 \2"),
    (r"\b(is|are) not (?:all )?locked\b", r"\1 unlocked"), (r"\b(is|are) not (?:all )?(?:closed|shut)\b", r"\1 open"),
    (r"\b(is|are) not open\b", r"\1 closed"), (r"\b(is|are) not (?:turned |switched )?on\b", r"\1 off"),
    (r"\b(is|are) not (?:turned |switched )?off\b", r"\1 on"),
    (r"^(?:name|list|show me|tell me) (?:every|each|all(?: the| of the)?) (?:devices?|things?) (in the "
     r".+)$", r"list all devices \1"),
    (r" (?:at all|on this system|in this system|in total)\b", ""), (r"\bhow often\b(?= (?:was|were|did|has"
                                                                    r"|have))", "how many times"),
    (r"^what is (the .+?) (?:complaining|moaning|beeping|on|nagging|going on) about$", r"what is the battery of \1"),
    (r"^why is (the .+?) (?:so )?(?:dark|black|pitch dark|pitch black)\b.*$", r"why is \1 light off"),
    (r"^for what reason\b", "why"), (r"^how come\b", "why"),
    (r"^how is it that ((?:the|my|our) .+?) (?:has |is |have )?(?:gone|turned|become) (\w+)$", r"why is \1 \2"),
    (r"^how is it that ((?:the|my|our) .+?) is (.+)$", r"why is \1 \2"), (r"^any idea why\b", "why"),
    (r"^what (?:is|was) the reason (?:for|that|why)\b", "why"), (r"^what made\b", "why did"),
)  # fmt: skip
_PATTERNS: Final = tuple((re.compile(pattern), put) for pattern, put in _REWRITTEN)
_ASKS: Final = re.compile(
    r"^(?:(?:hey|ok|so|and|please|well|,) )*(?:is|are|was|were|did|does|do|has|have|what|which|who|where|when"
    r"|why|how|any|count|list|name|"
    r"tell|show|give|enumerate|can you tell)\b|\?$"
)
_HERE: Final = re.compile(r"(?: (?:in|around|round|over|right|out))? here\b(?! (?:are|is))")


def asked_plainly(words: list[str], *, has_area: bool) -> list[str]:
    """The words of a question in a form that is understood; other sentences as they are. `has_area`: it is known
    where "here" is; else it means the house."""
    text = " ".join(words)
    if not _ASKS.search(text):
        return words
    mark = " ?" if text.endswith("?") else ""
    body = text.rstrip(" ?.!")
    if not has_area:
        body = _HERE.sub("", body)
    for pattern, put in _PATTERNS:
        body = pattern.sub(put, body)
    return f"{body.rstrip(' ?')}{mark or (' ?' if body.endswith('?') else '')}".split()
