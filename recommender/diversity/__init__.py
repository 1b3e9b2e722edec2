"""Lists that do not repeat themselves, and measures of how diverse a list came out."""
