"""Which bars a simulated venue trades on."""

from nautilus_trader.model.data import Bar, BarType
from nautilus_trader.model.enums import PriceType
from nautilus_trader.model.identifiers import InstrumentId

from oi_hedge_catalog.errors import ConfigError


class ExecutionBars:
    """Tell the bars that the engine matches on, the finest seen of each instrument, from coarser ones."""

    def __init__(self) -> None:
        self._durations: dict[BarType, int] = {}
        self._finest: dict[InstrumentId, int] = {}

    def duration(self, bar: Bar) -> int | None:
        """
        Return the duration of `bar` in nanoseconds, ``None`` if it is not traded on.

        Raises
        ------
        ConfigError
            If the bar is not a time bar of LAST or MID prices.

        """
        duration = self._durations.get(bar.bar_type)
        if duration is None:
            duration = self._durations[bar.bar_type] = _duration(bar.bar_type)
        if duration > self._finest.setdefault(bar.bar_type.instrument_id, duration):
            return None
        self._finest[bar.bar_type.instrument_id] = duration
        return duration

    def reset(self) -> None:
        """Forget what has been seen."""
        self._finest.clear()


def _duration(bar_type: BarType) -> int:
    spec = bar_type.spec
    if not spec.is_time_aggregated() or spec.price_type not in (PriceType.LAST, PriceType.MID):
        raise ConfigError(
            f"bars {bar_type}: market impact and liquidation expect time bars of LAST or MID prices; load "
            "such bars for this venue."
        )
    return int(spec.get_interval_ns())
