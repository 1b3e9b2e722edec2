"""Diversity kept against relevance: ours beside pyversity, over the same candidates."""
