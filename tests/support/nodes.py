"""Nodes that a test has made, to be disposed of after it."""

from nautilus_trader.live.node import TradingNode

NODES: list[TradingNode] = []
