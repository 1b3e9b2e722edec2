"""A picture of curves is well-formed, names each line, and lets no name become markup."""

from xml.etree import ElementTree

from recommender.diversity import STRATEGIES
from recommender.evaluation.picture import COLOURS, DASHES, Spot, picture

LINES = {
    "<mmr>": [Spot(1.0, 0.5, 0.98, 1.02, "first"), Spot(0.9, 0.6, 0.85, 0.95, "second")],
    "dpp": [Spot(0.95, 0.7, 0.9, 1.0, "third")],
}


def texts(svg: str) -> list[str]:
    return [text for text in ElementTree.fromstring(svg).itertext() if text.strip()]


def test_each_line_is_named_and_each_point_says_its_numbers():
    svg = picture(LINES, title="Curves & more", across="kept", up="distance")
    assert {"<mmr>", "dpp", "first", "second", "third", "Curves & more", "kept"} <= {*texts(svg)}
    assert "style" not in svg
    assert "script" not in svg


def test_no_two_strategies_have_the_same_line():
    assert len({*COLOURS}) == len({*DASHES}) >= len(STRATEGIES)


def test_more_lies_to_the_right_and_higher():
    svg = ElementTree.fromstring(picture(LINES, title="", across="", up=""))
    lines = svg.findall("{http://www.w3.org/2000/svg}polyline")
    (x1, y1), (x2, y2) = (map(float, at.split(",")) for at in lines[0].get("points").split())
    assert x1 > x2
    assert y1 > y2  # y grows downwards, and the second is more diverse


def test_the_chosen_point_has_a_ring_around_it_and_nothing_is_no_picture():
    svg = picture(LINES, title="", across="", up="", chosen=LINES["dpp"][0])
    assert svg.count("<circle") == 1
    assert picture({}, title="", across="", up="") == ""
