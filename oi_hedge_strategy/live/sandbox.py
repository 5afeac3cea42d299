"""Nautilus's sandbox with our fill model, funding, liquidation and latency, and an account that survives."""

import asyncio
from decimal import Decimal
from pathlib import Path

from nautilus_trader.adapters.sandbox.config import SandboxExecutionClientConfig
from nautilus_trader.adapters.sandbox.execution import SandboxExecutionClient
from nautilus_trader.backtest.config import BacktestVenueConfig
from nautilus_trader.backtest.engine import SimulatedExchange
from nautilus_trader.backtest.execution_client import BacktestExecClient
from nautilus_trader.backtest.models import MakerTakerFeeModel
from nautilus_trader.backtest.node import get_fee_model, get_fill_model, get_margin_model
from nautilus_trader.cache.cache import Cache
from nautilus_trader.common.component import LiveClock, MessageBus, TestClock
from nautilus_trader.common.config import ActorFactory
from nautilus_trader.common.providers import InstrumentProvider
from nautilus_trader.core.data import Data
from nautilus_trader.core.uuid import UUID4
from nautilus_trader.execution.messages import GeneratePositionStatusReports, SubmitOrder, TradingCommand
from nautilus_trader.execution.reports import PositionStatusReport
from nautilus_trader.live.execution_client import LiveExecutionClient
from nautilus_trader.live.factories import LiveExecClientFactory
from nautilus_trader.model.data import Bar, FundingRateUpdate, QuoteTick, TradeTick
from nautilus_trader.model.enums import AccountType, OmsType, PositionSide
from nautilus_trader.model.identifiers import AccountId, ClientId, InstrumentId, Venue
from nautilus_trader.model.objects import Money
from nautilus_trader.portfolio import PortfolioFacade

from oi_hedge_catalog.errors import ConfigError
from oi_hedge_strategy.live.alerts import TROUBLE_TOPIC
from oi_hedge_strategy.live.sandbox_account import AccountRecord, HeldPosition, read_account, write_account

MATCH_PRIORITY = 50
"""Message bus priority at which the venue takes in data: before liquidation, fills and strategies."""
_RETRY_SECS = 1.0


class PaperSandboxConfig(SandboxExecutionClientConfig, frozen=True, kw_only=True):
    """
    Configure a `PaperSandboxClient`.

    Parameters
    ----------
    account_file : str
        Where the account is kept.
    simulation : BacktestVenueConfig
        The venue as a backtest simulates it: fills, fees, funding, liquidation, margin.
        Its latency must be 0.
    latency_ms : float
        From sending a message to its arrival at the simulated venue, in real time.

    """

    account_file: str
    simulation: BacktestVenueConfig
    latency_ms: float = 200.0


