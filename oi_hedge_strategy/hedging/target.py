"""When a change of the hedge ratio is worth an order."""

from oi_hedge_strategy.hedging.config import ExecutionConfig


def with_hysteresis(wanted: float, held: float, config: ExecutionConfig) -> float:
    """Return the wanted ratio, or the held one while the wish has not fallen far enough to let go of it."""
    released = wanted <= config.release_ratio * held
    return wanted if wanted >= held or released else held


def worth_trading(allowed: float, held: float, forced: bool, config: ExecutionConfig) -> bool:
    """
    Return whether the hedge should move from `held` to `allowed`.

    A rail's reduction is always worth it, and so is closing the hedge.
    """
    if allowed == held:
        return False
    if allowed < held and (forced or allowed <= 0.0):
        return True
    return abs(allowed - held) >= config.min_adjustment
