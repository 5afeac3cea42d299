"""The scenarios: what happened or may happen, with the source of each figure."""

from dataclasses import dataclass

from oi_hedge_strategy.scenarios.shock import Shock

_KLINES = "Binance ETHUSDT mark-price klines (hourly)"
_INTEREST = "Bybit ETHUSDT open interest (hourly)"


@dataclass(frozen=True, slots=True)
class Scenario:
    """
    Name one stress test.

    Parameters
    ----------
    key : str
        Its name on the command line and in files.
    title : str
        Its name for readers.
    story : str
        What happens, in one sentence.
    source : str
        Where the figures of `shock` come from.
    shock : Shock
        What it does to a market, where it was not recorded.
    onset : str
        ISO 8601 hour at which the recorded event began; empty for one that has no date.
    hours : int
        How long it is watched after the onset.

    """

    key: str
    title: str
    story: str
    source: str
    shock: Shock
    onset: str = ""
    hours: int = 72


_BLACK_THURSDAY = (
    (-10.0, 1.157), (-9.0, 1.150), (-8.0, 1.100), (-4.0, 1.081), (-3.0, 1.034), (0.0, 1.0), (0.7, 0.740),
    (1.7, 0.876), (3.7, 0.756), (10.3, 0.825), (13.3, 0.757), (13.7, 0.604), (15.3, 0.651), (16.0, 0.575),
    (16.3, 0.518), (16.7, 0.710), (17.7, 0.819), (18.7, 0.635), (27.7, 0.828), (32.7, 0.684), (37.7, 0.811),
    (72.0, 0.727),
)  # fmt: skip
_YEN = (
    (0.0, 1.0), (5.3, 0.967), (5.7, 0.904), (7.7, 0.949), (12.7, 0.857), (13.7, 0.730), (14.7, 0.802),
    (18.7, 0.741), (25.7, 0.805), (36.7, 0.872), (49.3, 0.829), (72.0, 0.849),
)  # fmt: skip
_REBOUND = ((0.0, 1.0), (1.0, 0.575), (12.0, 0.828), (34.0, 0.811), (72.0, 0.727))