class PaperSandboxClient(SandboxExecutionClient):
    """
    Simulate one derivatives venue on live data.

    Orders meet the market as it is when their latency has passed. Balance and positions are written after
    every change; a later client with the same file carries on with them.

    Parameters
    ----------
    loop, portfolio, msgbus, cache, clock
        Nautilus's.
    config : PaperSandboxConfig
        The configuration.

    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        portfolio: PortfolioFacade,
        msgbus: MessageBus,
        cache: Cache,
        clock: LiveClock,
        config: PaperSandboxConfig,
    ) -> None:
        self.test_clock = TestClock()
        self._path, self._latency = Path(config.account_file), config.latency_ms / 1e3
        self._before = read_account(self._path)
        self._saving = self._unsaved = False
        LiveExecutionClient.__init__(
            self,
            loop=loop,
            client_id=ClientId(config.venue),
            venue=Venue(config.venue),
            oms_type=OmsType.NETTING,
            account_type=AccountType.MARGIN,
            base_currency=None,
            instrument_provider=InstrumentProvider(),
            msgbus=msgbus,
            cache=cache,
            clock=clock,
            config=None,
        )
        self._set_account_id(AccountId(f"{config.venue}-001"))
        self.test_clock.set_time(clock.timestamp_ns())
        self.exchange = self._make_exchange(portfolio, msgbus, cache, config)
        self._client = BacktestExecClient(self.exchange, msgbus, cache, self.test_clock)
        self.exchange.register_client(self._client)
        self.exchange.initialize_account()

    def _make_exchange(
        self, portfolio: PortfolioFacade, msgbus: MessageBus, cache: Cache, config: PaperSandboxConfig
    ) -> SimulatedExchange:
        simulation = config.simulation
        balances = self._before.balances if self._before is not None else config.starting_balances
        return SimulatedExchange(
            venue=Venue(config.venue),
            oms_type=OmsType.NETTING,
            account_type=AccountType.MARGIN,
            starting_balances=[Money.from_str(each) for each in balances],
            base_currency=None,
            default_leverage=Decimal(config.default_leverage),
            leverages={},
            modules=[ActorFactory.create(module) for module in simulation.modules or ()],
            portfolio=portfolio,
            msgbus=msgbus,
            cache=cache,
            clock=self.test_clock,
            fill_model=get_fill_model(simulation),
            fee_model=get_fee_model(simulation) or MakerTakerFeeModel(),
            margin_model=get_margin_model(simulation),
            bar_execution=config.bar_execution,
            trade_execution=config.trade_execution,
            use_message_queue=False,
        )

    def connect(self) -> None:
        """Take in the venue's market data before anything else does, and watch the account."""
        venue = self.venue
        for topic in (
            f"data.bars.*.{venue}-*",
            f"data.quotes.{venue}.*",
            f"data.trades.{venue}.*",
            f"data.funding_rates.{venue}.*",
        ):
            self._msgbus.subscribe(topic, self.on_data, priority=MATCH_PRIORITY)
        self._msgbus.subscribe("events.position.*", self._on_change)
        self._msgbus.subscribe("events.account.*", self._on_change)
        self._client._set_connected(True)
        self._set_connected(True)
        self._log.info("Connected")

    def disconnect(self) -> None:
        """Write the account and stop."""
        if self._saving:
            self._save()
        self._set_connected(False)
        self._log.info("Disconnected")

    def on_data(self, data: Data) -> None:
        """Let the venue take in market data, and its modules settle what has come due."""
        if isinstance(data, QuoteTick):
            self.exchange.process_quote_tick(data)
        elif isinstance(data, TradeTick):
            self.exchange.process_trade_tick(data)
        elif isinstance(data, Bar):
            self.exchange.process_bar(data)
        elif not isinstance(data, FundingRateUpdate):
            return
        self.exchange.process(max(data.ts_init, self.test_clock.timestamp_ns()))

    # Orders

    def submit_order(self, command: SubmitOrder) -> None:
        """Submit at once; the order arrives after the latency."""
        self.test_clock.set_time(max(self._clock.timestamp_ns(), self.test_clock.timestamp_ns()))
        self._client.generate_order_submitted(
            strategy_id=command.strategy_id,
            instrument_id=command.instrument_id,
            client_order_id=command.order.client_order_id,
            ts_event=self._clock.timestamp_ns(),
        )
        self._send(command)

    def submit_order_list(self, command: TradingCommand) -> None:
        """Refuse: the strategy sends single orders."""
        raise ConfigError(f"the simulated venue {self.venue} takes single orders, found a list")

    def modify_order(self, command: TradingCommand) -> None:
        """Send after the latency."""
        self._send(command)

    def cancel_order(self, command: TradingCommand) -> None:
        """Send after the latency."""
        self._send(command)

    def cancel_all_orders(self, command: TradingCommand) -> None:
        """Send after the latency."""
        self._send(command)

    def _send(self, command: TradingCommand) -> None:
        if self._latency > 0.0:
            self._loop.call_later(self._latency, self._arrive, command)
        else:
            self._arrive(command)

    def _arrive(self, command: TradingCommand) -> None:
        if command.instrument_id not in self.exchange.instruments:
            self.exchange.add_instrument(self._cache.instrument(command.instrument_id))
        self.test_clock.set_time(max(self._clock.timestamp_ns(), self.test_clock.timestamp_ns()))
        self.exchange.send(command)

    # The account over a restart

    async def generate_position_status_reports(
        self, command: GeneratePositionStatusReports
    ) -> list[PositionStatusReport]:
        """Return what was open when the account was last written, or what is open now."""
        now = self._clock.timestamp_ns()
        reports = []
        for each in self._positions():
            instrument_id, quantity = InstrumentId.from_str(each.instrument_id), Decimal(each.quantity)
            instrument = self._cache.instrument(instrument_id)
            if instrument is None:
                raise ConfigError(
                    f"{self._path} holds a position in {instrument_id}, which this run does not load; name "
                    "it as hedge_instrument, or move the file away to begin anew"
                )
            reports.append(
                PositionStatusReport(
                    account_id=self.account_id,
                    instrument_id=instrument_id,
                    position_side=PositionSide.LONG if quantity > 0 else PositionSide.SHORT,
                    quantity=instrument.make_qty(abs(quantity)),
                    report_id=UUID4(),
                    ts_last=now,
                    ts_init=now,
                    avg_px_open=Decimal(each.average_price),
                )
            )
        return reports

    def _on_change(self, event: object) -> None:
        """Write the account when all events of this moment have been taken in."""
        if not self._saving:
            self._saving = True
            self._loop.call_soon(self._save)

    def _save(self) -> None:
        self._saving = False
        account = self.exchange.get_account()
        if account is None:
            return
        balances = tuple(str(each) for each in account.balances_total().values())
        record = AccountRecord(balances, self._positions(), self._clock.timestamp_ns())
        try:
            write_account(self._path, record)
        except OSError as error:
            text = f"the account is not saved: {error.strerror or error}; a restart would lack what follows"
            self._tell(True, text)
            self._saving = True
            self._loop.call_later(_RETRY_SECS, self._save)
            return
        self._tell(False, "the account is saved again")

    def _tell(self, failed: bool, text: str) -> None:
        """Say once that the account cannot be written, and once that it can be again."""
        if failed != self._unsaved:
            self._unsaved = failed
            self._log.warning(text)
            self._msgbus.publish(TROUBLE_TOPIC, ("recording", "account", failed, text))

    def _positions(self) -> tuple[HeldPosition, ...]:
        """Return what is open; what was, until the node has taken it up again."""
        if self._before is not None and not self._cache.positions(venue=self.venue):
            return self._before.positions
        return tuple(
            HeldPosition(str(each.instrument_id), str(each.signed_decimal_qty()), str(each.avg_px_open))
            for each in self._cache.positions_open(venue=self.venue)
        )


class SandboxLiveExecClientFactory(LiveExecClientFactory):
    """Make a `PaperSandboxClient`; Nautilus hands over the portfolio to a factory of this name only."""

    @staticmethod
    def create(  # type: ignore[override]
        loop: asyncio.AbstractEventLoop,
        name: str,
        config: PaperSandboxConfig,
        portfolio: PortfolioFacade,
        msgbus: MessageBus,
        cache: Cache,
        clock: LiveClock,
    ) -> PaperSandboxClient:
        """Make the client."""
        return PaperSandboxClient(loop, portfolio, msgbus, cache, clock, config)
