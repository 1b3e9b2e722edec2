"""The API of recommendations. Each module translates, calls one story; here is what they share."""

from collections.abc import Iterator
from contextlib import contextmanager

from rest_framework.exceptions import ErrorDetail, ValidationError

from recommender.filtering.expression import FilterError
from recommender.serializers import filter_fault


@contextmanager
def filter_checked() -> Iterator[None]:
    """A filter that cannot be used is a wrong parameter."""
    try:
        yield
    except FilterError as error:
        detail = ErrorDetail(filter_fault(error), error.code)
        raise ValidationError({"filter": detail}) from None
