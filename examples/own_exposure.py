"""What is hedged: a fixed quantity, a spot balance, positions, or the sum of them.

``python examples/own_exposure.py`` prints the three as the JSON that a strategy's ``config`` takes.
"""

from nautilus_trader.model.identifiers import InstrumentId, Venue

from oi_hedge_strategy.hedging.config import ExposureConfig

# Ten ETH in cold storage: nothing in the node says so, and nothing changes it.
IN_COLD_STORAGE = ExposureConfig(quantity=10.0)

# Whatever ETH the account at a spot venue of the node holds, read anew at every decision.
AT_A_SPOT_VENUE = ExposureConfig(balance_venues=(Venue("BINANCE_SPOT"),))

# The net position of your other strategies in these instruments; the hedge's own is left out. The hedge
# instrument itself must not be among them: a venue nets both, and orders would move what is to be hedged.
OF_OTHER_STRATEGIES = ExposureConfig(instrument_ids=(InstrumentId.from_str("ETHUSDT-LINEAR.BYBIT"),))

EXPOSURES = {
    "fixed quantity": IN_COLD_STORAGE,
    "spot balance": AT_A_SPOT_VENUE,
    "positions": OF_OTHER_STRATEGIES,
}

if __name__ == "__main__":
    for name, exposure in EXPOSURES.items():
        print(f"{name}: {exposure.json().decode()}")
