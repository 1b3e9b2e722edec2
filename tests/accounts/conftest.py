"""Clients of the pages."""

from tests.pages.conftest import strict, visitor, web

__all__ = ["strict", "visitor", "web"]
