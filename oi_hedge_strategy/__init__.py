"""Forecast liquidation cascades and hedge the exposure a trader already holds."""
