"""Curves of relevance against diversity as a picture: SVG text that needs no script and no style.

Lines differ in colour, dashes and the mark at their points, so that none is told by colour alone;
colours are readable on white and on black. What is not a line takes the colour of the text around.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT = 560, 340
LEFT, RIGHT, TOP, BOTTOM = 64, 430, 16, 290
COLOURS = ("#2f7fd6", "#d9730d", "#1a9a6c", "#b357d0", "#d9484e", "#8a8420", "#757b85")
DASHES = ("", "6 3", "2 3", "9 3 2 3", "4 2", "1 2", "12 3")


@dataclass(frozen=True)
class Spot:
    """A point of a line, with the interval of x."""

    x: float
    y: float
    low: float
    high: float
    text: str


def picture(
    lines: Mapping[str, Sequence[Spot]],
    *,
    title: str,
    across: str,
    up: str,
    chosen: Spot | None = None,
    ground: str = "",
    ink: str = "currentColor",
    x_marks: Mapping[str, float] | None = None,
    y_marks: Mapping[str, float] | None = None,
) -> str:
    """SVG of some lines, by their names.

    across, up  what x and y are
    chosen      a spot with a ring around it
    ground      a colour to lie behind it all, for a file that is shown anywhere
    x_marks, y_marks  what stands at the axes and where; five numbers at equal steps where none is
    """
    spots = [spot for line in lines.values() for spot in line]
    if not spots:
        return ""
    x_low, x_high = _ends([s.x for s in spots])
    y_low, y_high = _ends([s.y for s in spots])

    def x_of(value: float) -> float:
        inside = min(max(value, x_low), x_high)
        return round(LEFT + (RIGHT - LEFT) * (inside - x_low) / (x_high - x_low), 1)

    def y_of(value: float) -> float:
        return round(BOTTOM - (BOTTOM - TOP) * (value - y_low) / (y_high - y_low), 1)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" width="{WIDTH}" height="{HEIGHT}"'
        f' viewBox="0 0 {WIDTH} {HEIGHT}"'
        f' font-size="12" font-family="sans-serif" fill="{ink}"><title>{escape(title)}</title>'
    ]
    if ground:
        parts.append(f'<rect width="{WIDTH}" height="{HEIGHT}" fill="{ground}"/>')
    for text, x in (x_marks or _fifths(x_low, x_high)).items():
        if x_low <= x <= x_high:
            parts.append(
                f'<path d="M{x_of(x)} {TOP}V{BOTTOM}" stroke="{ink}" stroke-opacity="0.15"/>'
                f'<text x="{x_of(x)}" y="{BOTTOM + 18}" text-anchor="middle">{text}</text>'
            )
    for text, y in (y_marks or _fifths(y_low, y_high)).items():
        if y_low <= y <= y_high:
            parts.append(
                f'<path d="M{LEFT} {y_of(y)}H{RIGHT}" stroke="{ink}" stroke-opacity="0.15"/>'
                f'<text x="{LEFT - 8}" y="{y_of(y) + 4}" text-anchor="end">{text}</text>'
            )
    parts.append(
        f'<text x="{(LEFT + RIGHT) / 2}" y="{HEIGHT - 10}" text-anchor="middle">{escape(across)}'
        f'</text><text transform="translate(14 {(TOP + BOTTOM) / 2}) rotate(-90)"'
        f' text-anchor="middle">{escape(up)}</text>'
    )
    for number, (name, line) in enumerate(lines.items()):
        colour = COLOURS[number % len(COLOURS)]
        dashes = f' stroke-dasharray="{DASHES[number % len(DASHES)]}"' if number else ""
        points = " ".join(f"{x_of(s.x)},{y_of(s.y)}" for s in line)
        parts.append(
            f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"{dashes}/>'
        )
        for spot in line:
            x, y = x_of(spot.x), y_of(spot.y)
            parts.append(
                f'<g stroke="{colour}"><title>{escape(spot.text)}</title>'
                f'<path d="M{x_of(spot.low)} {y}H{x_of(spot.high)}" stroke-opacity="0.35"/>'
                f'<path d="{_mark(number, x, y)}" fill="{colour}"/></g>'
            )
        y = TOP + 8 + 22 * number
        parts.append(
            f'<path d="M{RIGHT + 18} {y}h28" stroke="{colour}" stroke-width="2"{dashes}/>'
            f'<path d="{_mark(number, RIGHT + 32, y)}" fill="{colour}"/>'
            f'<text x="{RIGHT + 54}" y="{y + 4}">{escape(name)}</text>'
        )
    if chosen:
        parts.append(
            f'<circle cx="{x_of(chosen.x)}" cy="{y_of(chosen.y)}" r="8" fill="none"'
            f' stroke="{ink}" stroke-width="2"><title>{escape(chosen.text)}</title></circle>'
        )
    return "".join([*parts, "</svg>"])


def _ends(values: Sequence[float]) -> tuple[float, float]:
    low, high = min(values), max(values)
    room = (high - low) * 0.05 or 0.01
    return low - room, high + room


def _fifths(low: float, high: float) -> dict[str, float]:
    return {f"{value:.3f}": value for value in (low + (high - low) * n / 4 for n in range(5))}


def _mark(number: int, x: float, y: float) -> str:
    """A square, a diamond, a triangle or one on its head, as a path."""
    return (
        f"M{x - 3} {y - 3}h6v6h-6z",
        f"M{x} {y - 4}l4 4l-4 4l-4 -4z",
        f"M{x} {y - 4}l4 7h-8z",
        f"M{x} {y + 4}l4 -7h-8z",
    )[number % 4]
