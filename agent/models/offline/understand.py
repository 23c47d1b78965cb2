"""From a sentence and a home to the parts of an answer: what to call, what to say, what to refuse. Pure."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

from agent.models.offline import measuring, reading, rules
from agent.models.offline.act import Context, act, carry_out
from agent.models.offline.acting import Order, order
from agent.models.offline.ask import ask
from agent.models.offline.batteries import batteries_part
from agent.models.offline.chats import chats_part
from agent.models.offline.classifier import Classifier
from agent.models.offline.clauses import clauses
from agent.models.offline.conditions import condition_part
from agent.models.offline.ellipsis import completed
from agent.models.offline.features import masked
from agent.models.offline.following import in_full
from agent.models.offline.frames import Frame, frame
from agent.models.offline.happened import happened_part
from agent.models.offline.hearing import heard
from agent.models.offline.home import Home
from agent.models.offline.languages import in_english, language_of
from agent.models.offline.later import later_part
from agent.models.offline.lists import list_part
from agent.models.offline.moments import when_of
from agent.models.offline.moods import declared, goes_on
from agent.models.offline.offers import answered, done_part, offered_part
from agent.models.offline.over_time import over_time_part
from agent.models.offline.parts import Part, question, refusal
from agent.models.offline.picking import beyond, picked
from agent.models.offline.plain import once_checked, plain
from agent.models.offline.plain_questions import asked_plainly
from agent.models.offline.players import titled
from agent.models.offline.remembering import memory_part, told_items
from agent.models.offline.rule_changes import rules_part
from agent.models.offline.rule_edits import deed_at_that_time, edited_part
from agent.models.offline.scenes import mode_part
from agent.models.offline.since import since_part
from agent.models.offline.sparing import REST, mentioned, settled, without
from agent.models.offline.stories import quoted, story
from agent.models.offline.supposing import supposed_part
from agent.models.offline.talk import outward, own_matter, talk, urgent
from agent.models.offline.timers import timer_part
from agent.models.offline.told_before import without_story
from agent.models.offline.undoing import undo_part
from agent.models.offline.why import why_part
from agent.models.offline.wording import in_order, names_of
from agent.models.offline.words import those, tokens
from homeguard.model import Device
from homeguard.targets import Targets, resolve

_VERBS_AFTER_IF: Final = those(
    "turn switch lock unlock open close set dim shut start stop play pause put make raise lower"
)
_SHOWN: Final = 3
_SPARED_STATES: Final = those("leave keep on off as alone open locked closed")
_KEPT_STATES: Final = those("leave keep on off alone as locked closed open unlocked anyone someone")

_SUBJECTS: Final = those("i we he she they it")
_MORE: Final = those("tad touch smidge smidgen notch a bit more little again even some please lot much and still")
_TALK: Final = those("help greet thanks cancel time timer notes other yes")
_ASK = frozenset(
    ("ask_state", "ask_which", "ask_count", "ask_value", "ask_past", "ask_history", "ask_energy", "ask_anomalies",
     "ask_predictions", "ask_overview", "ask_devices")
)  # fmt: skip
_CARRIES_ON = frozenset(("but", "just", "instead", "then", ".", "only"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """Where a sentence is said. `now` is local; `area` and `device_id` are what the surface knows."""

    home: Home
    now: datetime
    area: str = ""
    device_id: str = ""
    #: What the assistant said last in this conversation.
    last_answer: str = ""
    model: Classifier = field(repr=False)


def understand(text: str, earlier: Sequence[str], scene: Scene) -> list[Part]:
    """The parts of the answer to `text`; `earlier` are the person's own sentences before it, oldest first."""
    about_time = re.search(r"\b(?:timers?|alarm clock|(?:shopping|grocery|to.?do) list)\b", text.lower()) is not None
    context, before = Context(), list[Part]()
    for sentence in earlier[-3:]:
        if not told_items(sentence):
            before, context = _in_context(sentence, scene, context)
    did = [c.name for p in before for c in p.calls if c.name.startswith(_DEEDS)]
    if did and (taken := _CALLED_OFF.match(" ".join(tokens(text)))) is not None:
        if taken["off"]:
            return [undo_part("undo that", text[:200]) or Part(text=text[:200], say="Okay.")]
        return [Part(text=text[:200], say='Okay. If what I just did should be put back, say "undo that".')]
    kept = chats_part(text) or (None if about_time else memory_part(text, earlier, scene.home.named_words))
    if kept is not None:
        return [kept]
    if scene.last_answer and re.match(
        r"^(?:and |but |so )*why (?:not|cannot (?:you|u)|wont you|will not you"
        r"|dont you)\b[ ?.!]*$",
        " ".join(tokens(text)),
    ):
        return [Part(text=text[:200], say=f'I told you: "{scene.last_answer}"')]
    if re.search(r"^what did i (?:just )?(?:say|ask|tell you)\b", " ".join(tokens(text))):
        last = " ".join(earlier[-1].split())[:200] if earlier else ""
        said = f'You said: "{last}".' if last else "That was the first thing that you said in this chat."
        return [Part(text=text[:200], say=said)]
    parts, _ = _in_context(in_full(text, earlier, scene.home), scene, context)
    return parts


