"""Curves of relevance against diversity: what was measured, and what a request reads of it."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from django.db.models import QuerySet

from recommender.diversity import Curve, Point
from recommender.models import Calibration

# Of a scenario, the newest.
CALIBRATION = """
    SELECT json_build_object('at', extract(epoch FROM made_at), 'strategy', strategy,
        'curve', curves -> 'curve')::text
    FROM recommender_calibration WHERE scenario = %s ORDER BY made_at DESC, id DESC LIMIT 1"""


@dataclass(frozen=True)
class Calibrated:
    """What a request needs of a calibration."""

    made_at: datetime
    strategy: str  # that brings most diversity within the budget it was measured for
    curve: Curve


def calibrated_of(row: str | None) -> Calibrated | None:
    """From a row of CALIBRATION."""
    if row is None:
        return None
    found = json.loads(row)
    return Calibrated(
        datetime.fromtimestamp(found["at"], UTC), found["strategy"], curve_of(found["curve"])
    )


def newest_calibration(scenario: str) -> Calibrated | None:
    row = calibrations(scenario).first()
    return row and Calibrated(row.made_at, row.strategy, curve_of(row.curves["curve"]))


def curve_of(points: Sequence[Sequence]) -> Curve:
    return Curve(tuple(Point(*point) for point in points))


def put_calibration(calibration: Calibration) -> Calibration:
    calibration.save(force_insert=True)
    calibration.refresh_from_db(fields=["made_at"])
    return calibration


def calibrations(scenario: str | None = None) -> QuerySet[Calibration]:
    """Newest first."""
    found = Calibration.objects.order_by("-made_at", "-id")
    return found if scenario is None else found.filter(scenario=scenario)
