"""The market of one asset over all venues, fed one event at a time."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite, log, nan
from typing import Any

import numpy as np
from numpy.typing import NDArray

from oi_hedge_strategy.state.asof import AsOfSampler
from oi_hedge_strategy.state.flow import NEVER, HourlyFlow
from oi_hedge_strategy.state.liquidation_map import LiquidationMap
from oi_hedge_strategy.state.plausibility import InterestGuard, InterestLimits, Verdict
from oi_hedge_strategy.state.schema import CHANNELS, MAX_FIELDS, NANOSECONDS_PER_HOUR, StateSchema, Stream

Singles = NDArray[np.float32]
_MINUTES_PER_8H = 480.0
_WEEK_NS = 7 * 24 * NANOSECONDS_PER_HOUR
_FIRST_MONDAY_NS = 4 * 24 * NANOSECONDS_PER_HOUR
LIQUIDATION_FLOOR = 1e-6
"""Added to the share of open interest that was liquidated, so that an hour without any has a logarithm."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """
    Hold what was known at a moment; the arrays are reused by the next sample.

    Parameters
    ----------
    values : float32 array, shape (1, venues, channels, offsets)
        Raw as-of samples (log levels, rates), zero where masked.
    mask : float32 array, shape (1, venues, channels, offsets)
        1 where a value was known and not too old.
    age : float32 array, shape (1, venues, channels, offsets)
        Hours from the value to the moment it stands for, zero where masked.
    liquidation_map : float32 array, shape (1, sides, bands)
        Positions that would be liquidated over aggregate open interest; longs below, shorts above.
    clock : float32 array, shape (1, 2)
        Hours since midnight and since Monday's midnight, UTC.

    """

    values: Singles
    mask: Singles
    age: Singles
    liquidation_map: Singles
    clock: Singles

    def copy(self) -> "Snapshot":
        """Return a snapshot that the next sample leaves alone."""
        return Snapshot(*(getattr(self, name).copy() for name in self.__slots__))


class MarketState:
    """
    Keep what is known of one asset and sample it as a model wants it.

    The strategy feeds it from the bus, the training data set by replay. Events must come in the order of
    time; those of equal time may come in any order.

    Parameters
    ----------
    schema : StateSchema
        Venues, channels and offsets.
    limits : InterestLimits
        Which open interest is held back.

    """

    def __init__(self, schema: StateSchema, limits: InterestLimits | None = None) -> None:
        self.schema = schema
        self._max_age_ns = int(schema.max_age_hours * NANOSECONDS_PER_HOUR)
        self._guard = InterestGuard(limits or InterestLimits(), self._max_age_ns)
        self._venues = {venue: slot for slot, venue in enumerate(schema.venues)}
        self._sampler = AsOfSampler(MAX_FIELDS, schema.offsets_ns, int(schema.resolution_seconds * 1e9))
        self._rows: dict[tuple[int, Stream], int] = {}
        self._pending: list[tuple[Stream, int, tuple[float, ...]]] = []
        self._pending_ts = -1
        self._maps: dict[int, LiquidationMap] = {}
        self._spot: dict[int, tuple[int, float]] = {}
        self._interest: dict[int, tuple[int, float]] = {}
        self._flows: dict[int, HourlyFlow] = {}
        self._next_expiry = NEVER
        self._targets = (np.zeros(0, np.int64),) * 3
        venues, channels, offsets = schema.shape
        bands = len(schema.liquidation_map.bands) - 1
        self._values, self._mask, self._age = np.zeros((3, venues * channels, offsets), np.float32)
        shape = (1, *schema.shape)
        self._snapshot = Snapshot(
            self._values.reshape(shape),
            self._mask.reshape(shape),
            self._age.reshape(shape),
            np.zeros((1, 2, bands), np.float32),
            np.zeros((1, 2), np.float32),
        )

    def update_bar(
        self, venue: str, spot: bool, ts: int, high: float, low: float, close: float, volume: float
    ) -> None:
        """Take in a bar known at `ts`; prices in USD, volume in base coin."""
        fields = (high, low, close, volume)
        self._put(ts, Stream.SPOT if spot else Stream.PERPETUAL, venue, fields)

    def update_open_interest(self, venue: str, ts: int, quantity: float) -> None:
        """
        Take in one-sided open interest in base coin known at `ts`.

        A value too far from the venue's last is held back, as `InterestLimits` says: the last one stays, and
        ages. One that is back ends that; a level that lasts is believed, and what was known of the venue's
        open interest before it, on another scale, is masked from then on.
        """
        self._put(ts, Stream.OPEN_INTEREST, venue, (quantity,))

    def update_funding(self, venue: str, ts: int, rate: float, interval_minutes: float) -> None:
        """Take in a funding rate per its own interval known at `ts`."""
        self._put(ts, Stream.FUNDING, venue, (rate * _MINUTES_PER_8H / interval_minutes,))

    def update_long_short_ratio(self, venue: str, ts: int, ratio: float) -> None:
        """Take in long over short accounts known at `ts`."""
        self._put(ts, Stream.LONG_SHORT_RATIO, venue, (ratio,))

    def update_liquidations(self, venue: str, ts: int, long_quantity: float, short_quantity: float) -> None:
        """
        Take in long and short positions that were liquidated, in base coin, known at `ts`.

        The channels hold the logarithm of `LIQUIDATION_FLOOR` plus what was liquidated in the last sixty
        clock minutes over the venue's open interest. They are known from the first event on, change with
        each event and whenever a minute leaves the hour, and are masked where open interest is not known.
        """
        self._put(ts, Stream.LIQUIDATIONS, venue, (long_quantity, short_quantity))

    def update_options_open_interest(self, venue: str, ts: int, put_call_ratio: float) -> None:
        """Take in the put/call ratio of options open interest known at `ts`."""
        self._put(ts, Stream.OPTIONS_OPEN_INTEREST, venue, (put_call_ratio,))

    def update_wallet_concentration(self, venue: str, ts: int, herfindahl: float) -> None:
        """Take in the Herfindahl index of a chain's wallets known at `ts`."""
        self._put(ts, Stream.WALLET_CONCENTRATION, venue, (herfindahl,))

    def sample(self, now: int) -> Snapshot:
        """
        Return what was known at `now`.

        Raises
        ------
        ValueError
            If `now` is before the last event or sample.

        """
        self._flush()
        self._expire(now)
        out = self._snapshot
        if self._rows:
            rows, fields, targets = self._targets
            values, ages = self._sampler.sample(now, rows, fields)
            hours = ages * (1.0 / NANOSECONDS_PER_HOUR)
            known = np.isfinite(values) & (hours <= self.schema.max_age_hours)
            values[~known] = 0.0
            self._values[targets] = values
            self._mask[targets] = known
            self._age[targets] = hours * known
        out.liquidation_map[0] = self.liquidation_density()
        out.clock[0] = clock_hours(now)
        return out

    @property
    def open_interest_ts(self) -> int:
        """Return when the freshest open interest that was not held back became known, -1 before the first."""
        self._flush()
        return max((ts for ts, _ in self._interest.values()), default=-1)

    @property
    def held_back(self) -> dict[str, tuple[float, float]]:
        """Return the open interest that is held back, and the last that was not, by venue."""
        self._flush()
        names = self.schema.venues
        return {
            names[slot]: (level, self._interest[slot][1]) for slot, (_, level) in self._guard.held.items()
        }

    def liquidation_density(self) -> NDArray[np.float64]:
        """Return positions that would be liquidated over aggregate open interest, shape (2, bands)."""
        self._flush()
        density = np.zeros(self._snapshot.liquidation_map.shape[1:])
        total = 0.0
        for each in self._maps.values():
            if each.open_interest > 0.0:
                density += each.density()
                total += each.open_interest
        return density / total if total > 0.0 else density

    def save(self) -> dict[str, NDArray[Any]]:
        """Return copies of everything known by dotted name, from which `restore` makes an equal state."""
        rows = [(slot, stream) for slot, stream in self._rows]
        latest = {
            "spot": [(slot, ts, value) for slot, (ts, value) in self._spot.items()],
            "interest": [(slot, ts, value) for slot, (ts, value) in self._interest.items()],
        }
        pending = [(stream, slot, *fields) for stream, slot, fields in self._pending]
        width = [len(fields) for _, _, fields in self._pending]
        found = {
            "rows": np.array(rows, np.int64).reshape(-1, 2),
            "times": np.array([self._pending_ts, self._next_expiry], np.int64),
            "pending": np.array([(*each, *(nan,) * (6 - len(each))) for each in pending]).reshape(-1, 6),
            "pending_width": np.array(width, np.int64),
            "maps": np.array(list(self._maps), np.int64),
            "flows": np.array(list(self._flows), np.int64),
        }
        for name, values in latest.items():
            found[f"{name}.known"] = np.array([each[:2] for each in values], np.int64).reshape(-1, 2)
            found[f"{name}.value"] = np.array([each[2] for each in values], np.float64)
        found |= {f"guard.{name}": each for name, each in self._guard.save().items()}
        found |= {f"sampler.{name}": each for name, each in self._sampler.save().items()}
        for slot, levels in self._maps.items():
            found |= {f"map.{slot}.{name}": each for name, each in levels.save().items()}
        return found | {f"flow.{slot}": flow.save() for slot, flow in self._flows.items()}

    def restore(self, saved: Mapping[str, NDArray[Any]]) -> None:
        """Become the state that `save` was called on, of the same schema; every later sample is bit-equal."""
        self._pending_ts, self._next_expiry = (int(each) for each in saved["times"])
        self._pending = [
            (Stream(int(each[0])), int(each[1]), tuple(each[2 : 2 + width]))
            for each, width in zip(saved["pending"].tolist(), saved["pending_width"].tolist(), strict=True)
        ]
        self._guard.restore(_below(saved, "guard."))
        self._sampler.restore(_below(saved, "sampler."))
        self._rows = {(slot, Stream(each)): row for row, (slot, each) in enumerate(saved["rows"].tolist())}
        if self._rows:
            self._map_channels()
        self._spot, self._interest = (
            {
                slot: (ts, value)
                for (slot, ts), value in zip(
                    saved[f"{name}.known"].tolist(), saved[f"{name}.value"].tolist(), strict=True
                )
            }
            for name in ("spot", "interest")
        )
        self._maps.clear()
        self._flows.clear()
        for slot in saved["maps"].tolist():
            self._map(slot).restore(_below(saved, f"map.{slot}."))
        for slot in saved["flows"].tolist():
            self._flows.setdefault(slot, HourlyFlow()).restore(saved[f"flow.{slot}"])

    def _put(self, ts: int, stream: Stream, venue: str, fields: tuple[float, ...]) -> None:
        if ts != self._pending_ts:
            if ts < self._pending_ts:
                raise ValueError(f"expected events in the order of time, was {ts} after {self._pending_ts}")
            self._flush()
            self._pending_ts = ts
        self._pending.append((stream, self._venues[venue], fields))

    def _flush(self) -> None:
        if not self._pending:
            return
        self._expire(self._pending_ts)
        if len(self._pending) > 1:
            self._pending.sort(key=lambda event: event[:2])
        for stream, slot, fields in self._pending:
            self._apply(stream, slot, self._pending_ts, fields)
        self._pending.clear()

    def _apply(self, stream: Stream, slot: int, ts: int, fields: tuple[float, ...]) -> None:
        if stream is Stream.PERPETUAL:
            high, low, close, volume = fields
            self._map(slot).update_bar(high, low, close)
            fields = (log(close), log(high / low), _log_or_nan(volume), self._basis(slot, ts, close))
        elif stream is Stream.SPOT:
            close = fields[2]
            self._spot[slot] = ts, close
            fields = (log(close),)
        elif stream is Stream.OPEN_INTEREST:
            if not self._believe(slot, ts, fields[0]):
                return
            fields = (_log_or_nan(fields[0]),)
        elif stream is Stream.LIQUIDATIONS:
            flow = self._flows.setdefault(slot, HourlyFlow())
            flow.add(ts, *fields)
            self._next_expiry = min(self._next_expiry, flow.expires)
            fields = self._liquidated(slot, ts, flow)
        elif stream in (Stream.LONG_SHORT_RATIO, Stream.OPTIONS_OPEN_INTEREST):
            fields = (_log_or_nan(fields[0]),)
        self._sampler.append(self._row(slot, stream), ts, fields)

    def _believe(self, slot: int, ts: int, quantity: float) -> bool:
        """Take open interest into the venue's map, and return whether it is believed."""
        verdict = self._guard.judge(slot, ts, quantity, self._interest.get(slot))
        if verdict is Verdict.HELD_BACK:
            return False
        if verdict is Verdict.CONFIRMED:
            self._map(slot).rebase(ts, quantity)
            self._sampler.forget(self._row(slot, Stream.OPEN_INTEREST))
        else:
            self._map(slot).update_open_interest(ts, quantity)
        self._interest[slot] = ts, quantity
        return True

    def _basis(self, slot: int, ts: int, price: float) -> float:
        """Return log perpetual over spot of the same venue, NaN where no fresh spot price is known."""
        known_at, spot = self._spot.get(slot, (-1, nan))
        fresh = known_at >= 0 and ts - known_at <= NANOSECONDS_PER_HOUR
        return log(price / spot) if fresh else nan

    def _expire(self, now: int) -> None:
        """Note the liquidations of the last hour anew at each moment up to `now` when a minute leaves it."""
        while self._next_expiry <= now:
            ts = self._next_expiry
            for slot, flow in self._flows.items():
                if flow.expires == ts:
                    flow.expire()
                    fields = self._liquidated(slot, ts, flow)
                    self._sampler.append(self._row(slot, Stream.LIQUIDATIONS), ts, fields)
            self._next_expiry = min(flow.expires for flow in self._flows.values())

    def _liquidated(self, slot: int, ts: int, flow: HourlyFlow) -> tuple[float, float]:
        """Return the log of long and short liquidations over open interest, NaN where that is not known."""
        known_at, interest = self._interest.get(slot, (-1, nan))
        if known_at < 0 or not interest > 0.0 or ts - known_at > self._max_age_ns:
            return nan, nan
        longs, shorts = flow.sums
        return log(LIQUIDATION_FLOOR + longs / interest), log(LIQUIDATION_FLOOR + shorts / interest)

    def _map(self, slot: int) -> LiquidationMap:
        found = self._maps.get(slot)
        if found is None:
            found = self._maps[slot] = LiquidationMap(self.schema.liquidation_map)
        return found

    def _row(self, slot: int, stream: Stream) -> int:
        row = self._rows.get((slot, stream))
        if row is None:
            row = self._rows[slot, stream] = self._sampler.add_row()
            self._map_channels()
        return row

    def _map_channels(self) -> None:
        """Note which row and field each channel of each venue comes from."""
        found = [
            (row, channel.field, slot * len(CHANNELS) + at)
            for (slot, stream), row in self._rows.items()
            for at, channel in enumerate(CHANNELS)
            if channel.stream is stream
        ]
        rows, fields, targets = np.array(found, dtype=np.int64).T
        self._targets = rows, fields, targets


def _below(saved: Mapping[str, NDArray[Any]], prefix: str) -> dict[str, NDArray[Any]]:
    return {name.removeprefix(prefix): each for name, each in saved.items() if name.startswith(prefix)}


def clock_hours(ts: int) -> tuple[float, float]:
    """Return the hours since midnight and since Monday's midnight, UTC, of a time in nanoseconds."""
    since_monday = (ts - _FIRST_MONDAY_NS) % _WEEK_NS / NANOSECONDS_PER_HOUR
    return since_monday % 24.0, since_monday


def _log_or_nan(value: float) -> float:
    return log(value) if value > 0.0 and isfinite(value) else nan
