"""An entitlement is project × period × beneficiary × component: at most one success each (DESIGN D6). （第二十一条）"""

from hashlib import sha256

ENTITLEMENT_SQL = (
    "encode(sha256(convert_to({project} || '|' || {period} || '|' || encode({index}, 'hex') || '|' || {component},"
    " 'UTF8')), 'hex')"
)
"""The same key as PostgreSQL computes it, for set-based statements."""


def entitlement_key(project_code: str, period: str, id_index: bytes, component: str = "") -> str:
    """Return the key of an entitlement: a digest over the blind index, so that it tells nothing of the person."""
    return sha256(f"{project_code}|{period}|{id_index.hex()}|{component}".encode()).hexdigest()