def _in_context(text: str, scene: Scene, context: Context) -> tuple[list[Part], Context]:
    """A sentence, which may change the rule that was spoken of right before it."""
    if context.pending[:1] == ("rule",):
        words, said = tokens(text), " ".join(text.split())[:200]
        part = edited_part(words, said, scene.now, context.pending) or rules_part(words, said, context.pending)
        if part is not None:
            return [part], replace(context, pending=part.pending)
        if (deed := deed_at_that_time(words)) and len(context.pending) > 1:
            return _sentence(f"{deed} {context.pending[1]}", scene, context)
    if (
        context.action in _OPPOSITE
        and context.devices
        and not context.offer
        and _TOO_MUCH.match(" ".join(tokens(text)))
    ):
        return _sentence(f"{_OPPOSITE[context.action]} it a bit", scene, context)
    return _sentence(text, scene, context)


_TOO_MUCH: Final = re.compile(
    r"^(?:(?:no|oh|ok|hmm+|wow|,) )*(?:that|this|it) (?:is |was )?(?:way |far |a bit )?too much\b"
)
_OPPOSITE: Final = {"raise": "lower", "lower": "raise"}


_DEEDS: Final = ("control_", "create_automation", "update_automation", "set_home_mode")
#: After something was done: "cancel that" wants it put back, "never mind" may.
_CALLED_OFF: Final = re.compile(
    r"^(?:(?:no|oh|wait|actually|hey|ok|sorry|please|hang on) ,? ?)*(?:(?P<off>cancel|stop|scratch|revoke|call "
    r"off|abort) "
    r"(?:that|it|this)(?: (?:please|again|order|rule|one))?|(?:never ?mind|forget (?:it|that|about it))(?: that"
    r"| it)?)[ .!]*$"
)


