"""How long an answer from outside holds before it is asked for again: ours, not the law's, each with its reason."""

from datetime import timedelta

from policies.deadlines import IN_FORCE

IDENTITY_FRESH = timedelta(days=30)
"""The police's answer about a person: the nightly comparison asks anew after it. （第三十三条第一项：定期比对机制）"""
IDENTITY_DOUBTED = timedelta(days=1)
"""An answer that differed from the registry is asked about again each night until it agrees."""
CHECKED_SINCE = IN_FORCE
"""People registered from this day on must be checked before a roster may name them. （第十一、三十八条）"""
NIGHT = (1, 5)
"""The hours, in business time, in which the comparison with the police runs."""
