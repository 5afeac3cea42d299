"""Options and wallets in a real trading node, from a loopback server and a real Ethereum node."""

import time

import pytest
from aiohttp import web
from fakes.server import FakeExchanges
from nautilus_trader.model.data import DataType
from nautilus_trader.model.identifiers import InstrumentId
from support.ethereum_node import ETH, running_node
from support.live_node import CLIENT, Listener, ListenerConfig, LiveNode, run_live, until

from oi_hedge_adapters.config import OpenInterestClientConfig
from oi_hedge_adapters.connection import RefusedError
from oi_hedge_adapters.ethereum_rpc import URL_VARIABLE
from oi_hedge_adapters.feed_status import FeedStatus
from oi_hedge_adapters.unlisted import unlisted_reading
from oi_hedge_catalog import OptionsOpenInterest, WalletConcentration
from oi_hedge_catalog.types import options_id, wallet_id

pytest.importorskip("ccxt")

OPTIONS, WALLETS, WHALES = options_id("ETH"), wallet_id("ETH"), wallet_id("ETH", "whale")
A, B = (f"0x{digit * 40}" for digit in "ab")
TEXT = f'coin = "ETH"\n[groups]\nexchange = ["{A}"]\nwhale = ["{B}"]\n'


class InputListener(Listener):
    def on_start(self):
        for kind, instrument_id in (
            (OptionsOpenInterest, OPTIONS),
            (WalletConcentration, WALLETS),
            (FeedStatus, OPTIONS),
            (FeedStatus, WALLETS),
        ):
            self.subscribe_data(DataType(kind), client_id=CLIENT, instrument_id=instrument_id)


def listener():
    return InputListener(ListenerConfig(instrument_ids=()))


def summary(interest):
    return {
        "instrument_name": "ETH-29DEC28-2000-C",
        "open_interest": interest,
        "estimated_delivery_price": 2000.0,
        "creation_timestamp": time.time_ns() // 1_000_000,
    }


async def serve(answers):
    """Serve `answers` in turn, the last one again and again; return what stops it, and its address."""
    asked = 0

    async def answer(request):
        nonlocal asked
        asked += 1
        found = answers[min(asked, len(answers)) - 1]
        return web.Response(status=found) if isinstance(found, int) else web.json_response(found())

    app = web.Application()
    app.router.add_get("/api/v2/public/get_book_summary_by_currency", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    return runner.cleanup, "http://{}:{}".format(*runner.addresses[0][:2])


def test_options_are_polled_through_faults_and_published():
    ears = listener()

    async def scenario():
        body = {"result": []}
        stop, url = await serve([429, lambda: body, lambda: {"result": [summary(7.0)]}])
        settings = {"base_urls": {"deribit": url}, "options_secs": 0.1}
        async with LiveNode(FakeExchanges(), [ears], **settings) as node:
            await until(lambda: len(ears.of(OptionsOpenInterest, OPTIONS)) >= 2)
            assert node.client.feeds["options", OPTIONS].counts.failures == 2
            ears.unsubscribe_data(DataType(OptionsOpenInterest), client_id=CLIENT, instrument_id=OPTIONS)
            await until(lambda: ("options", OPTIONS) not in node.client.feeds)
        await stop()

    run_live(scenario)
    first, second, *_ = ears.of(OptionsOpenInterest, OPTIONS)
    assert first.quantities == [7.0]
    assert first.ts_event < second.ts_event
    assert first.ts_event <= first.ts_init


def test_wallets_are_read_from_the_node_that_the_environment_names(tmp_path, monkeypatch):
    path = tmp_path / "wallets.toml"
    path.write_text(TEXT)
    ears = listener()

    with running_node() as chain:
        monkeypatch.setenv(URL_VARIABLE, chain.url)
        chain.send(A, 3 * ETH)
        chain.send(B, ETH)
        chain.mine(int(time.time()) - 30)

        async def scenario():
            async with LiveNode(
                FakeExchanges(), [ears], wallet_file=str(path), wallets_secs=0.1, base_urls={}
            ):
                await until(lambda: ears.of(WalletConcentration, WALLETS))
                chain.send(B, 2 * ETH)
                chain.mine(int(time.time()) - 5)
                await until(lambda: len(ears.of(WalletConcentration, WALLETS)) == 2)

        run_live(scenario)
    first, second = ears.of(WalletConcentration, WALLETS)
    assert (first.herfindahl, first.block) == (0.625, 1)
    assert (second.herfindahl, second.block) == (0.5, 2)
    assert ears.of(WalletConcentration, WHALES) == []


@pytest.mark.parametrize(
    ("kind", "instrument_id", "settings", "message"),
    [
        (
            OptionsOpenInterest,
            "ETHUSDT-PERP.BINANCE",
            {},
            "is no options chain, expected .* ETH-OPTIONS.DERIBIT",
        ),
        (WalletConcentration, "ETH.ETHEREUM", {}, "wallet_file names no file"),
        (WalletConcentration, "ETH.ETHEREUM", {"wallet_file": "none.toml"}, "none.toml does not exist"),
        (
            WalletConcentration,
            "ETH-POOL.ETHEREUM",
            {"wallet_file": True},
            "is not in .* which has ETH.ETHEREUM, ETH-EX",
        ),
    ],
)
def test_what_cannot_be_read_is_refused(tmp_path, monkeypatch, kind, instrument_id, settings, message):
    monkeypatch.setenv(URL_VARIABLE, "http://127.0.0.1:9")
    path = tmp_path / "wallets.toml"
    path.write_text(TEXT)
    settings = {name: str(path) if value is True else value for name, value in settings.items()}

    with pytest.raises(RefusedError, match=message):
        unlisted_reading(
            kind, InstrumentId.from_str(instrument_id), OpenInterestClientConfig(**settings), time.time_ns
        )


def test_wallets_without_a_node_are_refused_and_announced(tmp_path, monkeypatch):
    monkeypatch.delenv(URL_VARIABLE, raising=False)
    path = tmp_path / "wallets.toml"
    path.write_text(TEXT)
    ears = listener()

    async def scenario():
        stop, url = await serve([lambda: {"result": [summary(7.0)]}])
        settings = {"base_urls": {"deribit": url}, "wallet_file": str(path)}
        async with LiveNode(FakeExchanges(), [ears], **settings):
            await until(lambda: ears.of(FeedStatus, WALLETS))
        await stop()

    run_live(scenario)
    (status,) = ears.of(FeedStatus, WALLETS)
    assert status.stale
    assert "ETHEREUM_RPC_URL is not set" in status.reason