def _sentence(text: str, scene: Scene, context: Context) -> tuple[list[Part], Context]:
    foreign = language_of(text)
    words = tokens(in_english(text, foreign, scene.home.named_words) if foreign is not None else text)
    said = " ".join(text.split())[:200]
    if not words:
        return [Part(text=said, say="I didn't catch that. What can I do for you?")], context
    spoken_as, mended = heard(words, scene.home.devices, scene.home.places)
    words = spoken_as or words
    context = replace(context, mended=mended)
    words = asked_plainly(plain(words, scene.home.named_words), has_area=bool(scene.area)) or words
    answer = answered(words, context.offer) if context.offer else None
    if answer is not None:
        after = replace(context, offer=()).spoke_of(tuple(d for d, _ in answer.orders))
        return [done_part(answer, said, scene.home)], after
    context = replace(context, offer=())
    could = offered_part(words, said, scene.home)
    if could is not None:
        return [could[0]], replace(context, offer=could[1]).spoke_of(tuple(d for d, _ in could[1]))
    words, told_of = without_story(words, scene.home)
    context = context.spoke_of(told_of)
    supposed = supposed_part(words, said, scene.home)
    if supposed is not None:
        return [supposed], context
    timed = _by_time(words, said, scene, context)
    if timed is not None:
        return [timed], replace(context, pending=timed.pending).spoke_of(_devices_of(timed, scene.home))
    context = replace(context, pending=())
    meant = picked(words, context.offered, context.action, scene.home) if context.offered else None
    if meant is not None:
        return _of_those(meant, said, scene, replace(context, offered=(), asked=False))
    if context.offered and beyond(words, context.offered, context.action):
        few = names_of(context.offered, joint="or")
        return [question(said, f"I named only {len(context.offered)}: {few}. Which one?")], context
    context = replace(context, offered=())
    plainly = " ".join(words)
    charged = batteries_part(words, said, scene.home)
    if charged is not None:
        return [charged[0]], context.spoke_of(charged[1])
    stands = since_part(plainly, said, scene.home, scene.area, context.devices, scene.now)
    if stands is not None:
        return [stands[0]], context.spoke_of(stands[1])
    then = over_time_part(plainly, said, " ".join(context.frame.words), scene.home, scene.now)
    if then is not None:
        return [then[0]], context.spoke_of((then[1],))
    back = undo_part(plainly, said) or happened_part(words, plainly, said, scene.home, scene.now)
    back = back or why_part(words, plainly, said, scene.home, context.devices, scene.now)
    if back is not None:
        return [back], context
    if _TAKEN_BACK.search(plainly):
        return [Part(text=said, say="Okay, I won't do anything.")], context
    aside = quoted(plainly)
    if aside:
        heard_in = frame(aside.split(), scene.home.devices, scene.home.places)
        if heard_in.actions and not frame(words, scene.home.devices, scene.home.places).question:
            return [
                question(said, f'I did nothing: I took "{aside}" for somebody else\'s words. Do you want that done?')
            ], context
    own = own_matter(plainly) or ("" if urgent(said) else outward(plainly))
    if own:
        return [refusal(said, own)], context
    if urgent(said):
        whole = frame(words, scene.home.devices, scene.home.places)
        if not whole.question and not whole.actions:
            return [talk("other", said, scene.home, scene.now)], context
    words = once_checked(words)
    parts: list[Part] = []
    spared: tuple[Device, ...] = ()
    negated = False
    telling: Frame | None = None
    if words[0] == "if" and not {",", "then"} & set(words):
        words = _comma(words)
    told = settled(clauses(words, scene.home.devices, scene.home.places), scene.home)
    if isinstance(told, Part):
        return [told], context
    every = told
    asks = _asking(every, scene.home)
    for at, (joint, clause) in enumerate(every):
        remark = (at < len(every) - 1 or any(p.calls for p in parts)) and bool(
            {"am", "is", "are", "feel", "seems"} & set(clause)
        )
        same = _SAME.match(" ".join(clause))
        if same is not None and context.action and context.frame.words:
            wanted = frame(same[1].split(), scene.home.devices, scene.home.places)
            part, context = act(
                context.action, context.merged(wanted), same[0], scene.home, scene.area, scene.device_id, context
            )
            parts.append(part)
            continue
        other = _OTHER.match(" ".join(clause))
        if other is not None and context.devices:
            parts.append(_the_other(" ".join(clause), scene, context))
            continue
        found = frame(clause, scene.home.devices, scene.home.places)
        spoken = " ".join(found.words)
        if _is_statement(found) and len(every) > 1:
            devices = mentioned(found.words, scene.home.devices, scene.home)
            context = context.spoke_of(devices)
            continue
        if at and joint and joint != (".",):
            found = completed(found, context.frame, scene.home)
        if declared(found) or (telling is not None and {*joint} <= {"and", "then"} and goes_on(telling, found)):
            telling = found
            about = mentioned(found.words, scene.home.devices, scene.home)
            context = replace(context, devices=about or context.devices)
            if not asks - {at}:
                seen = reading.describe(about, scene.home) if 0 < len(about) <= _SHOWN else ""
                parts.append(Part(text=spoken, say=f"Okay, I changed nothing. {seen}".strip()))
            continue
        telling = None
        if asks - {at} and story(found):
            context = replace(
                context, devices=mentioned(found.words, scene.home.devices, scene.home) or context.devices
            )
            continue
        if spared and REST & set(found.words):
            clause = without(clause, spared)
            found = frame(clause, scene.home.devices, scene.home.places)
            spoken = " ".join(found.words)
        leave = found.words[:1] in (("leave",), ("keep",))
        excluded = _left_out(found, leave, scene, context, parts)
        told_beside = bool(found.words) and found.words[0] in _SUBJECTS
        if told_beside and found.negated and not found.actions and _acting(parts):
            continue  # "..., I don't do fahrenheit"
        if excluded is None and found.negated and not found.actions and joint and joint != (".",) and _acting(parts):
            excluded = question(spoken, f'I did nothing: which one does "{spoken}" leave out? Please name it.')
        if excluded is not None:
            parts[-1] = excluded
            continue
        carried = (
            negated and not found.question and bool(found.actions) and not (_CARRIES_ON & {*joint, *found.words[:1]})
        )
        if (found.negated or carried) and not found.question:
            negated = True
            spared = _spared(found, scene)
            parts.append(_left_alone(found, spoken, scene, context))
            continue
        if leave:
            spared = _spared(found, scene)
            parts.append(_left_alone(found, spoken, scene, context))
            continue
        negated = False
        if found.words[:1] == ("if",):
            context = replace(context, condition=condition_part(found, spoken, scene.home, scene.area))
            continue
        if context.condition is not None and (found.actions or found.question):
            held, context = context.condition, replace(context, condition=None)
            if held.say:
                parts.append(held)
                continue
        timed = _timed(found, spoken, scene, context)
        if timed is not None:
            part, after = timed, context.spoke_of(_devices_of(timed, scene.home))
            after = replace(after, pending=timed.pending if timed.pending[:1] == ("rule",) else ())
        else:
            part, after = _clause(found, spoken, joint, scene, context)
        wants = found.actions or found.question
        if not wants and (remark or (asks - {at} and not part.calls and not _named(found, scene.home))):
            context = replace(context, devices=after.devices or context.devices)
            continue
        context = after
        parts += [part, *part.also]
    parts = [p for at, p in enumerate(parts) if _adds(p, parts[:at])]
    return parts or [talk("other", said, scene.home, scene.now)], context


