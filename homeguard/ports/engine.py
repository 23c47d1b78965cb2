"""A server that stores talk to, as `/ready` and `homeguard doctor` name it."""

from typing import Protocol


class Engine(Protocol):
    """`name` and `version` as the server gives them: ("PostgreSQL", "15.18"), ("Cassandra", "5.0.9")."""

    @property
    def name(self) -> str: ...

    @property
    def version(self) -> str: ...

    async def ping(self) -> None:
        """Ask it for something small.

        Raises:
            StoreUnavailable: it did not answer within two seconds.
        """
        ...
