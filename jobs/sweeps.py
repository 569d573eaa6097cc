"""What is asked again and again: funding, credits, results, statements; and what has expired is purged."""

from collections.abc import Callable

import structlog
from sqlalchemy import text

from integrations.errors import Unavailable, Unknown
from models.database import transaction
from models.officers import ActingOfficer
from policies.clock import now
from workflows import anchors, bank_batches, payment_orders, statements
from workflows.import_rows import clear_abandoned

log = structlog.get_logger()


def purge_files(by: ActingOfficer) -> int:
    """Empty the content of files past their time; their names and digests stay. （第三十条）"""
    with transaction(by) as session:
        done = session.execute(
            text("update stored_files set content = '' where expires_at < :now and content <> ''"),
            {"now": now(session)},
        )
        return int(done.rowcount)  # type: ignore[attr-defined]


def purge_imports(by: ActingOfficer) -> int:
    """Purge the staged rows of imports whose job ended without them. （第三十条）"""
    with transaction(by) as session:
        return clear_abandoned(session)


def anchor_heads(by: ActingOfficer) -> int:
    """Write signed anchors outside the database when the time between two has passed. （第二十三条）"""
    with transaction(by) as session:
        return anchors.anchor(session) if anchors.is_due(session) else 0


SWEEPS: dict[str, Callable[[ActingOfficer], int]] = {
    "funding": payment_orders.ask_funding,
    "results": bank_batches.fetch_results,
    "settled": bank_batches.close_settled,
    "statements": statements.reconcile_accounts,
    "imports": purge_imports,
    "files": purge_files,
}


def sweep_all(by: ActingOfficer) -> dict[str, int]:
    """Run each sweep; one whose other side is away waits for the next round and is logged.

    A sweep that breaks doesn't keep the others from running. Raises ExceptionGroup of what broke.
    """
    counts: dict[str, int] = {}
    broken: list[Exception] = []
    for name, sweep in SWEEPS.items():
        try:
            counts[name] = sweep(by)
        except (Unavailable, Unknown) as away:
            log.warning("sweep waits", sweep=name, problem=type(away).__name__)
        except Exception as problem:
            broken.append(problem)
    if broken:
        raise ExceptionGroup("定时任务出错", broken)
    return counts