def _devices_of(part: Part, home: Home) -> tuple[Device, ...]:
    """The devices that a rule of this part commands, in their order."""
    ids = [
        a.get("device_id") for c in part.calls if c.name == "create_automation" for a in c.arguments.get("actions", ())
    ]
    return tuple(d for d in home.devices if d.id in ids)


_TIME_FIRST: Final = re.compile(
    r"^(?:every (?:day|night|morning|evening|weekday)|tomorrow|tonight|later|in (?:an? |\d+ )(?:minutes?|hours?|half)"
    r"|at \d+(?::\d\d)?(?: (?:am|pm))?) .*\b(?:turn|switch|lock|unlock|open|close|shut|set|dim|put)\b"
)
_NOW: Final = frozenset(("now", "immediately", "right away", "first"))


def _by_time(words: list[str], said: str, scene: Scene, context: Context) -> Part | None:
    """What the whole sentence wants at another time: a timer, a list, a rule, or something done later."""
    kept = _kept(words, said, scene, context)
    if kept is not None and _beside_others(words, said, scene, context):
        return None
    if kept is not None:
        parts = clauses(words, scene.home.devices, scene.home.places)
        further = [c for _, c in parts[1:] if frame(c, scene.home.devices, scene.home.places).actions]
        first = _kept(parts[0][1], said, scene, context)
        if not further or ("remind" in words and "remind" in parts[0][1]) or (first is None and "remind" not in words):
            return kept
        return None  # each clause on its own
    rule = rules.rule_part(words, said, scene.home, scene.now, scene.area)
    if rule is not None or _NOW & set(words):
        return _as_rule(rule)
    later = clauses(words, scene.home.devices, scene.home.places)[1:]
    if any(_TIME_FIRST.match(" ".join(c)) for _, c in later):
        return None  # "... and every day at 6 turn it on": the first is for now
    once = when_of(words, scene.now)
    if once is not None and once.unclear and len(clauses(words, scene.home.devices, scene.home.places)) > 1:
        return None
    if once is None or (once.trigger and (again := when_of(once.words, scene.now)) is not None and again.trigger):
        return None  # each clause has a time of its own
    return _as_rule(later_part(words, said, scene.home, scene.now, scene.area, context))


def _beside_others(words: list[str], said: str, scene: Scene, context: Context) -> bool:
    """Whether a list or a timer is one of several things: "turn off the lamp and set a timer for 5 minutes"."""
    every = [c for _, c in clauses(words, scene.home.devices, scene.home.places)]
    if len(every) < 2 or "remind" in words or _kept(every[0], said, scene, context) is not None:
        return False
    first = frame(every[0], scene.home.devices, scene.home.places)
    acts = bool(first.actions) and bool(mentioned(first.words, scene.home.devices, scene.home))
    return acts and any(_kept(c, said, scene, context) is not None for c in every[1:])


