"""Messages to people: written once, then delivered."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from homeguard.model import Notice

PORTS = ("outbox",)
AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def notice(number: int, **changes) -> Notice:
    return replace(
        Notice(
            id=f"n{number}", home_id="h1", at=AT + number * SECOND, channel="push", recipient="anna", priority="high",
            title="T", text="X", cause="c",
        ),
        **changes,
    )  # fmt: skip


async def test_a_notice_is_written_once_and_waits_until_it_is_delivered(opener):
    async with opener() as stores:
        foreign = notice(1, home_id="h2")
        assert await stores.outbox.put([notice(2), notice(1), notice(2)]) == [notice(2), notice(1)]
        assert await stores.outbox.put([notice(1), foreign]) == [foreign]
        await stores.outbox.delivered("h2", "n2", AT)
        await stores.outbox.delivered("h1", "n1", AT)
        await stores.outbox.delivered("h1", "n1", AT + SECOND)
    async with opener() as stores:
        assert await stores.outbox.undelivered() == [foreign, notice(2)]
        assert await stores.outbox.query("h1", start=AT, end=AT + 9 * SECOND) == [
            notice(2),
            notice(1, delivered_at=AT),
        ]
        assert await stores.outbox.query("h1", start=AT, end=AT + 2 * SECOND) == [notice(1, delivered_at=AT)]
        assert await stores.outbox.query("h1", start=AT, end=AT + 9 * SECOND, limit=1) == [notice(2)]
        assert await stores.outbox.query("h3", start=AT, end=AT + 9 * SECOND) == []
