"""Words that say nothing of a home by themselves: nouns of any talk, and those of plain reports."""

import re
from typing import Final


def _set(text: str) -> frozenset[str]:
    return frozenset(text.split())


#: Nouns that a sentence may begin with although no result holds them.
TALK: Final = _set(
    """
    request requests command commands answer answers device devices system rule rules battery batteries
    temperature humidity time date list rest others other reason event events record records target mode
    brightness level levels page card cards button history house home alarm door doors lock locks light lights
    lamp lamps window windows sensor sensors camera cameras garage thermostat heating one ones two three first
    second last next same only latest earliest store change changes result results tool tools reading readings
    reply message setting settings action actions approval confirmation order thing things household resident
    residents person assistant answering person's home's house's automation automations incident incidents alert
    alerts step steps plan number count total average question words problem error failure chance security state
    act acts deed deeds
    status report summary lowest highest most minimum maximum oldest newest rooms room area areas floor value
    values it motion fan heat air climate energy power usage sun night day morning evening afternoon week month
    hour minute few couple lot bit moment user owner guest admin client text name names pin code session chat
    conversation thread note notes memory memories learning quiet hours address zone midnight noon
    """
)
SUBJECT: Final = re.compile(
    r"^\W*(?:(?:yes|no|okay|ok|sure|right|also|and|but|so|then|alright|well|[\w ]{1,20}[,:!])\W+)*(?:the|your|my|our|a"
    r"|an)\s+((?:[\w'\u2019-]+\s+){0,4}?[\w'\u2019-]+)\s+(?:is|are|was|were|has|have|had|went|came|rang|arrived|left|broke|got"
    r"|entered|looks?|seems?)\b",
    re.IGNORECASE,
)
#: Words with which plain reports say how a thing is, beside the words of the results themselves.
PLAIN: Final = _set(
    """
    the and for from with without about around roughly nearly almost exactly only just now still already also too
    again currently right here there this that these those its your you was were been being has have had not is
    are it at in on to of as by since ago set measured measuring reading reads reporting reports showing shows
    says said confirmed sent degrees percent low high charge level brightness warm cool heat auto mode motion
    detecting seeing standing available connected quiet clear idle active unchanged known unknown left minutes
    minute hours hour seconds days day today yesterday night morning evening afternoon which who what where one
    two three four five six seven eight nine ten eleven twelve both all each other more most less least average
    averaged between than last first next time times recently twice once temperature humidity battery power energy
    position answering answered way same different able ready waiting named called part home house room area
    device lock light door sensor type kind taken running paused playing stopped started target current though
    however because normal usual inside outside upstairs downstairs no any some back front moment while far fine
    except besides apart stays stay triggered tripped activated pressed recorded used
    """
)