def _as_rule(part: Part | None) -> Part | None:
    """With it in mind that a rule was spoken of."""
    is_rule = part is not None and not part.pending and any(c.name == "create_automation" for c in part.calls)
    return replace(part, pending=("rule",)) if part is not None and is_rule else part


def _kept(words: list[str], said: str, scene: Scene, context: Context) -> Part | None:
    """A list, a timer, or the rules that are there."""
    return (
        list_part(words, said, context.pending)
        or timer_part(words, said, scene.now, context.pending)
        or rules_part(words, said, context.pending)
    )


def _of_those(meant: tuple[Device, ...], said: str, scene: Scene, context: Context) -> tuple[list[Part], Context]:
    """What was wanted of one of several devices, done for those that are meant."""
    if not meant:
        return [Part(text=said, say="Okay, I won't do anything.")], context
    if not context.action:
        return [Part(text=said, say=reading.describe(meant, scene.home))], replace(context, devices=meant)
    wanted = Targets(devices=meant, plural=len(meant) > 1, by_name=True)
    part, after = carry_out(context.action, context.frame, said, scene.home, wanted, context)
    return [part], after


def _adds(part: Part, before: Sequence[Part]) -> bool:
    """Whether a part has anything to say or do that was not said or done."""
    return bool(part.say or part.calls or part.why) and not (part.calls and any(p.calls == part.calls for p in before))


def _comma(words: list[str]) -> list[str]:
    """ "If it is on turn it off" with the comma that speech leaves out."""
    for at in range(2, len(words) - 1):
        if words[at] in _VERBS_AFTER_IF and words[at - 1] not in ("to", "is", "are", "the"):
            return [*words[:at], ",", *words[at:]]
    return words


def _asking(every: Sequence[tuple[tuple[str, ...], list[str]]], home: Home) -> frozenset[int]:
    """Which clauses ask or want something; the others may be stories around them."""
    frames = [frame(clause, home.devices, home.places) for _, clause in every]
    return frozenset(at for at, f in enumerate(frames) if (f.actions or f.question) and not story(f))


def _named(found: Frame, home: Home) -> bool:
    """Whether a clause names a device; one that does not, and wants nothing, is said around a request."""
    return bool(mentioned(found.words, home.devices, home))


def _acting(parts: Sequence[Part]) -> bool:
    return bool(parts) and any(c.name.startswith("control") for c in parts[-1].calls)


def _spared(found: Frame, scene: Scene) -> tuple[Device, ...]:
    """What a clause wants left as it is."""
    home = scene.home
    words = [w for w in found.target if w not in _KEPT_STATES and w not in ("touch", "for", "kids")]
    named = resolve(words, home.devices, areas=home.areas, floors=home.floors, near_area=scene.area) if words else None
    return named.devices if named is not None else ()


def _left_out(found: Frame, leave: bool, scene: Scene, context: Context, parts: Sequence[Part]) -> Part | None:
    """ "... but leave the hall light on": the earlier group without it."""
    if not (leave or (found.negated and not found.actions)) or not parts or not parts[-1].calls or not context.devices:
        return None
    words = [w for w in found.target if w not in _SPARED_STATES and w not in ("one", "ones", "just")]
    spared = resolve(words, context.devices, able=None)
    gone = {d.id for d in (*spared.devices, *spared.ambiguous)}
    rest = tuple(d for d in context.devices if d.id not in gone)
    if not gone or not rest or len(context.devices) < 2:
        return None
    return context.again(rest, scene.home, parts[-1].text)


def _left_alone(found: Frame, spoken: str, scene: Scene, context: Context) -> Part:
    """Nothing is done: the answer says of what."""
    home = scene.home
    words = [w for w in found.target if w not in _KEPT_STATES]
    named = resolve(
        words, home.devices, areas=home.areas, floors=home.floors, near_area=scene.area, able=context.guess(found, home)
    )
    devices = named.devices or named.ambiguous
    if devices:
        return Part(
            text=spoken,
            say=f"Okay, I'll leave {names_of(devices, 3)} as {'it is' if len(devices) == 1 else 'they are'}.",
        )
    return Part(text=spoken, say="Okay, I won't do that.")


