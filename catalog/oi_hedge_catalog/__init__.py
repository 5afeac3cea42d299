"""Open interest as Nautilus data: types, storage and quality checks."""
