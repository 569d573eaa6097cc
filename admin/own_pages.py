"""Addresses of the officer's own account and of unified login: pages of no view, in the order of a first login."""

from starlette.routing import Route

from admin import account, openid

FORM = ["GET", "POST"]
ACCOUNT_ROUTES = (
    Route("/openid/login", openid.login, methods=["GET"], name="openid_login"),
    Route("/openid/callback", openid.callback, methods=["GET"], name="openid_callback"),
    Route("/account", account.account, methods=["GET"], name="account"),
    Route("/account/code", account.code, methods=FORM, name="account_code"),
    Route("/account/password", account.password, methods=FORM, name="account_password"),
    Route("/account/second-factor", account.second, methods=FORM, name="account_second_factor"),
    Route("/account/recovery-codes", account.codes, methods=FORM, name="account_recovery_codes"),
    Route("/account/sessions", account.end_sessions, methods=["POST"], name="account_sessions"),
    Route("/account/link", openid.link, methods=["GET"], name="account_link"),
    Route("/account/identity", openid.identity_page, methods=FORM, name="account_identity"),
    Route("/account/unlink", openid.unlink, methods=["POST"], name="account_unlink"),
)
