"""The outside world: police, budget system, banks; each with a sandbox that plays the other side."""