def _clause(found: Frame, spoken: str, joint: Sequence[str], scene: Scene, context: Context) -> tuple[Part, Context]:
    home = scene.home
    hidden = masked(found.words, home.devices, home.places)
    about = found.words[:2] in (("what", "about"), ("how", "about"))
    further = context.label and not about and found.words[:1] in (("and",), ("also",)) and len(found.words) < 7
    if found.question and context.label and about:
        return _no_verb(found, spoken, joint, hidden, scene, context)
    if found.question and further and not reading.predicate_of(found) and not measuring.measured(found):
        return _no_verb(found, spoken, joint, hidden, scene, context)
    if found.question:
        label, _ = scene.model.best(hidden, _ASK | {"help", "time", "timer", "notes", "other", "greet"})
        part, devices = ask(label, found, spoken, home, scene.now, scene.area, context)
        # "who opened it?" after a thing that is not here means no other thing
        is_unknown = bool(part.why) or "know of no" in part.say
        kept = () if is_unknown and not devices and found.target else context.devices
        return part, replace(context, devices=devices or kept, asked=part.asks, frame=found, label=label)
    mode = mode_part(found, spoken, home, scene.model.best(hidden)[0])
    if mode is not None:
        return mode, context
    if found.actions:
        allowed = set(found.actions) | ({"play_media"} if "play" in found.actions and titled(found, home) else set())
        if "play_media" in allowed:
            allowed.discard("play")
        if re.search(r"\bcalendar\b", spoken) and not found.held:
            return talk("notes", spoken, home, scene.now), context
        held_up = "hold" in found.words and found.actions == ("pause",) and not found.held
        if (held_up or (len(found.words) == 1 and found.words[0] in ("stop", "back", "next"))) and not _moving(home):
            return talk("cancel", spoken, home, scene.now), context
        action, _ = scene.model.best(hidden, allowed)
        if " half as " in f" {spoken} ":
            action = "set"
        if "start" in allowed and {"cleaning", "vacuuming", "mowing"} & set(found.words):
            action = "start"
        return act(action, found, spoken, home, scene.area, scene.device_id, context)
    return _no_verb(found, spoken, joint, hidden, scene, context)


def _timed(found: Frame, spoken: str, scene: Scene, context: Context) -> Part | None:
    """A clause of several that is for another time: "... and lock the door in ten minutes"."""
    words = list(found.words)
    return _kept(words, spoken, scene, context) or later_part(words, spoken, scene.home, scene.now, scene.area, context)


#: "Turn it off. No, leave it."
_TAKEN_BACK: Final = re.compile(
    r"\w[^.;,?!]* [.;,?!] (?:(?:no|wait|actually|oh|hmm|sorry|hang on|hold on|um|on 2nd thought|on second "
    r"thoughts?)[ ,]*)+"
    r"(?:(?:just )?leave (?:it|them|that)(?: (?:on|off|be|alone|as it is))?|dont(?: bother| do (?:it|that))?|do "
    r"not|cancel(?: that| it)?|"
    r"scratch that|never ?mind|forget it|stop)(?: please)?(?: [.!])?$"
)
_OTHER: Final = re.compile(
    r"^(?:(?:no|not (?:that|this)(?: one)?|and|sorry|i mean|i meant|what about|how about|ok|now|but|,) )*(?:the "
    r")?other (?:one|door|light|lamp|lock|camera|sensor)"
    r"(?: (?:please|too|then|instead|as well|[?.!]))*$"
)


def _the_other(said: str, scene: Scene, context: Context) -> Part:
    """What was last wanted, for the one of the same kind that was not meant."""
    home = scene.home
    kinds = {d.type for d in context.devices}
    others = tuple(d for d in home.devices if d.type in kinds and d not in context.devices)
    if not others:
        return question(said, f"Which other one? I know only {names_of(context.devices)}.")
    if len(others) > 1:
        return question(said, f"Which one do you mean: {names_of(others, 6, 'or')}?")
    if context.action:
        return carry_out(context.action, context.frame, said, home, Targets(devices=others, by_name=True), context)[0]
    return Part(text=said, say=reading.describe(others, home))


_SAME: Final = re.compile(
    r"^(?:(?:and|please|now|then|also) )*(?:do )?(?:the )?(?:same|likewise|ditto)(?: thing)?(?: again)? "
    r"(?:for|with|to|in|on|goes for|at) (.+?)(?: please| too| as well)*$"
)


