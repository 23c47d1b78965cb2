"""Whatever the order of work and outages: afterwards the engine has what one that was always there would have, once."""

import asyncio
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from homeguard.errors import StoreUnavailable
from homeguard.model import Alert, Command, Message, Notice
from homeguard.ports.users import Session
from homeguard.stores.guarded.alerts import ForwardedAlerts
from homeguard.stores.guarded.audit import GuardedAudit
from homeguard.stores.guarded.conversations import GuardedConversations
from homeguard.stores.guarded.journal import GuardedJournal
from homeguard.stores.guarded.outbox import ForwardedOutbox
from homeguard.stores.guarded.sessions import GuardedSessions
from homeguard.stores.guarded.takers import TAKERS

DAY = timedelta(days=1)
HOMES = ("h1", "h2")

works = st.tuples(
    st.sampled_from(["alert", "notice", "deliver", "begin", "finish", "confirm", "say", "clear", "audit"]),
    st.integers(0, 1),
    st.sampled_from(["h1", "h1", "h1", "h2"]),
)
#: A while in which the engine is so: how it answers, how many answers are lost first, whether what waits for it is not
#: handed over though it answers, the seconds that pass first, and what is done.
whiles = st.tuples(
    st.sampled_from(["ok", "ok", "refused", "reset", "lost"]),
    st.sampled_from([0, 0, 1, 2, 5]),
    st.booleans(),
    st.sampled_from([0, 0, 2, 40]),
    st.lists(works, min_size=3, max_size=8),
)


class Work:
    """The same work through the guards of a rig, or straight into stores."""

    def __init__(self, began, alerts, outbox, journal, conversations, audit) -> None:
        self.began = began
        self.alerts, self.outbox, self.journal = alerts, outbox, journal
        self.conversations, self.audit = conversations, audit

    async def do(self, step: int, what: str, number: int, home_id: str):
        """What the port answered; None where that may differ while the engine is away."""
        at = self.began + timedelta(seconds=step)
        if what == "alert":
            alert = Alert(
                id=f"a{number}", home_id=home_id, at=at, kind="smoke", severity="high", title="t", text=str(step)
            )
            return [found.id for found in await self.alerts.raise_([alert])]
        if what == "notice":
            notice = Notice(
                id=f"n{number}", home_id=home_id, at=at, channel="app", recipient="anna", priority="high", title="t",
                text=str(step),
            )  # fmt: skip
            return [found.id for found in await self.outbox.put([notice])]
        if what == "deliver":
            return await self.outbox.delivered(home_id, f"n{number}", at)
        if what == "begin":
            command = Command(
                id=f"c{number}", home_id=home_id, device_id="d", command="turn_on", parameters={"step": step}, set={},
                before={}, tier=1, caller="person", user_id="anna", cause="", requested_at=at, not_after=at,
            )  # fmt: skip
            return await self.journal.begin(command)
        if what in ("finish", "confirm"):
            outcome = "sent" if what == "finish" else "confirmed"
            return await self.journal.finish(home_id, f"c{number}", outcome, str(step), at)
        if what == "say":
            line = Message(
                id=f"m{number}", home_id=home_id, user_id="anna", thread_id=f"t{number % 2}", turn_id="", role="user",
                text=f"{step}", at=at,
            )  # fmt: skip
            return await self.conversations.append(home_id, [line])
        if what == "clear":
            await self.conversations.clear(home_id, "anna", f"t{number % 2}")
            return None
        return await self.audit.write(
            home_id, at=at, actor="a", action=what, decision="allow", rule=str(number), detail={"step": step}
        )


async def stuck(stores, values) -> None:
    raise StoreUnavailable("not yet")


async def everything(began, stores):
    span = {"start": began - DAY, "end": began + DAY, "limit": 1000}
    audit = [await stores.audit.rows(home_id, limit=1000) for home_id in HOMES]
    return [
        [await stores.alerts.query(home_id, **span) for home_id in HOMES],
        [await stores.outbox.query(home_id, **span) for home_id in HOMES],
        [await stores.journal.commands(home_id, since=began - DAY, limit=1000) for home_id in HOMES],
        [
            [m.text for m in await stores.conversations.messages(home_id, "anna", thread_id)]
            for home_id in HOMES
            for thread_id in ("t0", "t1")
        ],
        [[(row["seq"], row["at"], row["rule"], row["detail"]) for row in rows] for rows in audit],
    ]


@given(st.lists(whiles, min_size=3, max_size=8))
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_engine_ends_up_as_if_it_had_never_been_away(tmp_path_factory, rigging, given_whiles):
    asyncio.run(_compare(rigging, tmp_path_factory.mktemp("outages").name, given_whiles))


async def _compare(rigging, name, given_whiles):
    async with rigging(name) as rig, rigging(name + "-always") as always:
        began = rig.clock.began
        guarded = Work(
            began, ForwardedAlerts(rig.local.alerts, rig.engine, rig.forwarder),
            ForwardedOutbox(rig.local.outbox, rig.engine, rig.forwarder),
            GuardedJournal(rig.engine, rig.local.journal, rig.forwarder),
            GuardedConversations(rig.engine, rig.local.conversations, rig.forwarder),
            GuardedAudit(rig.engine, rig.forwarder),
        )  # fmt: skip
        stores = always.remote
        straight = Work(
            began, stores.alerts, stores.outbox, stores.journal, stores.conversations, stores.audit
        )  # fmt: skip
        step = 0
        for mode, losses, is_stuck, wait_s, done in given_whiles:
            rig.takers.update(dict.fromkeys(TAKERS, stuck) if is_stuck else TAKERS)
            rig.wire.mode, rig.wire.losses = mode, losses
            await rig.clock.advance(wait_s)
            for what, number, home_id in done:
                step += 1
                told = await rig.finish(guarded.do(step, what, number, home_id))
                assert told == await straight.do(step, what, number, home_id)
        rig.wire.losses = 0
        rig.takers.update(TAKERS)
        await rig.come_back()
        assert await rig.spool.aside(rig.engine.name) == []
        assert await everything(began, rig.remote) == await everything(began, stores)
        assert await rig.remote.audit.verify() == await stores.audit.verify()


@given(st.lists(st.sampled_from(["ok", "refused", "lost", "wait", "end", "end other"]), max_size=12))
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_session_that_was_ended_is_never_good_again_here(tmp_path_factory, rigging, given_steps):
    asyncio.run(_end_sessions(rigging, tmp_path_factory.mktemp("sessions").name, given_steps))


async def _end_sessions(rigging, name, given_steps):
    async with rigging(name) as rig:
        sessions, now = GuardedSessions(rig.engine, rig.forwarder, rig.clock), rig.clock.began
        one = Session(id="s", user_id="u", home_id="h", refresh_hash="r", created_at=now, expires_at=now + DAY)
        for id_ in ("s", "other"):
            await sessions.put_session(replace(one, id=id_))
        ended = set()
        for step in given_steps:
            if step == "wait":
                await rig.clock.advance(20)
            elif step.startswith("end"):
                id_ = "other" if step == "end other" else "s"
                ended.add(id_)
                with suppress(StoreUnavailable):
                    await rig.finish(sessions.revoke_session(id_, rig.clock.now()))
            else:
                rig.wire.mode = step
            for id_ in ("s", "other"):
                with suppress(StoreUnavailable):
                    found = await rig.finish(sessions.session(id_))
                    assert (found.revoked_at is not None) == (id_ in ended)
        await rig.come_back()
        assert {s.id for s in await rig.remote.sessions.sessions() if s.revoked_at is not None} == ended
