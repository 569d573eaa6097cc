"""The demo: its population, its year of data, and the launcher that starts everything."""
