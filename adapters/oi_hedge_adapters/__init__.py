"""Venues and files: raw open interest, funding and bars turned into one unit."""
