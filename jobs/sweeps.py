"""What is asked again and again: funding, credits, results, statements; and what has expired is purged."""

from collections.abc import Callable
from datetime import timedelta

import structlog
from sqlalchemy import text

from integrations.errors import Unavailable, Unknown
from models.database import transaction
from models.officers import ActingOfficer
from policies.clock import now
from workflows import (
    account_notices,
    anchors,
    annual_list_year,
    application_register,
    bank_batches,
    exchange,
    indicator_downloads,
    money_at_rest,
    payment_orders,
    qualifications,
    registry_import_apply,
    registry_import_rows,
    registry_imports,
    standard_endings,
    statements,
)
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


def purge_registry_imports(by: ActingOfficer) -> int:
    """Give back agreed imports whose job was lost; purge rows that nobody goes on with. （第十一、三十条）"""
    given_back = registry_import_apply.give_back_stuck(by)
    with transaction(by) as session:
        expired = now(session) - timedelta(days=registry_imports.KEPT_DAYS)
        return given_back + registry_import_rows.clear_abandoned(session, expired)


def anchor_heads(by: ActingOfficer) -> int:
    """Write signed anchors outside the database when the time between two has passed. （第二十三条）"""
    with transaction(by) as session:
        return anchors.anchor(session) if anchors.is_due(session) else 0


SWEEPS: dict[str, Callable[[ActingOfficer], int]] = {
    "funding": payment_orders.ask_funding,
    "results": bank_batches.fetch_results,
    "account_notices": account_notices.fetch_notices,
    "settled": bank_batches.close_settled,
    "statements": statements.reconcile_accounts,
    "imports": purge_imports,
    "registry_imports": purge_registry_imports,
    "exchange": exchange.apply_waiting,
    "qualification_notices": application_register.conclude_due,
    "qualifications": qualifications.sweep_gone,
    "annual_lists": annual_list_year.ask_for_lists,
    "standard_endings": standard_endings.tell_endings,
    "files": purge_files,
    "indicators": indicator_downloads.queue_due,
    "money_at_rest": money_at_rest.let_go,
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
