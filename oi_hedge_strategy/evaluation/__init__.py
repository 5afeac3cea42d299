"""Judge a hedge: effectiveness, detection, report."""
