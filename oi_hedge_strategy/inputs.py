"""Inputs beyond bars, open interest and funding: their data type, and what the state takes of it."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from math import nan
from typing import Any

from nautilus_trader.model.identifiers import InstrumentId

from oi_hedge_catalog.types import (
    CatalogData,
    LiquidationRecord,
    LongShortRatio,
    OptionsOpenInterest,
    WalletConcentration,
    options_id,
    wallet_id,
)
from oi_hedge_strategy.state.schema import CHANNELS, Stream


@dataclass(frozen=True, slots=True)
class Input:
    """
    Describe one input that a model may have been trained on.

    Parameters
    ----------
    kind : type
        The data type that brings it.
    stream : Stream
        Where the market state takes it in.
    fields : callable
        The stream's fields of one record.
    unlisted_id : callable, optional
        The id under which the records of a base coin are kept, where that is no instrument of a venue.

    """

    kind: type[CatalogData]
    stream: Stream
    fields: Callable[[Any], tuple[float, ...]]
    unlisted_id: Callable[[str], InstrumentId] | None = None


def _put_call_ratio(data: OptionsOpenInterest) -> tuple[float]:
    ratio = data.put_call_ratio
    return (nan if ratio is None else ratio,)


INPUTS: dict[type, Input] = {
    each.kind: each
    for each in (
        Input(LongShortRatio, Stream.LONG_SHORT_RATIO, lambda data: (data.ratio,)),
        Input(LiquidationRecord, Stream.LIQUIDATIONS, lambda data: (data.long_quantity, data.short_quantity)),
        Input(OptionsOpenInterest, Stream.OPTIONS_OPEN_INTEREST, _put_call_ratio, options_id),
        Input(WalletConcentration, Stream.WALLET_CONCENTRATION, lambda data: (data.herfindahl,), wallet_id),
    )
}
"""By data type."""


def inputs_seen(channels_seen: Collection[str]) -> list[Input]:
    """Return the inputs of which a model has seen a channel in training."""
    streams = {channel.stream for channel in CHANNELS if channel.name in channels_seen}
    return [each for each in INPUTS.values() if each.stream in streams]
