"""A clock that never steps back."""

from datetime import UTC, datetime, timedelta

from homeguard.clock import CORRECTION, OnwardClock, SystemClock

START = datetime(2026, 3, 1, 12, tzinfo=UTC)


class Wall(SystemClock):
    """Set by hand; `passed` is what went by, whatever the wall says."""

    def __init__(self) -> None:
        self.at = START
        self.passed = 100.0

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return self.passed


def test_it_follows_steps_forward_and_small_corrections() -> None:
    wall = Wall()
    clock = OnwardClock(wall)
    wall.at += timedelta(days=365)
    assert clock.now() == wall.at
    wall.at -= CORRECTION
    assert clock.now() == wall.at


def test_after_a_step_back_time_goes_on_from_where_it_was_until_the_wall_has_caught_up() -> None:
    wall = Wall()
    clock = OnwardClock(wall)
    wall.at -= timedelta(hours=1)
    assert clock.now() == START
    wall.passed += 600
    wall.at += timedelta(minutes=10)
    assert clock.now() == START + timedelta(minutes=10)
    wall.passed += 3000
    wall.at += timedelta(hours=2)
    assert clock.now() == wall.at == START + timedelta(hours=1, minutes=10)
