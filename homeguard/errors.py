"""Every error that HomeGuard raises on purpose: a stable `code`, a sentence that says what to do, details."""

from collections.abc import Mapping
from typing import Any


class HomeGuardError(Exception):
    """The root. `message` is safe to show to the caller; `details` is JSON and holds no secret."""

    code = "INTERNAL"
    status = 500

    def __init__(self, message: str, *, code: str | None = None, **details: Any) -> None:
        super().__init__(message)
        self.message = message
        self.details: Mapping[str, Any] = details
        if code is not None:
            self.code = code


class InvalidInput(HomeGuardError):
    """What was sent cannot be read or is out of bounds; `details["field"]` names the place."""

    code = "INVALID_INPUT"
    status = 422


class PayloadTooLarge(InvalidInput):
    code = "PAYLOAD_TOO_LARGE"
    status = 413


class NotFound(HomeGuardError):
    """Absent, or someone else's: the two look the same."""

    code = "NOT_FOUND"
    status = 404


class DeviceNotFound(NotFound):
    code = "DEVICE_NOT_FOUND"


class HomeMismatch(HomeGuardError):
    """A body names a home or a user that is not the caller's."""

    code = "HOME_MISMATCH"
    status = 403


class NotSignedIn(HomeGuardError):
    code = "NOT_SIGNED_IN"
    status = 401


class NotAllowed(HomeGuardError):
    """The caller is known and lacks the role or the scope."""

    code = "NOT_ALLOWED"
    status = 403


class Conflict(HomeGuardError):
    """It was true once and is no longer: answered, used, changed meanwhile."""

    code = "CONFLICT"
    status = 409


class RateLimited(HomeGuardError):
    """Too many; `details["retry_after_s"]` says when to come back."""

    code = "RATE_LIMITED"
    status = 429


class Overloaded(HomeGuardError):
    """A bounded queue is full; nothing was taken; `details["retry_after_s"]` says when to come back."""

    code = "OVERLOADED"
    status = 503


class StoreUnavailable(HomeGuardError):
    """A store or an engine did not answer; nothing is known of the outcome unless it says so."""

    code = "STORE_UNAVAILABLE"
    status = 503


class StorageFull(StoreUnavailable):
    code = "STORAGE_FULL"
    status = 507


class DriverFailed(HomeGuardError):
    """A device could not be reached or refused the command."""

    code = "DRIVER_FAILED"
    status = 502


class ModelUnavailable(HomeGuardError):
    """The language model did not answer."""

    code = "MODEL_UNAVAILABLE"
    status = 503


class StartRefused(HomeGuardError):
    """HomeGuard cannot start here; the message is the one line that the operator reads."""

    code = "START_REFUSED"
