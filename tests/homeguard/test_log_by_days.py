"""The log lets go of what is old though little comes: a file of it holds one day at most."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from homeguard.ports.log import EVENTS, NewRecord
from homeguard.stores.sqlite.log import open_log

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)


class Calendar:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.at = AT

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return self.at.timestamp()

    async def sleep(self, delay_s: float) -> None:
        self.at += timedelta(seconds=delay_s)


def files_in(folder: Path) -> int:
    return len(list(folder.glob("*.log")))


async def test_a_quiet_log_is_trimmed_to_the_day_also_over_restarts(tmp_path: Path) -> None:
    clock = Calendar()
    for day in range(12):
        clock.at = AT + timedelta(days=day)
        async with open_log(tmp_path, clock) as log:
            for hour in (0, 1):
                clock.at = AT + timedelta(days=day, hours=hour)
                await log.append([NewRecord(topic=EVENTS, key="h/d", value=f"{day}.{hour}".encode())])
            read = await log.read("g", [EVENTS], limit=100, wait_s=0)
            await log.commit("g", read)

    async with open_log(tmp_path, clock) as log:
        await log.trim(clock.at - timedelta(days=7))
        left = [record.value.decode() for record in await log.tail(EVENTS, limit=100)]

    assert left[0] == "4.0"
    assert left[-1] == "11.1"


async def test_a_clock_that_goes_back_and_forth_makes_no_file_for_each_record(tmp_path: Path) -> None:
    clock = Calendar()
    async with open_log(tmp_path, clock) as log:
        for n in range(20):
            clock.at = AT + timedelta(days=n % 2)
            await log.append([NewRecord(topic=EVENTS, key="h/d", value=b"x")])
    assert files_in(tmp_path) <= 2
