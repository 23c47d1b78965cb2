"""What the driver raises, as our errors: once, here."""

from typing import Final

from pymongo.errors import (
    BulkWriteError,
    ConfigurationError,
    InvalidName,
    OperationFailure,
    PyMongoError,
)

from homeguard.errors import HomeGuardError, StartRefused, StorageFull, StoreUnavailable

#: Not authorised, login refused (MongoDB, Atlas), and a server that knows no login at all but was given one.
_REFUSED: Final = frozenset((13, 18, 8000, 59))
_DISK_FULL: Final = 14_031
_TAKEN: Final = frozenset((11_000, 11_001))


def of_call(error: Exception, address: str) -> HomeGuardError:
    """What a call that failed means; `address` is host:port."""
    if _DISK_FULL in _codes(error):
        return StorageFull(f"the disk of MongoDB at {address} is full")
    if isinstance(error, TimeoutError):
        return StoreUnavailable(f"MongoDB at {address} did not answer in time")
    return StoreUnavailable(f"MongoDB at {address} did not answer: {type(error).__name__}")


def of_opening(error: Exception, address: str) -> HomeGuardError:
    """What a failure at the start means: an operator's mistake is StartRefused, an absent server is not."""
    if isinstance(error, OperationFailure) and error.code in _REFUSED:
        return StartRefused(f"MongoDB at {address} refused the login of MONGO_URL: check its user and password")
    if isinstance(error, InvalidName):
        return StartRefused(f"MONGO_URL names a database that MongoDB at {address} cannot have: {error}")
    if isinstance(error, ConfigurationError):
        return StartRefused(f"MongoDB at {address} cannot be used with this MONGO_URL: {_line(error)}")
    return of_call(error, address)


def is_taken(error: PyMongoError) -> bool:
    """Whether another writer inserted the same key at the same moment; writing again then finds it there."""
    if isinstance(error, BulkWriteError):
        rows = (error.details or {}).get("writeErrors", [])
        return bool(rows) and all(_says_taken(row.get("code"), str(row.get("errmsg"))) for row in rows)
    return isinstance(error, OperationFailure) and _says_taken(error.code, str(error))


def _says_taken(code: int | None, text: str) -> bool:
    # FerretDB has no code for a unique index that an update runs into, only SQLite's words.
    return code in _TAKEN or (code == 1 and "UNIQUE constraint" in text)


def _codes(error: Exception) -> set[int | None]:
    if isinstance(error, BulkWriteError):
        details = error.details or {}
        return {row.get("code") for name in ("writeErrors", "writeConcernErrors") for row in details.get(name, [])}
    return {error.code} if isinstance(error, OperationFailure) else set()


def _line(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
