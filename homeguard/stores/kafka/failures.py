"""What the driver says in our words: nothing of it leaves this folder."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from aiokafka.errors import KafkaError

from homeguard.errors import StoreUnavailable

#: Every call ends within this time.
LIMIT_S: Final = 5.0


@asynccontextmanager
async def answering(where: str, limit_s: float = LIMIT_S) -> AsyncIterator[None]:
    """Bounds what the block asks of the brokers at `where` (host:port, with commas).

    Raises:
        StoreUnavailable: they did not answer in time, or not as they should.
    """
    try:
        async with asyncio.timeout(limit_s):
            yield
    except TimeoutError as error:
        raise StoreUnavailable(f"Kafka at {where} did not answer within {limit_s:g} s") from error
    except (KafkaError, OSError) as error:
        raise unavailable(where, error) from error


def unavailable(where: str, error: BaseException | None) -> StoreUnavailable:
    """Our error for one of the driver's."""
    said = str(error).partition("\n")[0] if error is not None and str(error) else "it is closed"
    return StoreUnavailable(f"Kafka at {where} does not answer: {said}")