DATED = (
    Scenario(
        "2020-03", "March 2020: Black Thursday",
        "The pandemic sell-off: two legs down, a low at about half the price, and a rebound of 44 % within a "
        "day.",
        f"Price and funding: {_KLINES} and funding history of 12 to 15 March 2020; last trades printed 84 "
        "and 323 within one hour. Ethereum fell 46 % within the week (currency.com, 'Bitcoin crash not the "
        f"only issue'). No figure of ETH open interest was found: that of 5 August 2024 stands "
        f"in ({_INTEREST}).",
        Shock(
            price=_BLACK_THURSDAY,
            open_interest=((0.0, 1.0), (18.0, 0.872), (72.0, 0.850)),
            hedge_pays=((16.0, 24.0, 0.002818), (24.0, 32.0, 0.00028)),
        ),
        "2020-03-12T10:00:00+00:00",
    ),
    Scenario(
        "2021-05-19", "19 May 2021",
        "Restrictions in China: more than 40 % down within ten hours, and lower lows on the days after.",
        f"Price: {_KLINES}; funding: Binance, lowest settlement on record -0.3563 %. Deribit Insights, 'The "
        "flash crash of May 19, 2021': ETH -46 % in under 12 hours; over 8.6 bn USD liquidated (Bybt). Open "
        f"interest: {_INTEREST}, of which the unexplained jump of 19 May 15:00 is left out.",
        Shock(
            price=((-7.0, 1.106), (-4.0, 1.082), (-3.0, 1.029), (0.0, 1.0), (7.3, 0.925), (7.7, 0.795),
                   (8.7, 0.643), (9.0, 0.751), (9.3, 0.569), (9.7, 0.806),
                   (13.3, 0.942), (17.3, 0.783), (20.7, 0.696), (33.7, 0.964), (36.7, 0.834), (45.3, 0.947),
                   (65.3, 0.678), (87.7, 0.726), (104.7, 0.612), (108.7, 0.558), (113.7, 0.693),
                   (120.0, 0.690)),
            open_interest=((0.0, 1.0), (12.0, 0.80), (113.0, 0.744)),
            hedge_pays=((8.0, 16.0, 0.003563),),
        ),
        "2021-05-19T04:00:00+00:00", 120,
    ),
    Scenario(
        "2022-06", "June 2022: Celsius and Three Arrows",
        "Six days of falling prices as lenders stop withdrawals, from 1,480 to a low of 880.",
        f"Price: {_KLINES}; open interest: {_INTEREST}. ETH fell to about 897 on 18 June, more than 35 % "
        "down within the week (virtuse.com, 20 June 2022).",
        Shock(
            price=((0.0, 1.0), (7.3, 0.882), (13.3, 0.799), (18.7, 0.790), (24.7, 0.867), (30.3, 0.728),
                   (33.7, 0.843), (44.3, 0.855), (61.3, 0.686), (76.3, 0.850), (99.3, 0.711), (107.3, 0.755),
                   (131.7, 0.668), (144.7, 0.595), (158.7, 0.727), (168.0, 0.743)),
            open_interest=((0.0, 1.0), (30.0, 1.095), (76.0, 0.890), (168.0, 0.95)),
        ),
        "2022-06-12T20:00:00+00:00", 168,
    ),
    Scenario(
        "2022-11", "November 2022: FTX",
        "A squeeze of 8 % first, then a third of the price within 32 hours as an exchange fails.",
        f"Price and funding: {_KLINES} and funding history; open interest: {_INTEREST}. ETH shed about 33 % "
        "from 7 to 9 November after a 10 % pump within an hour (Cointelegraph, 'Traders take a neutral "
        "position').",
        Shock(
            price=((0.0, 1.0), (0.7, 1.080), (2.7, 0.921), (3.7, 0.840), (5.7, 0.915), (18.7, 0.778),
                   (20.7, 0.853), (29.7, 0.754), (31.7, 0.734), (33.3, 0.795), (47.3, 0.920), (49.7, 0.853),
                   (53.3, 0.919), (70.7, 0.823), (72.0, 0.861)),
            open_interest=((0.0, 1.0), (6.0, 0.806), (18.0, 0.895), (71.0, 0.781)),
            hedge_pays=((0.0, 8.0, 0.000385), (16.0, 40.0, 0.0006)),
        ),
        "2022-11-08T16:00:00+00:00",
    ),
    Scenario(
        "2023-08-17", "17 August 2023",
        "A tenth of the price within minutes out of a quiet market; the perpetual printed below every other "
        "venue.",
        f"Price: {_KLINES}; open interest: {_INTEREST}. ETH from 1,780 to 1,560 while Binance futures "
        "printed 1,430, over 1 bn USD liquidated (coin-turk.com citing Coinglass).",
        Shock(
            price=((0.0, 1.0), (1.3, 0.991), (1.7, 0.888), (2.0, 0.931), (2.7, 0.983), (12.7, 0.976),
                   (21.7, 0.946), (48.0, 0.965)),
            venue_price=((1.5, 1.0), (1.7, 0.917), (1.9, 1.0)),
            open_interest=((0.0, 1.0), (6.0, 0.907), (23.0, 0.840)),
        ),
        "2023-08-17T20:00:00+00:00", 48,
    ),
    Scenario(
        "2024-04", "April 2024",
        "Two legs within 29 hours on the attack on Israel, 18 % down.",
        f"Price: {_KLINES}; open interest: {_INTEREST}. ETH as low as 2,852, 711 M USD liquidated within "
        "four hours (Wu Blockchain, 13 April 2024); 850 M USD in all (CoinGlass).",
        Shock(
            price=((0.0, 1.0), (1.3, 0.996), (2.7, 0.902), (9.3, 0.940), (19.3, 0.960), (27.3, 0.941),
                   (28.7, 0.824), (31.3, 0.889), (35.3, 0.846), (38.7, 0.900), (55.3, 0.922), (67.3, 0.952),
                   (72.0, 0.919)),
            open_interest=((0.0, 1.0), (18.0, 0.962), (33.0, 0.914), (72.0, 0.923)),
        ),
        "2024-04-12T16:00:00+00:00",
    ),
    Scenario(
        "2024-08-05", "5 August 2024",
        "The yen carry trade unwinds: 27 % down within 14 hours.",
        f"Price: {_KLINES}; open interest: {_INTEREST}. ETH about -26 %, over 1 bn USD liquidated "
        "(cointeeth.com, 'The main culprit'); open interest of all crypto futures -15 % (Binance Square, "
        "5 August 2024).",
        Shock(price=_YEN, open_interest=((0.0, 1.0), (18.0, 0.872), (63.0, 0.850))),
        "2024-08-04T12:00:00+00:00",
    ),
    Scenario(
        "2025-10-10", "10 October 2025",
        "The largest liquidation on record: 70 % of it within 40 minutes from 20:50 UTC, on a tariff "
        "announcement.",
        "Times: Amberdata, 'How $3.21B vanished in 60 seconds' (9.9 bn USD liquidated, 6.9 bn within 40 "
        "minutes from 20:50 UTC). ETH below 4,100, 7 % under the session's high of about 4,400, by 18:51 UTC "
        "(CoinDesk); low 3,436 by the lowest source; 3,751 on the 11th and 4,166 on the 13th (CoinDesk "
        "tickers). ETH open interest from 33 to 18 bn USD, -45 % (CryptoQuant): -36 % in coins at 3,751.",
        Shock(
            price=((0.0, 1.0), (4.9, 0.930), (6.8, 0.930), (7.3, 0.781), (8.0, 0.853), (24.0, 0.853),
                   (66.0, 0.947)),
            open_interest=((6.8, 1.0), (8.0, 0.640)),
        ),
        "2025-10-10T14:00:00+00:00",
    ),
)  # fmt: skip
"""Those that happened."""

