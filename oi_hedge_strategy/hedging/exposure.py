"""Read the trader's own exposure from a node, this strategy's positions left out."""

from nautilus_trader.cache.base import CacheFacade
from nautilus_trader.model.identifiers import StrategyId
from nautilus_trader.model.objects import Currency
from nautilus_trader.model.position import Position

from oi_hedge_catalog.errors import ConfigError
from oi_hedge_strategy.hedging.config import ExposureConfig


class ExposureReader:
    """
    Sum the configured parts of the exposure in base coin.

    Parameters
    ----------
    config : ExposureConfig
        What is hedged.
    cache : CacheFacade
        The node's cache.
    base : Currency
        The coin.
    own : StrategyId
        The hedging strategy, whose positions do not count.

    Raises
    ------
    ConfigError
        If an instrument does not exist or is of another base coin.

    """

    def __init__(self, config: ExposureConfig, cache: CacheFacade, base: Currency, own: StrategyId) -> None:
        self._config = config
        self._cache = cache
        self._base = base
        self._own = own
        for instrument_id in config.instrument_ids:
            instrument = cache.instrument(instrument_id)
            if instrument is None:
                known = ", ".join(sorted(str(each) for each in cache.instrument_ids()))
                raise ConfigError(f"exposure instrument {instrument_id} does not exist; there are: {known}")
            found = instrument.get_base_currency()
            if found != base:
                raise ConfigError(
                    f"exposure instrument {instrument_id} is of base {found}, the hedge of {base.code}"
                )

    def read(self, price: float) -> float:
        """Return the signed exposure in base coin; inverse positions are converted at `price`."""
        total = self._config.quantity
        for instrument_id in self._config.instrument_ids:
            for position in self._cache.positions_open(instrument_id=instrument_id):
                if position.strategy_id != self._own:
                    total += base_quantity(position, price)
        for venue in self._config.balance_venues:
            account = self._cache.account_for_venue(venue)
            balance = account.balance_total(self._base) if account is not None else None
            if balance is not None:
                total += balance.as_double()
        return total


def base_quantity(position: Position, price: float) -> float:
    """Return a position's signed quantity in base coin."""
    quantity: float = position.signed_qty * float(position.multiplier)
    return quantity / price if position.is_inverse else quantity
