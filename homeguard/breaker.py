"""Decides whether a dependency is asked at all: after many failures it is left alone for a while."""

from collections import deque
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal, TypeAlias

from homeguard.clock import Clock

State: TypeAlias = Literal["closed", "open", "half_open"]

#: The interval is counted in this many slices, so that old requests leave one slice at a time.
_SLICES: Final = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """When a breaker trips and for how long it stays so.

    It trips at `requests` requests or more within `interval_s` of which a share of `ratio` or more failed; with
    `in_a_row`, at that many failures without a success in between instead.
    """

    requests: int = 10
    interval_s: float = 10.0
    ratio: float = 0.6
    open_s: float = 30.0
    half_open_requests: int = 3
    in_a_row: int | None = None


STORES: Final = Profile()
#: Language models are asked seldom and slowly: three failures in a row are enough.
LLM: Final = Profile(in_a_row=3)


@dataclass(slots=True)
class _Slice:
    begun: float
    requests: int = 0
    failures: int = 0


class Breaker:
    """Ask `admit` before a request and tell what came of it. Not for several threads.

    closed: all requests pass. open: none. half_open, after `open_s`: so many at most pass at a time, and as many
    successes close it while one failure opens it again.
    """

    def __init__(self, clock: Clock, profile: Profile = STORES) -> None:
        self._clock = clock
        self._profile = profile
        self._state: State = "closed"
        self._since = clock.now()
        self._changed = clock.monotonic()
        #: Grows with every change of state: what a request from before it has to tell is of no interest any more.
        self._era = 0
        self._slices: deque[_Slice] = deque()
        self._failed_in_a_row = 0
        self._trying = 0
        self._succeeded = 0

    @classmethod
    def llm(cls, clock: Clock) -> "Breaker":
        """The profile of language models."""
        return cls(clock, LLM)

    @property
    def state(self) -> State:
        self._look()
        return self._state

    @property
    def since(self) -> datetime:
        """When it came into this state."""
        self._look()
        return self._since

    @property
    def age_s(self) -> float:
        """Seconds that it has been in this state."""
        self._look()
        return self._clock.monotonic() - self._changed

    @property
    def retry_after_s(self) -> float:
        """Seconds until a request may pass again; 0 when one may now."""
        self._look()
        if self._state != "open":
            return 0.0
        return max(0.0, self._changed + self._profile.open_s - self._clock.monotonic())

    def admit(self) -> int | None:
        """A ticket for one request, or None: do not ask. Every ticket goes back by `succeeded`, `failed` or `left`."""
        self._look()
        if self._state == "open":
            return None
        if self._state == "half_open":
            if self._trying >= self._profile.half_open_requests:
                return None
            self._trying += 1
        return self._era

    def succeeded(self, ticket: int) -> None:
        """The dependency answered, whatever it said."""
        if ticket != self._era:
            return
        self._failed_in_a_row = 0
        if self._state == "half_open":
            self._trying -= 1
            self._succeeded += 1
            if self._succeeded >= self._profile.half_open_requests:
                self._enter("closed")
        else:
            # It never trips on an answer: what just answered is not left alone.
            self._slice().requests += 1

    def failed(self, ticket: int) -> None:
        """It did not answer, or too late."""
        if ticket != self._era:
            return
        if self._state == "half_open":
            self._enter("open")
            return
        self._failed_in_a_row += 1
        now = self._slice()
        now.requests += 1
        now.failures += 1
        self._trip_if_due()

    def left(self, ticket: int) -> None:
        """The caller went away before there was an answer: says nothing about the dependency."""
        if ticket == self._era and self._state == "half_open":
            self._trying -= 1

    def reset(self) -> None:
        """Close it: somebody asked the dependency beside it, and it answered."""
        if self._state != "closed":
            self._enter("closed")

    def trip(self) -> None:
        """Open it: somebody asked the dependency beside it, in vain."""
        if self.state == "closed":
            self._enter("open")

    def _look(self) -> None:
        if self._state == "open" and self._clock.monotonic() >= self._changed + self._profile.open_s:
            self._enter("half_open")

    def _enter(self, state: State) -> None:
        self._state = state
        self._since = self._clock.now()
        self._changed = self._clock.monotonic()
        self._era += 1
        self._slices.clear()
        self._failed_in_a_row = self._trying = self._succeeded = 0

    def _slice(self) -> _Slice:
        now, length = self._clock.monotonic(), self._profile.interval_s / _SLICES
        while self._slices and self._slices[0].begun <= now - self._profile.interval_s:
            self._slices.popleft()
        if not self._slices or self._slices[-1].begun <= now - length:
            self._slices.append(_Slice(begun=now))
        return self._slices[-1]

    def _trip_if_due(self) -> None:
        if self._profile.in_a_row is not None:
            due = self._failed_in_a_row >= self._profile.in_a_row
        else:
            requests = sum(s.requests for s in self._slices)
            failures = sum(s.failures for s in self._slices)
            due = requests >= self._profile.requests and failures >= requests * self._profile.ratio
        if due:
            self._enter("open")
