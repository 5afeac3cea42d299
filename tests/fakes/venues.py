"""Every loopback exchange by its ccxt name: a new venue is one more entry here."""

from fakes.large_venues import LARGE
from fakes.other_venues import OTHER

VENUES = {**LARGE, **OTHER}