def _is_statement(found: Frame) -> bool:
    """ "The hall light is on 60": told, not asked for."""
    words = found.words
    return (
        found.bare
        and found.has_value
        and not found.question
        and words[0] != "if"
        and any(w in ("is", "are") for w in words)
        and not {"should", "must", "want", "need", "be", "make", "have"} & set(words)
    )


def _moving(home: Home) -> bool:
    """Whether there is something that a bare "stop" can mean: a player, or what moves right now."""
    return any(
        d.type == "media_player"
        or home.state(d).get("cover") in ("opening", "closing")
        or home.state(d).get("activity") in ("cleaning", "returning")
        for d in home.devices
    )


def _no_verb(
    found: Frame, spoken: str, joint: Sequence[str], hidden: Sequence[str], scene: Scene, context: Context
) -> tuple[Part, Context]:
    """A name alone, a follow-up ("and the bedroom"), or talk."""
    home = scene.home
    label, sure = scene.model.best(hidden)
    words = [w for w in found.target if w not in ("what", "how", "about", "and", "also", "one", "ones")]
    first = found.words[0] if found.words else ""
    named = resolve(words, home.devices, areas=home.areas, floors=home.floors, near_area=scene.area) if words else None
    names_something = named is not None and bool(named.devices or named.ambiguous or named.suggestions)
    follows = bool(context.action) and (
        first in ("and", "also") or "about" in found.words or context.asked or "and" in joint
    )
    if names_something and follows and not (label in _TALK and sure > 0.6 and not context.asked):
        return act(context.action, context.merged(found), spoken, home, scene.area, scene.device_id, context)
    if names_something and context.label and (first in ("and", "also") or "about" in found.words):
        again = replace(context.frame, target=tuple(words), words=(*_heads(context.frame), *words), held=frozenset())
        part, devices = ask(
            context.label, frame(again.words, home.devices, home.places), spoken, home, scene.now, scene.area, context
        )
        return part, replace(context, devices=devices or context.devices)
    if context.action in ("raise", "lower", "set") and context.devices and found.words and set(found.words) <= _MORE:
        again = replace(context.frame, value=None, relative=False, words=(*context.frame.words, *found.words))
        down = context.action == "lower" or bool({"dim", "lower", "down", "less", "reduce"} & set(context.frame.words))
        wanted = replace(context, action="lower" if down else "raise")
        if any(isinstance(order(wanted.action, again, home, d), Order) for d in context.devices):
            return wanted.again(context.devices, home, spoken, again), context
    if (
        measuring.measured(found)
        and not found.actions
        and len(found.words) < 7
        and not (found.has_value and found.bare)
    ):
        part, devices = ask(
            "ask_value", frame(["what", "is", "the", *found.words], home.devices, home.places), spoken, home, scene.now,
            scene.area, context,
        )  # fmt: skip
        return part, replace(context, devices=devices or context.devices)
    if label in _TALK and (sure > 0.35 or not names_something):
        return talk(label, spoken, home, scene.now), context
    if label in _ASK and (sure > 0.5 or not names_something):
        asked = frame(["tell", "me", *found.words], home.devices, home.places)
        part, devices = ask(label, asked, spoken, home, scene.now, scene.area, context)
        return part, replace(context, devices=devices or context.devices, frame=asked, label=label)
    if named is not None and named.devices and re.match(r"^(?:the )?(?:lights?|lamps?) on\b", spoken):
        return act("turn_on", found, spoken, home, scene.area, scene.device_id, context)
    if named is not None and named.devices:
        part, devices = ask(
            "ask_state",
            frame(["status", "of", *words], home.devices, home.places),
            spoken,
            home,
            scene.now,
            scene.area,
            context,
        )
        return part, replace(context, devices=devices)
    if named is not None and named.ambiguous:
        which = question(spoken, f"Which one do you mean: {names_of(named.ambiguous, joint='or')}?")
        return which, replace(context, action="", label="", offered=in_order(named.ambiguous))
    return talk("other", spoken, home, scene.now), context


def _heads(earlier: Frame) -> tuple[str, ...]:
    """An earlier question without what it was about."""
    return tuple(w for w in earlier.words if w not in earlier.target)
