"""Run the strategy and its baselines over a catalog through NautilusTrader's BacktestNode."""
