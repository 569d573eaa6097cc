"""An entitlement is project × period × beneficiary × component: at most one success each (DESIGN D6). （第二十一条）"""

from hashlib import sha256

ENTITLEMENT_SQL = (
    "encode(sha256(convert_to({project} || '|' || {period} || '|' || {person} || '|' || {component}, 'UTF8')), 'hex')"
)
"""The same key as PostgreSQL computes it, for set-based statements."""


def entitlement_key(project_code: str, period: str, person: str, component: str = "") -> str:
    """Return the key of an entitlement: a digest over the person's random mark, which tells nothing of the person.

    The mark (`members.person`) is no blind index: it stays what it is when the index key rotates.
    """
    return sha256(f"{project_code}|{period}|{person}|{component}".encode()).hexdigest()
