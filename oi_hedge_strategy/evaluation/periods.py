"""Periods whose parameters are chosen by what came before them."""

import numpy as np

from oi_hedge_strategy.evaluation.daily import DAY_NS, YEAR_NS

LEAST_PAST_DAYS = 84
"""With fewer days before a period nothing is chosen: the documented default stays."""


def tuning_periods(start_ns: int, end_ns: int) -> list[tuple[int, int]]:
    """
    Return start and end of each period: calendar quarters (UTC), or months where the run is under a year.

    The first begins at the start of the run, and the last, longer than a day, ends with it.
    """
    months = 3 if end_ns - start_ns >= YEAR_NS else 1
    first, last = np.array([start_ns, end_ns], dtype="datetime64[ns]").astype("datetime64[M]").astype(int)
    begins = np.arange(first // months * months, last + months, months).astype("datetime64[M]")
    edges = begins.astype("datetime64[ns]").astype(np.int64)
    inner = edges[(edges > start_ns) & (edges < end_ns - DAY_NS)].tolist()
    return list(zip([start_ns, *inner], [*inner, end_ns], strict=True))
