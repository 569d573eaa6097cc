"""Addresses of the officer's own account and of unified login: pages of no view, in the order of a first login."""

from starlette.routing import Route

from admin import account, openid

FORM = ["GET", "POST"]
ACCOUNT_ROUTES = (
    Route("/openid/login", openid.login, methods=["GET"], name="openid_login"),
    Route("/openid/callback", openid.callback, methods=["GET"], name="openid_callback"),
    Route("/me", account.account, methods=["GET"], name="account"),
    Route("/me/code", account.code, methods=FORM, name="account_code"),
    Route("/me/password", account.password, methods=FORM, name="account_password"),
    Route("/me/second-factor", account.second, methods=FORM, name="account_second_factor"),
    Route("/me/recovery-codes", account.codes, methods=FORM, name="account_recovery_codes"),
    Route("/me/sessions", account.end_sessions, methods=["POST"], name="account_sessions"),
    Route("/me/link", openid.link, methods=["GET"], name="account_link"),
    Route("/me/identity", openid.identity_page, methods=FORM, name="account_identity"),
    Route("/me/unlink", openid.unlink, methods=["POST"], name="account_unlink"),
)
