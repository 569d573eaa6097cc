"""The story: the whole way of the money once, from catalogue to bulletin, with all that goes wrong on it."""
