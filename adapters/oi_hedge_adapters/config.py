"""The configuration of the live data client."""

import msgspec
from nautilus_trader.config import LiveDataClientConfig, PositiveFloat

from oi_hedge_adapters.venues import ROWS, find_row
from oi_hedge_catalog.errors import ConfigError


class OpenInterestClientConfig(LiveDataClientConfig, frozen=True):
    """
    Configure an `OpenInterestDataClient`.

    Parameters
    ----------
    cadence_secs : dict of str to float
        Seconds between two readings of open interest where they shall differ from the venue table, by the
        key of a row, ``binance-linear``.
    funding_secs, long_short_secs, liquidation_secs, status_secs : float
        Seconds between two readings of what has no stream at a venue.
    options_secs, wallets_secs : float
        Seconds between two readings of a coin's options and of a set of wallets.
    wallet_file : str
        TOML file with the addresses of the wallets, see docs/inputs.md; the environment variable
        ETHEREUM_RPC_URL names the node.
    stale_after_secs : float
        A feed whose last value is older is announced as stale.
    frozen_after_secs : float
        The same where new messages come but the open interest in them has not changed for so long.
    max_clock_skew_secs : float
        How far a venue's clock may be ahead of ours; a value beyond it is not published.
    timeout_secs : float
        How long one request may take.
    backoff_initial_secs, backoff_max_secs : float
        First and longest pause after a failure; it doubles from one to the other, with jitter.
    base_urls : dict of str to str
        Where the exchange is asked instead of its own host, by ccxt's name of it, ``binanceusdm``.
    """

    cadence_secs: dict[str, PositiveFloat] = msgspec.field(default_factory=dict)
    funding_secs: PositiveFloat = 60.0
    long_short_secs: PositiveFloat = 60.0
    liquidation_secs: PositiveFloat = 10.0
    status_secs: PositiveFloat = 60.0
    options_secs: PositiveFloat = 300.0
    wallets_secs: PositiveFloat = 3600.0
    wallet_file: str = ""
    stale_after_secs: PositiveFloat = 60.0
    frozen_after_secs: PositiveFloat = 900.0
    max_clock_skew_secs: PositiveFloat = 5.0
    timeout_secs: PositiveFloat = 10.0
    backoff_initial_secs: PositiveFloat = 1.0
    backoff_max_secs: PositiveFloat = 60.0
    base_urls: dict[str, str] = msgspec.field(default_factory=dict)

    def check(self) -> None:
        """
        Check what the types cannot.

        Raises
        ------
        ConfigError
            For an unknown venue, an address or a duration that is none, or pauses in the wrong order.
        """
        for key in self.cadence_secs:
            find_row(key)
        durations = {name: getattr(self, name) for name in self.__struct_fields__ if name.endswith("_secs")}
        durations |= {f"cadence_secs.{key}": value for key, value in durations.pop("cadence_secs").items()}
        for name, value in durations.items():
            if not value > 0.0:
                raise ConfigError(f"{name} must be above 0 seconds, was {value}")
        known = {row.ccxt_id for row in ROWS if row.ccxt_id}
        for name, url in self.base_urls.items():
            if name not in known:
                raise ConfigError(f"base_urls names {name!r}, expected one of {', '.join(sorted(known))}")
            if not url.startswith(("http://", "https://")):
                raise ConfigError(f"base_urls.{name} must begin with http:// or https://, was {url!r}")
        if self.backoff_max_secs < self.backoff_initial_secs:
            raise ConfigError(
                f"backoff_max_secs {self.backoff_max_secs} is below backoff_initial_secs "
                f"{self.backoff_initial_secs}"
            )
