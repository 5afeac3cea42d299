"""How large a hedge may be so that its account survives the worst move of the scenarios; pure arithmetic."""

from dataclasses import dataclass

from oi_hedge_strategy.margin import MarginSchedule

_STEPS = 40


@dataclass(frozen=True, slots=True)
class Stress:
    """
    Hold what may come before the hedge can be changed again.

    Parameters
    ----------
    rise, fall : float
        The price goes against a short hedge by `rise`, against a long one by `fall`, as fractions.
    carry : float
        Funding that the hedge pays meanwhile, as a fraction of its notional.

    """

    rise: float
    fall: float
    carry: float

    def move(self, quantity: float) -> float:
        """Return the signed change of the price that hurts a position of `quantity`."""
        return self.rise if quantity < 0.0 else -self.fall


def stressed_excess(
    quantity: float, price: float, equity: float, stress: Stress, margin: MarginSchedule
) -> float:
    """
    Return equity less maintenance margin after the stress; negative when the position would be liquidated.

    ``equity - |q| p |m| - c |q| max(p, p (1 + m)) - maintenance(|q| p (1 + m))`` with the signed move ``m``
    and the carry ``c``.

    Parameters
    ----------
    quantity : float
        Signed base coin.
    price, equity : float
        Now, in settlement currency.
    stress : Stress
        What comes.
    margin : MarginSchedule
        The venue's maintenance margin.

    """
    move = stress.move(quantity)
    notional, stressed = abs(quantity) * price, abs(quantity) * price * (1.0 + move)
    paid = stress.carry * max(notional, stressed)
    return equity - notional * abs(move) - paid - margin.maintenance(stressed)


def solvent_ratio(
    ratio: float, exposure: float, price: float, equity: float, stress: Stress, margin: MarginSchedule
) -> float:
    """
    Return the largest hedge ratio up to `ratio` whose position stays above maintenance margin in the stress.

    The excess falls with the ratio, so bisection finds it; the result is on the safe side.

    Parameters
    ----------
    ratio : float
        The wanted hedge ratio, not negative.
    exposure : float
        Signed base coin; the hedge is ``-ratio * exposure``.
    price, equity, stress, margin
        As for `stressed_excess`.

    """

    def survives(share: float) -> bool:
        return stressed_excess(-share * exposure, price, equity, stress, margin) >= 0.0

    if ratio <= 0.0 or survives(ratio):
        return ratio
    low, high = 0.0, ratio
    for _ in range(_STEPS):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if survives(middle) else (low, middle)
    return low
