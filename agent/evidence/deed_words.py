"""The words by which a text claims that an order was carried out or that something was done."""

import re
from collections.abc import Mapping
from typing import Final


def _set(text: str) -> frozenset[str]:
    return frozenset(text.split())


#: That an order was carried out, without a word of what it was.
WORKED: Final = re.compile(
    r"\b(?:both (?:of (?:them|those) |devices |commands |orders )?(?:confirmed|responded)"
    r"|(?:it|that|this|everything|all|which|both|them|devices) (?:all )?(?:worked|went (?:well|through|fine|smoothly)"
    r"|succeeded)|i did (?:it|that|so|what|everything|as|both|all|just)\b|i did(?=[.!])|took \w+ (?:tries|attempts)"
    r"|(?:carried|has been carried) out|(?:request|command|order|task|action|job|change|operation)s? (?:has |have |was "
    r"|were |is |are )?(?:been )?(?:complete\w*|fulfilled|executed|performed|processed|applied|honou?red|succeeded|done"
    r"|finished)|\w+ing complete\b|complete[.!]|sorted|handled|taken care|took care|dealt with"
    r"|(?:status|result|outcome)\W+(?:ok|okay|success\w*|done|locked|closed|on|off)|\block is set(?=\s*[.!]?$)"
    r"|all yours|mission|as you wish(?:ed)?|you(?:'re| are) all \w+|gone ahead|went ahead|job done|ready to go"
    r"|got (?:it|that|them) (?:done|\w+ed)|(?:locked|turned|closed|opened|switched|shut|armed) (?:it|them|that"
    r"|everything|both(?! times)|all(?! (?:day|night|morning|afternoon|evening|week)))\b"
    r"|i let (?:them|him|her|you)|you can (?:walk|go|come|drive) in|in place|in effect"
    r"|took effect|has taken effect|voil[aà]|tout est (?:prêt|fait|réglé)|ya est[áa]|todo listo|alles (?:klar|erledigt)"
    r"|wie gewünscht|c'est (?:bon|réglé)|(?:on|off|open|locked|closed) it is\b|completad[oa]|realizad[oa]|effectuée?"
    r"|ausgeführt|umgesetzt|mended|fixed)\b|💯|🎉|🆗|🟢|✓|🗸|\[x\]",
    re.IGNORECASE,
)
#: A deed of our own that no state shows -> the tools of which one must have said yes.
DEEDS: Final[Mapping["re.Pattern[str]", frozenset[str]]] = {
    re.compile(pattern, re.IGNORECASE): frozenset(tools.split())
    for pattern, tools in {
        r"\b(?:i|i've|i have|we|we've|we have)\s+(?:\w+\s+){0,2}?(?:notified|messaged|texted|emailed|called|alerted"
        r"|told|informed|warned|phoned|rang|dialled|dialed|contacted)\b"
        r"|\bsent (?:a|an|the|your|him|her|them|you)\s+(?:\w+\s+)?(?:message|notification|text|e-?mail|alert|note"
        r"|sms)\b|\blet\b.{1,30}\bknow\b|\b(?:police|fire brigade|ambulance|help|wife|husband"
        r"|neighbou?r)\b.{0,30}\b(?:on (?:the|its|their) way|coming|been (?:called|notified|alerted|told|informed))\b":
            "notify send_notification send_alert announce test_notification",
        r"\bi(?:'ll| will| have|'ve)?\s+(?:now |just |also |always )*(?:remember|keep (?:that|it|this) in mind"
        r"|remembered|saved|noted|made a note|stored|written (?:that|it) down)\b"
        r"|\b(?:saved|stored|noted)\b.{0,20}\b(?:memory|preference)":
            "remember update_household save_learning add_learning learn",
        r"\b(?:i|i've|i have|we've|we have)\s+(?:\w+\s+){0,2}?(?:scheduled|created|set up|added|made|set)\s+(?:a|an|the"
        r"|your|that|this)?\s*(?:\w+\s+){0,2}?(?:rule|automation|schedule|alarm for|routine|scene"
        r"|lock for)\b|\bis (?:now )?scheduled\b|\bi(?:'ve| have)? scheduled\b"
        r"|\b(?:rule|automation|schedule) (?:is|has been|was) (?:set|created|added|active|ready"
        r"|scheduled)\b":
            "create_automation update_automation enable_automation create_schedule create_scene",
        r"\b(?:i|i've|i have|we've|we have)\s+(?:\w+\s+){0,2}?(?:scheduled|created|set up|added|made|set|started)\s+"
        r"(?:a|an|the|your|that|this)?\s*(?:[\w-]+\s+){0,3}?(?:reminder|timer)\b":
            "set_timer change_timer create_automation",
        r"\b(?:reminder|timer) (?:is|has been|was) (?:now )?(?:set|created|added|active|ready|scheduled|running)\b":
            "set_timer change_timer list_timers create_automation",
        r"\b(?:set|turned on|activated|enabled|armed)\s+(?:the |your )?(?:\w+ )?alarm\b":
            "set_home_mode arm set_mode",
        r"\b(?:deleted|removed|erased)\b.{0,40}\b(?:rules?|automations?|memory|memories|history|devices?|data"
        r"|everything)\b":
            "delete_automation forget delete_device remove_device clear_history",
        r"\b(?:forgot|forgotten|erased|wiped)\b":
            "forget delete_automation clear_history",
        r"\b(?:i|i've|i have)\s+(?:\w+\s+){0,2}?(?:renamed|paired|reset|restarted|rebooted|updated|installed|backed up"
        r"|recorded)\b":
            "rename_device update_device update_automation update_household restart_device pair_device",
    }.items()
}  # fmt: skip
#: "I" or "we" did something to a thing.
ACTIVE: Final = re.compile(
    r"\b(?:i|we)(?:'ve| have)?\s+(?:\w+ly\s+|just\s+|now\s+|also\s+|already\s+|then\s+|have\s+|gone ahead and\s+"
    r"|went ahead and\s+)*(?P<verb>\w+ed|put|let|shut|made|threw|brought|drew|hit|cut|slid|swung|rolled|lit|turned|did"
    r"|got|took|ran)\b(?P<rest>.*)",
    re.IGNORECASE,
)
#: What "I" may have done without a change in the home.
LOOKED: Final = _set(
    """
    checked looked found asked tried searched received noticed need needed reached wanted used listed limited
    queried requested waited attempted managed confirmed verified read sent stopped finished called understood
    missed reviewed compared counted scanned failed expected supposed promised based answered replied mentioned
    noted did got took made learned learnt fetched pulled gathered collected summarised summarized retrieved
    """
)
