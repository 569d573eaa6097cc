"""Sandboxes that play the other side over real sockets, each a process with its own ledger. Never in production."""
