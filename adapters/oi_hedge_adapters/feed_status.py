"""What the data client says about its own feeds, as data that a strategy can act on."""

import pyarrow as pa

from oi_hedge_catalog.types import CatalogData


class FeedStatus(CatalogData):
    """
    A feed of one instrument went stale, or recovered.

    Published once at each change. A venue's halt is another thing and comes as Nautilus's `InstrumentStatus`.

    Parameters
    ----------
    feed : str
        ``open interest``, ``funding``, ``liquidations``, ``long/short`` or ``status``.
    stale : bool
        Whether the feed's last value should not be relied on any more.
    reason : str
        Why, in one sentence.
    """

    FIELDS = (("feed", pa.string(), False), ("stale", pa.bool_(), False), ("reason", pa.string(), False))

    __slots__ = ("feed", "reason", "stale")

    feed: str
    stale: bool
    reason: str
