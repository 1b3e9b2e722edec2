"""What commands take as an argument, each with words for what it is not."""

from argparse import ArgumentTypeError


def at_least_one(text: str) -> int:
    if text.isascii() and text.isdigit() and int(text) >= 1:
        return int(text)
    raise ArgumentTypeError(f"{text!r}: use a whole number of at least 1")


def share(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if 0 <= value <= 1:
        return value
    raise ArgumentTypeError(f"{text!r}: use 0 to 1")
