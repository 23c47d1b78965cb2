"""Messages reach the person whom they are for, once, and again only when a crash came between."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path

from homeguard.clock import SystemClock
from homeguard.model import Notice
from homeguard.stores.sqlite.open import open_embedded
from pipeline.delivery import Delivery

AT = datetime(2026, 7, 15, 14, 32, tzinfo=UTC)


def notice(notice_id: str, recipient: str) -> Notice:
    return Notice(
        id=notice_id, home_id="h", at=AT, channel="app", recipient=recipient, priority="critical", title="Glass break",
        text="Back window", cause="e",
    )  # fmt: skip


async def test_each_message_goes_to_its_person_once(tmp_path: Path) -> None:
    async with open_embedded(tmp_path, SystemClock()) as stores:
        delivery = Delivery(outbox=stores.outbox, feed=stores.feed, clock=SystemClock())
        await stores.outbox.put([notice("1", "anna"), notice("2", "ben"), notice("3", "anna")])
        async with stores.feed.subscribe("h", user_id="anna") as items:
            assert await delivery.deliver() == 3
            assert await delivery.deliver() == 0

            async with asyncio.timeout(5):
                told = [await anext(items), await anext(items)]

        assert [item.data["id"] for item in told] == ["1", "3"]
        assert {item.kind for item in told} == {"notice"}
        assert await stores.outbox.undelivered() == []
