"""Lists that do not repeat themselves, and measures of how diverse a list came out."""

from recommender.diversity.budget import Curve, Point, budget_of, spend
from recommender.diversity.calibration import calibrated
from recommender.diversity.contract import Contract, Limits
from recommender.diversity.diversify import NEED_ASPECTS, STRATEGIES, Diversified, diversify
from recommender.diversity.dpp import dpp
from recommender.diversity.mixed import mixed
from recommender.diversity.mmr import mmr
from recommender.diversity.msd import msd
from recommender.diversity.ssd import ssd
from recommender.diversity.xquad import xquad

__all__ = [
    "NEED_ASPECTS",
    "STRATEGIES",
    "Contract",
    "Curve",
    "Diversified",
    "Limits",
    "Point",
    "budget_of",
    "calibrated",
    "diversify",
    "dpp",
    "mixed",
    "mmr",
    "msd",
    "spend",
    "ssd",
    "xquad",
]
