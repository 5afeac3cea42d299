"""Every loopback exchange by its ccxt name: a new venue is one more entry in one of these tables."""

from fakes.chain_venues import CHAIN
from fakes.large_venues import LARGE
from fakes.middle_venues import MIDDLE
from fakes.other_venues import OTHER

VENUES = {**LARGE, **MIDDLE, **OTHER, **CHAIN}
