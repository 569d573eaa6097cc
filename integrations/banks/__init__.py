"""Agent banks: account verification, batches, results, credits, returns and statements. （第十二条、第二十至二十二条）

A bank is one file here. All banks of today speak the ISO 20022 front end of `front_end.py`.
"""

from integrations.banks.front_end import (
    AccountAnswer,
    AccountNotice,
    AccountQuery,
    AccountState,
    BatchReceipt,
    BatchState,
    FundsReturn,
    ReturnReceipt,
    ask_batch,
    ask_credit,
    ask_return,
    fetch_account_notices,
    fetch_results,
    fetch_statement,
    return_funds,
    send_batch,
    verify_accounts,
)

__all__ = [
    "AccountAnswer",
    "AccountNotice",
    "AccountQuery",
    "AccountState",
    "BatchReceipt",
    "BatchState",
    "FundsReturn",
    "ReturnReceipt",
    "ask_batch",
    "ask_credit",
    "ask_return",
    "fetch_account_notices",
    "fetch_results",
    "fetch_statement",
    "return_funds",
    "send_batch",
    "verify_accounts",
]
