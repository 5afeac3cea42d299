"""Named stress tests: recorded crashes, parametric replays of them, and failures of venues and feeds."""
