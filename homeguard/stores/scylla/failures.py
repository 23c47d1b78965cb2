"""The driver's errors as ours, once."""

from cassandra import (
    AuthenticationFailed,
    DriverException,
    InvalidRequest,
    OperationTimedOut,
    RequestExecutionException,
    RequestValidationException,
    Unauthorized,
)
from cassandra.cluster import NoHostAvailable
from cassandra.connection import ConnectionException
from cassandra.protocol import ErrorMessage, ServerError

from homeguard.errors import StartRefused, StoreUnavailable

_DRIVERS = (DriverException, NoHostAvailable, ConnectionException, ErrorMessage, OSError)


def translated(error: Exception, where: str) -> Exception:
    """Our error for what the driver said of the servers at `where`; what is not the driver's stays as it is."""
    if not isinstance(error, _DRIVERS):
        return error
    if isinstance(error, OperationTimedOut):
        return StoreUnavailable(f"the event store at {where} did not answer in time")
    if isinstance(error, RequestExecutionException | RequestValidationException | ErrorMessage):
        return StoreUnavailable(f"the event store at {where} did not do what it was asked ({type(error).__name__})")
    return StoreUnavailable(f"the event store at {where} cannot be reached")


def refusal(error: Exception, where: str) -> StartRefused | None:
    """What the operator has to mend before a start: a login that is wrong or may do too little."""
    causes = _causes(error)
    if any(isinstance(e, AuthenticationFailed) for e in causes):
        return StartRefused(f"the event store at {where} refuses the login; check SCYLLA_LOGIN (name:password)")
    if any(isinstance(e, Unauthorized) for e in causes):
        return StartRefused(f"the event store at {where} does not let this login make or read what it needs")
    return None


def is_unsettled(error: Exception) -> bool:
    """The server does not know a table or keyspace yet, or trips over one that is being made."""
    return any(isinstance(e, InvalidRequest | ServerError) for e in _causes(error))


def refuses_protocol(error: Exception) -> bool:
    """It speaks an older version of the protocol than we asked for."""
    return any("explicitly set client protocol_version" in str(e) for e in _causes(error))


def _causes(error: BaseException) -> list[BaseException]:
    found = [error]
    if isinstance(error, NoHostAvailable):
        found += error.errors.values()
    if error.__cause__ is not None:
        found += _causes(error.__cause__)
    return found
