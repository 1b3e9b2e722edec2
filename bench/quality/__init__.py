"""Our lists beside those of other libraries, on the same files."""
