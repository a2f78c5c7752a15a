"""Owns what a place is: latitude and longitude in degrees that a photo can have been taken at."""

from __future__ import annotations

Place = tuple[float, float]


def place_of(latitude: float, longitude: float) -> Place | None:
    """Return the place in degrees, or None. At zero and zero is open sea: the receiver had no fix."""
    # NaN fails these tests too.
    if abs(latitude) <= 90 and abs(longitude) <= 180 and (latitude or longitude):
        return latitude, longitude
    return None
