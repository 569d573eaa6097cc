"""Measures, each as a ratio to the floor of the same run: `make bench NAME=… ROWS=…`."""
