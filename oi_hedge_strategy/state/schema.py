"""What the market state samples: venues, channels and look-back offsets."""

import json
from dataclasses import asdict, dataclass, field
from enum import IntEnum
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from oi_hedge_strategy.state.liquidation_map import LiquidationMapConfig

SCHEMA_VERSION = 2
NANOSECONDS_PER_HOUR = 3_600_000_000_000


class Stream(IntEnum):
    """Name what arrives together; events of equal time are applied in this order."""

    SPOT = 0
    PERPETUAL = 1
    OPEN_INTEREST = 2
    FUNDING = 3
    LONG_SHORT_RATIO = 4
    LIQUIDATIONS = 5
    OPTIONS_OPEN_INTEREST = 6
    WALLET_CONCENTRATION = 7


@dataclass(frozen=True, slots=True)
class Channel:
    """Name one sampled number: the stream that brings it and its place in the stream's fields."""

    name: str
    stream: Stream
    field: int


CHANNELS: tuple[Channel, ...] = (
    Channel("log_price", Stream.PERPETUAL, 0),
    Channel("log_range", Stream.PERPETUAL, 1),
    Channel("log_volume", Stream.PERPETUAL, 2),
    Channel("basis", Stream.PERPETUAL, 3),
    Channel("log_spot_price", Stream.SPOT, 0),
    Channel("log_open_interest", Stream.OPEN_INTEREST, 0),
    Channel("funding_8h", Stream.FUNDING, 0),
    Channel("log_long_short_ratio", Stream.LONG_SHORT_RATIO, 0),
    Channel("log_long_liquidations", Stream.LIQUIDATIONS, 0),
    Channel("log_short_liquidations", Stream.LIQUIDATIONS, 1),
    Channel("log_put_call_ratio", Stream.OPTIONS_OPEN_INTEREST, 0),
    Channel("wallet_concentration", Stream.WALLET_CONCENTRATION, 0),
)
MAX_FIELDS = 1 + max(channel.field for channel in CHANNELS)

DEFAULT_OFFSETS_HOURS: tuple[float, ...] = (
    *range(0, 24),
    *range(24, 72, 4),
    *range(72, 168, 12),
    *range(168, 720, 72),
    *range(720, 2161, 240),
)


@dataclass(frozen=True, slots=True)
class StateSchema:
    """
    Fix what a model is given, so that training and serving cannot differ.

    Parameters
    ----------
    venues : tuple of str
        The venue slots, in order.
    offsets_hours : tuple of float
        Look-back offsets, ascending from zero; dense for the last days, sparse to ninety days.
    max_age_hours : float
        An as-of value older than this is masked: the feed is stale or the venue dead.
    bar_seconds : int
        Length of the bars; range and volume mean something else on others.
    resolution_seconds : float
        Events of one stream within one such interval keep only the last.
    liquidation_map : LiquidationMapConfig
        The liquidation map's parameters.
    version : int
        The version of inputs and their meaning.

    """

    venues: tuple[str, ...]
    offsets_hours: tuple[float, ...] = DEFAULT_OFFSETS_HOURS
    max_age_hours: float = 72.0
    bar_seconds: int = 3600
    resolution_seconds: float = 60.0
    liquidation_map: LiquidationMapConfig = field(default_factory=LiquidationMapConfig)
    version: int = SCHEMA_VERSION

    def __post_init__(self) -> None:
        offsets = np.asarray(self.offsets_hours)
        if not self.venues or len(set(self.venues)) != len(self.venues):
            raise ValueError(f"venues must be named once each, was {self.venues}")
        if offsets[0] != 0 or (np.diff(offsets) <= 0).any():
            raise ValueError(f"offsets_hours must ascend from zero, was {self.offsets_hours}")
        if self.resolution_seconds > offsets[1] * 3600:
            raise ValueError("resolution_seconds must not exceed the first offset")

    @property
    def shape(self) -> tuple[int, int, int]:
        """Return (venues, channels, offsets)."""
        return len(self.venues), len(CHANNELS), len(self.offsets_hours)

    @property
    def offsets_ns(self) -> NDArray[np.int64]:
        """Return the offsets in nanoseconds, shape (offsets,)."""
        return (np.asarray(self.offsets_hours) * NANOSECONDS_PER_HOUR).astype(np.int64)

    @property
    def look_back_ns(self) -> int:
        """Return the longest offset in nanoseconds."""
        return int(self.offsets_ns[-1])

    def to_json(self) -> str:
        """Return the schema with its channels as JSON, the same text for the same schema."""
        return json.dumps(asdict(self) | {"channels": [c.name for c in CHANNELS]}, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """
        Return the schema that `to_json` wrote.

        Raises
        ------
        ValueError
            If its version or channels are not those of this code.

        """
        fields: dict[str, Any] = json.loads(text)
        channels = fields.pop("channels")
        if fields["version"] != SCHEMA_VERSION or channels != [c.name for c in CHANNELS]:
            raise ValueError(
                f"expected input schema version {SCHEMA_VERSION} with channels "
                f"{[c.name for c in CHANNELS]}, was version {fields['version']} with {channels}"
            )
        fields["liquidation_map"] = LiquidationMapConfig.from_dict(fields["liquidation_map"])
        fields["venues"] = tuple(fields["venues"])
        fields["offsets_hours"] = tuple(fields["offsets_hours"])
        return cls(**fields)
