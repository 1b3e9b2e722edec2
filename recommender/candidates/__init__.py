"""Where candidates come from: interests of a person, neighbours of items, popularity, fusion."""
