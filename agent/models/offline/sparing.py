"""A command to a whole class of which some are to stay as they are, wherever the sentence names them. Pure."""

import re
from collections.abc import Sequence
from typing import Final

from agent.models.offline.frames import Frame, frame
from agent.models.offline.home import Home
from agent.models.offline.parts import Part, question
from agent.models.offline.wording import names_of
from agent.models.offline.words import those
from homeguard.kinds import name_words, singular
from homeguard.model import Device
from homeguard.target_words import ALL, ARTICLES
from homeguard.targets import resolve

Clause = tuple[tuple[str, ...], list[str]]
_EXCEPT: Final = those("except excepting besides apart aside minus excluding barring")
REST: Final = those("other others rest remaining")
#: How people say that something is to stay as it is.
_STAYS: Final = re.compile(
    r"^(?:(?:but|and|just|only|please|so|though|however|with) )*"
    r"(?:leave|leaving|keep|keeping|spare|skip|ignore|"
    r"(?:do not|dont|never) (?:touch|switch|turn|change|include|do|kill|mess|bother|put|shut|count|dim)|not|except|"
    r"everything (?:but|except))\b"
    r"|^(?:and )?(?:so|likewise|neither|nor) (?:should|must|can|may|do|does|will)\b|^same (?:for|goes)\b"
    r"|\b(?:can|may|should|must|shall|could|might|will|has to|have to|needs? to|is to|are to|is allowed to|gets? to|"
    r"to|let .*|want .*|still) "
    r"(?:still |just )?(?:stay|remain|be left|keep|burn|not be)\b"
    r"|\b(?:stays?|remains?|stayed)\b|\bthe only (?:one|light|lamp|thing|exception)\b|\bis (?:an|the) exception\b"
    r"|\bstill needs?\b|\bnot (?:the|my|that|this)\b"
)
_PRONOUNS: Final = those("it them that they those these one ones everything anything nothing all else rest others")


def stays(words: Sequence[str]) -> bool:
    """Whether a clause says that something is to be left as it is: "only the hall light can stay on"."""
    return _STAYS.search(" ".join(words)) is not None


def mentioned(words: Sequence[str], pool: Sequence[Device], home: Home) -> tuple[Device, ...]:
    """The single devices of `pool` that a run of words names in full, in the order of the words."""
    out: list[Device] = []
    at = 0
    while at < len(words):
        for size in range(min(6, len(words) - at), 0, -1):
            run = words[at : at + size]
            if run[0] in ARTICLES | ALL | _PRONOUNS and size > 1:
                run = [w for w in run if w not in ("one", "the", "my", "our", "in", "at", "on")]
            ends = words[at + size - 1]
            if not run or ends in ARTICLES or {*run} & {",", "and", "or"} or run[0] in ALL | _PRONOUNS:
                continue
            found = resolve(run, pool, areas=home.areas, floors=home.floors, fuzzy=False)
            if found.devices and not (found.plural and len(found.devices) > 1) and len(found.devices) < len(pool):
                out += [d for d in found.devices if d not in out]
                at += size - 1
                break
        at += 1
    return tuple(out)


def settled(every: Sequence[Clause], home: Home) -> list[Clause] | Part:
    """The clauses with every exception moved into the command to the class; a question when one cannot be told."""
    clauses = list(every)
    frames = [frame(words, home.devices, home.places) for _, words in clauses]
    for at, found in enumerate(frames):
        if {"them", "all"} <= set(found.words) and found.actions and not found.negated:
            apart_from = next((w for i, (_, w) in enumerate(clauses) if i != at and _EXCEPT & set(w)), None)
            if apart_from is not None:
                return question(" ".join(apart_from), "I did nothing yet: all but which ones? Please name them.")
        whole = _class(found, home)
        if not whole or len(clauses) < 2:
            continue
        spared: list[Device] = []
        gone: set[int] = set()
        for other, (_, words) in enumerate(clauses):
            own = frames[other]
            if other == at or (own.question and not stays(words)):
                continue
            members = mentioned(own.words, whole, home)
            if own.actions and not own.negated and not stays(words):
                apart = 0 < len(members) < len(whole) and not set(own.actions) & set(found.actions)
                if apart and own.actions[0] in ("turn_on", "turn_off"):
                    spared += [d for d in members if d not in spared]
                elif apart and other < at:
                    return _unsure(words, members)
                continue
            if members and len(members) < len(whole):
                if not stays(words) and not own.negated:
                    return _unsure(words, members)
                spared += [d for d in members if d not in spared]
                gone.add(other)
            elif stays(words) and not members and mentioned(own.words, home.devices, home):
                gone.add(other)
            elif stays(words) and not members and _names_something(own, home):
                said = " ".join(own.words)
                return question(said, f'I did nothing: which one does "{said}" leave out? Please name it.')
        if not (spared or gone) or len(spared) >= len(whole):
            continue
        joint, words = clauses[at]
        clauses[at] = (joint, without(words, spared) if spared else words)
        return [c for i, c in enumerate(clauses) if i not in gone]
    return clauses


def _unsure(words: Sequence[str], members: Sequence[Device]) -> Part:
    how = "it is" if len(members) == 1 else "they are"
    return question(
        " ".join(words), f"I did nothing yet: should {names_of(members, 3)} stay as {how}, or go with the others?"
    )


def _class(found: Frame, home: Home) -> tuple[Device, ...]:
    """The devices of a command to a whole class ("all the lights", "the rest of them"), none when it is not one."""
    if found.question or found.negated or not found.actions or stays(found.words):
        return ()
    words = [w for w in found.target if w not in REST and w not in ("them", "it", "of", "one", "ones")]
    plain = [w for w in words if w not in ARTICLES and w not in ALL and w != ","]
    if REST & set(found.words) and not plain:
        return tuple(d for d in home.devices if d.type == "light") or tuple(home.devices)
    if not (REST | ALL) & set(words) | REST & set(found.words) and not any(singular(w) != w for w in plain):
        return ()
    if not words:
        return ()
    named = resolve(words, home.devices, areas=home.areas, floors=home.floors)
    return named.devices if named.plural and len(named.devices) > 1 else ()


def _names_something(found: Frame, home: Home) -> bool:
    """Whether an exception names something that nothing outside the class explains either."""
    words = [w for w in found.target if w not in _KEPT and w not in ARTICLES and w not in _PRONOUNS]
    return bool(words) and not mentioned(found.words, home.devices, home)


_KEPT: Final = those(
    "leave keep on off alone as open locked closed burning lit running going touch can may should stay only not still"
)


def without(clause: Sequence[str], spared: Sequence[Device]) -> list[str]:
    """ "Turn off all the others" behind "leave the hall light on": the kind of it, without it."""
    out = [w for w in clause if w not in REST]
    if REST & set(clause) and not any(singular(w) != w and w not in REST for w in out):
        out = [w for w in out if w not in ("of", "them")]
        where = next((i for i, w in enumerate(out) if w in ("all", "the")), len(out) - 1)
        out.insert(where + 1, f"{spared[0].type.replace('_', ' ')}s")
    names: list[str] = []
    for device in spared:
        names += [*(["and"] if names else []), *name_words(device.name)]
    marks = [w for w in out if w == "?"]
    return [*(w for w in out if w != "?"), "except", *names, *marks]
