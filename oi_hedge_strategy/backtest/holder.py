"""A strategy that only holds: the trader's own position in a backtest."""

from datetime import datetime

from nautilus_trader.model.data import Bar, BarType
from nautilus_trader.model.enums import OrderSide
from nautilus_trader.trading.config import StrategyConfig
from nautilus_trader.trading.strategy import Strategy


class HolderConfig(StrategyConfig, frozen=True):
    """
    Configure a `Holder`.

    Parameters
    ----------
    bar_type : BarType
        Bars of the instrument that is held.
    quantity : float
        Signed base coin.
    buy_at : str
        ISO 8601 time; the position is opened on the first bar from then on.

    """

    bar_type: BarType
    quantity: float
    buy_at: str


class Holder(Strategy):
    """
    Open one position and keep it.

    Parameters
    ----------
    config : HolderConfig
        The configuration.

    """

    def __init__(self, config: HolderConfig) -> None:
        super().__init__(config)
        self._buy_at = int(datetime.fromisoformat(config.buy_at).timestamp()) * 1_000_000_000
        self._opened = False

    def on_start(self) -> None:
        """Subscribe to the instrument's bars."""
        self.subscribe_bars(self.config.bar_type)

    def on_bar(self, bar: Bar) -> None:
        """Open the position once the time has come."""
        if self._opened or bar.ts_init < self._buy_at:
            return
        self._opened = True
        instrument = self.cache.instrument(self.config.bar_type.instrument_id)
        order = self.order_factory.market(
            instrument_id=instrument.id,
            order_side=OrderSide.BUY if self.config.quantity > 0.0 else OrderSide.SELL,
            quantity=instrument.make_qty(abs(self.config.quantity) / instrument.multiplier.as_double()),
        )
        self.submit_order(order)
