"""Lists that do not repeat themselves, and measures of how diverse a list came out."""

from recommender.diversity.calibration import calibrated
from recommender.diversity.dpp import dpp
from recommender.diversity.mmr import mmr
from recommender.diversity.msd import msd
from recommender.diversity.ssd import ssd
from recommender.diversity.xquad import xquad

# By the name to ask for one by.
STRATEGIES = {
    "mmr": mmr,
    "msd": msd,
    "dpp": dpp,
    "ssd": ssd,
    "xquad": xquad,
    "calibrated": calibrated,
}
NEED_ASPECTS = frozenset({"xquad", "calibrated"})

__all__ = ["NEED_ASPECTS", "STRATEGIES", "calibrated", "dpp", "mmr", "msd", "ssd", "xquad"]
