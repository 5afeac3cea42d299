"""What paper and live runs may be told beside what a backtest may: node, simulated and real account."""

from pathlib import Path
from typing import Literal

from nautilus_trader.common.config import NautilusConfig

from oi_hedge_adapters.config import OpenInterestClientConfig
from oi_hedge_catalog.errors import ConfigError

Mode = Literal["paper", "live"]
ACCOUNT_FILE, STATE, SESSIONS, LEDGER, REPORT = "account.json", "state", "sessions", "ledger", "report"
"""Within a run's directory: simulated account, strategy's state, recorded sessions, ledger, report."""

LogLevel = Literal["DEBUG", "INFO", "WARNING", "ERROR"]


class VenueUrls(NautilusConfig, frozen=True):
    """
    Say where a venue is reached instead of at its own hosts.

    Parameters
    ----------
    http, ws : str
        Base addresses of requests and of streams; the venue's own when empty.

    """

    http: str = ""
    ws: str = ""


class NodeConfig(NautilusConfig, frozen=True):
    """
    Configure the trading node of paper and live runs.

    Parameters
    ----------
    trader_id : str
        Name and number, joined by a hyphen.
    forecast_interval_secs : float
        A forecast is made so often, and on each bar of the hedge instrument.
    bar_source : "external" or "internal"
        Whether bars come from the venue, or are made in the node from its trades.
    fills_on : "quotes" or "bars"
        What the simulated venue of a paper run matches on, and what values the hedge in between.
    log_level : str
        Of the console.
    log_directory : str
        Where log files go; none when empty.
    urls : dict of str to VenueUrls
        By venue, ``BINANCE``; for a gateway of one's own or an exchange on the loopback interface.
    open_interest : OpenInterestClientConfig
        The client that reads open interest, funding and status from every venue.
    request_look_back : bool
        Whether the venues are asked for what the look-back lacks before the first forecast: bars, open
        interest, funding.
    look_back_catalog : str
        A catalog that the look-back is filled from first; none when empty.
    redis_host, redis_port
        Nautilus's cache in Redis; none where the host is empty.
    timeout_secs : float
        For connecting, and for reconciling with the venue.

    """

    trader_id: str = "OIHEDGE-001"
    forecast_interval_secs: float = 30.0
    bar_source: Literal["external", "internal"] = "external"
    fills_on: Literal["quotes", "bars"] = "quotes"
    log_level: LogLevel = "INFO"
    log_directory: str = ""
    urls: dict[str, VenueUrls] = {}  # noqa: RUF012 - msgspec copies defaults
    open_interest: OpenInterestClientConfig = OpenInterestClientConfig()
    request_look_back: bool = True
    look_back_catalog: str = ""
    redis_host: str = ""
    redis_port: int = 6379
    timeout_secs: float = 30.0

    def check(self) -> None:
        """Raise ConfigError for the first value out of range."""
        name, _, tag = self.trader_id.partition("-")
        if not (name and tag):
            raise ConfigError(
                f"node.trader_id must be a name and a number as OIHEDGE-001, was {self.trader_id!r}"
            )
        for field in ("forecast_interval_secs", "timeout_secs"):
            if not getattr(self, field) > 0.0:
                raise ConfigError(f"node.{field} must be above 0, was {getattr(self, field)}")
        if not 0 < self.redis_port < 65536:
            raise ConfigError(f"node.redis_port must lie within 1 and 65535, was {self.redis_port}")
        for venue, urls in self.urls.items():
            _check_url(f"node.urls.{venue}.http", urls.http, ("http://", "https://"))
            _check_url(f"node.urls.{venue}.ws", urls.ws, ("ws://", "wss://"))
        try:
            self.open_interest.check()
        except ConfigError as error:
            raise ConfigError(f"node.open_interest: {error}") from error


class PaperConfig(NautilusConfig, frozen=True):
    """
    Configure a paper run: live data, simulated execution.

    Parameters
    ----------
    directory : str
        Where the ledger and the account are kept; one for each run.
    balance : float
        The simulated account's first balance in quote currency.
    months : float
        How long paper runs before real orders are advised; a month has 30 days.
    max_gap_share : float
        The share of hourly bars that the ledger may lack before its verdict is withheld.

    """

    directory: str = "paper"
    balance: float = 300_000.0
    months: float = 3.0
    max_gap_share: float = 0.02

    def check(self) -> None:
        """Raise ConfigError for the first value out of range."""
        for field in ("balance", "months"):
            if not getattr(self, field) > 0.0:
                raise ConfigError(f"paper.{field} must be above 0, was {getattr(self, field)}")
        if not 0.0 <= self.max_gap_share <= 1.0:
            raise ConfigError(f"paper.max_gap_share must lie within 0 and 1, was {self.max_gap_share}")
        if not self.directory:
            raise ConfigError("paper.directory must name a directory, was empty")


class LiveConfig(NautilusConfig, frozen=True):
    """
    Configure a live run: real orders, on the venue's testnet unless told otherwise.

    Parameters
    ----------
    directory : str
        Where the run's state is kept; one for each account.
    testnet : bool
        Whether orders go to the venue's test environment.
    exposure : "fixed" or "account"
        Whether `exposure_quantity` is what is held, or the account says: positions in `exposure_instrument`,
        or the spot balance at its venue.

    """

    directory: str = "live"
    testnet: bool = True
    exposure: Literal["fixed", "account"] = "fixed"

    def check(self) -> None:
        """Raise ConfigError for the first value out of range."""
        if not self.directory:
            raise ConfigError("live.directory must name a directory, was empty")

    def check_orders(self, real_orders: bool) -> None:
        """Raise ConfigError where orders would be real and nobody said so on the command line."""
        if not self.testnet and not real_orders:
            raise ConfigError("live.testnet is false, so that orders would be real: say so by --real-orders")


def run_directory(directory: str) -> Path:
    """Return the directory, made readable by its owner only."""
    path = Path(directory)
    path.mkdir(parents=True, exist_ok=True)
    path.chmod(0o700)
    return path


def _check_url(name: str, url: str, schemes: tuple[str, ...]) -> None:
    if url and not url.startswith(schemes):
        raise ConfigError(f"{name} must begin with {' or '.join(schemes)}, was {url!r}")
