"""Paper and live runs: the node, its venues, the ledger."""
