"""The verbs of the regulation: one function, one transaction each."""
