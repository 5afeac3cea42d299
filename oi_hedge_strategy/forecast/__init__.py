"""Run a model: its card, its checks, its predictions."""
