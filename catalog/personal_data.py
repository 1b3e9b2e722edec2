"""What is kept of people: each app says what it keeps, how to hand it over, and how to erase it.

A model that can lead to a person is registered here or has a reason why not; a test walks all
models. Rows are erased in the reverse order of registration: what hangs on a row goes before it.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Kept:
    """One kind of rows that are kept of people."""

    name: str  # label of the model
    # The id of a person → their rows, one after the other; None: there is nothing to hand over.
    export: Callable[[int], Iterable[dict]] | None
    erase: Callable[[int], int]  # the id of a person → how many rows were erased


_kept: dict[str, Kept] = {}
_exempt: dict[str, str] = {}


def register(
    name: str, export: Callable[[int], Iterable[dict]] | None, erase: Callable[[int], int]
) -> None:
    """Say that rows of a model are kept of people. Again under the same name: in its place.

    export  what is the person's and nobody else's, as dicts that JSON can tell; read in a
            transaction, so it may stream
    erase   within the transaction that erases, which holds the person's lock; twice is once
    """
    _kept[name] = Kept(name, export, erase)


def exempt(name: str, why: str) -> None:
    """Say why a model that leads to a person keeps nothing of them."""
    _exempt[name] = why


def kept() -> list[Kept]:
    """In the order of registration."""
    return list(_kept.values())


def exemptions() -> dict[str, str]:
    return dict(_exempt)