HYPOTHETICAL = (
    Scenario(
        "outage", "Exchange outage",
        "The price crashes, then the hedge venue is down for 34 hours while the price rebounds elsewhere: "
        "no fills, and the hard stop cannot fire.",
        "Length: Binance halted trading on 8 February 2018 for 34 hours (hourly klines end at 00:00 UTC and "
        "resume at 10:00 on the 9th; Financial Times, '24 hours of downtime'). Fall and rebound: "
        "13 March 2020.",
        Shock(price=_REBOUND, open_interest=((0.0, 1.0), (1.0, 0.85)), halt=(1.0, 35.0)),
    ),
    Scenario(
        "outage-squeeze", "Exchange outage in a squeeze",
        "The hedge venue is down for 34 hours while the price rises by 44 % elsewhere: a short hedge can "
        "neither be stopped nor reduced.",
        "Length: Binance on 8 February 2018 (hourly klines). Rise: the rebound of 13 March 2020, the largest "
        "within a day of all scenarios, without the fall before it.",
        Shock(price=((0.0, 1.0), (11.0, 1.440), (34.0, 1.410), (72.0, 1.264)), halt=(0.0, 34.0)),
    ),
    Scenario(
        "stuck-funding", "Stuck funding",
        "The price stands still, and the hedge pays the highest rate on record at every settlement of three "
        "days.",
        "Rate: -0.3563 % at 16:00 UTC of 19 May 2021 (Binance ETHUSDT funding history); around the Merge of "
        "September 2022 about -0.3 % (CoinDesk, 21 September 2022).",
        Shock(hedge_pays=((0.0, 72.0, 0.003563),)),
    ),
    Scenario(
        "stale-interest", "Stale open-interest feed",
        "Open interest stops being published twelve hours before a crash like that of 5 August 2024.",
        f"Price: {_KLINES} of 4 to 7 August 2024; the length of the silence is assumed.",
        Shock(price=_YEN, open_interest=((0.0, 1.0), (18.0, 0.872)), silent_interest=(-12.0, 72.0)),
    ),
    Scenario(
        "halted-liquidations", "Halted liquidations",
        "Venues suspend liquidations after the first leg of a crash: open interest stands still although the "
        "price fell, and the second leg comes when they resume.",
        "Legs: March 2020, where BitMEX was down from 02:16 to 02:40 UTC of the 13th and again later "
        "(BitMEX; Cointelegraph): the suspension of 12 hours is assumed; the open interest that "
        "goes is that of 10 October 2025.",
        Shock(price=_BLACK_THURSDAY, open_interest=((13.3, 1.0), (17.0, 0.640))),
    ),
    Scenario(
        "quote-depeg", "Depeg of the quote currency",
        "The stablecoin of collateral and prices falls to 0.85 US dollars within six hours; ETH in dollars "
        "stands still, so that the perpetual rises against a short hedge.",
        "Tether on 15 October 2018: 0.85 on Kraken at the low (degeneratechain.com; xbt.net: 0.86), 0.925 at "
        "07:00 UTC and 0.967 later that day (CoinDesk citing CoinMarketCap). On 12 May 2022 it fell to 0.95.",
        Shock(quote=((0.0, 1.0), (6.0, 0.850), (7.0, 0.920), (24.0, 0.967), (72.0, 0.980))),
    ),
    Scenario(
        "venue-flash-crash", "Flash crash of one venue only",
        "The hedge venue alone prints less than half the price of all others for some minutes.",
        "Kraken on 22 February 2021: ETH traded at 700 USD while no other exchange of the index fell below "
        "1,534 (CoinDesk, 5 March 2021).",
        Shock(venue_price=((0.3, 1.0), (0.5, 0.456), (0.7, 1.0))),
    ),
    Scenario(
        "venue-spike", "Spike of one venue only",
        "The hedge venue alone prints 2.7 times the price of all others for some minutes, against a short "
        "hedge.",
        "Binance ETHUSDT perpetual in the hour of 02:00 UTC of 13 March 2020: high 323.00, spot 120.20, mark "
        "119.47 (hourly klines).",
        Shock(venue_price=((0.3, 1.0), (0.5, 2.687), (0.7, 1.0))),
    ),
)  # fmt: skip
"""Failures of venues, feeds and currencies."""

SCENARIOS = (*DATED, *HYPOTHETICAL)
HOURS_BEFORE = 24
"""How long each is watched before its onset."""
