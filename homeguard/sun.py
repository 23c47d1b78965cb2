"""When the sun rises and sets at a place. Pure.

The equations are those of the solar calculator of NOAA's Global Monitoring Laboratory, after Jean Meeus, "Astronomical
Algorithms" (2nd edition, 1998), chapters 15, 25 and 28: right to about a minute between 72 degrees north and south. A
rise or a set is when the sun's upper edge touches a flat horizon, its light bent by 34 minutes of arc.
"""

from datetime import UTC, datetime, timedelta
from math import acos, asin, cos, degrees, radians, sin, tan
from typing import Final, Literal, TypeAlias

SunEvent: TypeAlias = Literal["sunrise", "sunset"]

#: Angle between the zenith and the sun's middle then: 90 degrees, 34' of refraction and 16' of the sun's radius.
_ZENITH: Final = 90.833
_J2000: Final = datetime(2000, 1, 1, 12, tzinfo=UTC)
_CENTURY_S: Final = 36_525 * 86_400
#: How often the position of the sun is looked up anew where the last look says that it rises; two are enough.
_LOOKS: Final = 3


def sun_at(event: SunEvent, noon: datetime, latitude: float, longitude: float) -> datetime | None:
    """The rise or set around the sun's highest point that is nearest to `noon` (aware), to the second, UTC.

    Degrees, north and east positive. None: the sun stays up, or down, all of that day.
    """
    highest = solar_noon(noon, longitude)
    side = -1 if event == "sunrise" else 1
    at = highest
    for _ in range(_LOOKS):
        declination, equation_min = _sun(at)
        angle = _hour_angle(latitude, declination)
        if angle is None:
            return None
        # 4 minutes a degree; how far the sun's own clock is off is looked up for that moment too
        at = _by_sundial(highest, longitude, equation_min) + timedelta(minutes=4 * side * angle)
    return at.replace(microsecond=0) + timedelta(seconds=round(at.microsecond / 1_000_000))


def stays_up(noon: datetime, latitude: float) -> bool:
    """Whether the sun is up around that noon, where it neither rises nor sets that day."""
    return abs(latitude - degrees(_sun(noon)[0])) < _ZENITH


def solar_noon(near: datetime, longitude: float) -> datetime:
    """When the sun stands highest, the time nearest to `near`."""
    _, equation_min = _sun(near)
    return _by_sundial(near, longitude, equation_min)


def _by_sundial(near: datetime, longitude: float, equation_min: float) -> datetime:
    """The noon of a sundial that is nearest to `near`."""
    midnight = near.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    noon = midnight + timedelta(minutes=720 - 4 * longitude - equation_min)
    days = round((near - noon) / timedelta(days=1))
    return noon + timedelta(days=days)


def _hour_angle(latitude: float, declination: float) -> float | None:
    """Degrees that the sky turns between the sun's noon and its rise or set; None when it does neither."""
    # at a pole the tangent has no end: a hand's breadth beside it the answer is the same
    lat = radians(max(-89.99, min(89.99, latitude)))
    cosine = cos(radians(_ZENITH)) / (cos(lat) * cos(declination)) - tan(lat) * tan(declination)
    return degrees(acos(cosine)) if -1 <= cosine <= 1 else None


def _sun(at: datetime) -> tuple[float, float]:
    """The sun's declination in radians, and how many minutes a sundial is ahead of the clock (equation of time)."""
    t = (at - _J2000).total_seconds() / _CENTURY_S
    longitude = radians((280.46646 + t * (36000.76983 + t * 0.0003032)) % 360)
    anomaly = radians((357.52911 + t * (35999.05029 - 0.0001537 * t)) % 360)
    eccentricity = 0.016708634 - t * (0.000042037 + 0.0000001267 * t)
    center = (
        sin(anomaly) * (1.914602 - t * (0.004817 + 0.000014 * t))
        + sin(2 * anomaly) * (0.019993 - 0.000101 * t)
        + sin(3 * anomaly) * 0.000289
    )
    node = radians(125.04 - 1934.136 * t)
    apparent = longitude + radians(center - 0.00569 - 0.00478 * sin(node))
    seconds = 21.448 - t * (46.815 + t * (0.00059 - t * 0.001813))
    obliquity = radians(23 + (26 + seconds / 60) / 60 + 0.00256 * cos(node))
    declination = asin(sin(obliquity) * sin(apparent))
    y = tan(obliquity / 2) ** 2
    equation = (
        y * sin(2 * longitude)
        - 2 * eccentricity * sin(anomaly)
        + 4 * eccentricity * y * sin(anomaly) * cos(2 * longitude)
        - 0.5 * y * y * sin(4 * longitude)
        - 1.25 * eccentricity * eccentricity * sin(2 * anomaly)
    )
    return declination, 4 * degrees(equation)
