"""Photograph the console's pages for the docs from a running demo: `python scripts/screenshots.py FOLDER [URL]`.

FOLDER is the demo's data folder (its officers.json says who may log in). Work through a few records first: the
script opens whatever stands first in each officer's lists.
"""

import json
import re
import shutil
import sys
from pathlib import Path

import pyotp
from playwright.sync_api import Browser, Page, sync_playwright

CHROMIUM = shutil.which("chromium") or "/usr/bin/chromium"
FLAGS = ["--no-sandbox", "--headless", "--disable-gpu", "--disable-background-networking"]
OUT = Path(__file__).parent.parent / "docs" / "screenshots"
SIZES = {1440: 900, 390: 844}
FIRST_ROW = "tbody tr td a"
WARNINGS = "main .tabs a:has-text('预警')"
MENU = "details.more summary"
SHOTS: tuple[tuple[str, tuple[tuple[str, str, str], ...]], ...] = (
    (
        "changsheng.clerk",
        (
            ("inbox", "/console/", ""),
            ("roster", "/console/roster/list", FIRST_ROW),
            ("confirm", "/console/roster/list", f"{FIRST_ROW} >> .acts .btn-primary"),
            ("warnings", "/console/roster/list", f"{FIRST_ROW} >> {WARNINGS}"),
            ("explanation", "/console/roster/list", f"{FIRST_ROW} >> {WARNINGS} >> text=按规则说明预警"),
            ("household", "/console/household/list", FIRST_ROW),
            ("registry-form", "/console/household/list", f"{FIRST_ROW} >> {MENU} >> text=分户"),
            ("registry-change", "/console/registry-change/list?tab=all", FIRST_ROW),
            ("review-progress", "/console/review-progress", ""),
        ),
    ),
    (
        "aohan.caizheng.clerk",
        (
            ("payment-order", "/console/payment-order/list?tab=all", FIRST_ROW),
            ("bulletins", "/console/bulletin/list", ""),
            ("annual-list", "/console/annual-list/list?tab=all", FIRST_ROW),
            ("project-funds", "/console/project-funds", ""),
            ("money-at-rest", "/console/money-at-rest", ""),
        ),
    ),
    (
        "zizhiqu.nongmu.clerk",
        (
            ("project-change", "/console/project-change/list?tab=all", FIRST_ROW),
            ("flow", "/console/project-flow/list", FIRST_ROW),
            ("publication", "/console/publication/list?tab=all", FIRST_ROW),
        ),
    ),
    (
        "aohan.nongmu.clerk",
        (
            ("notice-periods", "/console/notice-periods", ""),
            ("application", "/console/application/list?tab=all", FIRST_ROW),
        ),
    ),
    ("pingtai.security_admin", (("policy", "/console/policy/matrix?kind=finance&level=county&noun=roster", ""),)),
    ("pingtai.audit_admin", (("audit", "/console/audit", ""),)),
    ("aohan.nongxin.clerk", (("bank-desk", "/console/", ""),)),
)


def log_in(browser: Browser, url: str, account: dict[str, str]) -> list[dict[str, object]]:
    """Log in through the form and return the cookies."""
    context = browser.new_context()
    page = context.new_page()
    page.goto(f"{url}/console/login")
    page.fill("#login", account["login"])
    page.fill("#password", account["password"])
    page.fill("#code", pyotp.TOTP(account["totp_secret"]).now())
    page.click("button[type=submit]")
    page.wait_for_url(re.compile("/console/$"))
    cookies = context.cookies()
    context.close()
    return cookies  # type: ignore[return-value]


def shoot(page: Page, url: str, name: str, path: str, clicks: str) -> None:
    """Go to a page, click through, and photograph what a screen shows."""
    page.goto(url + path)
    for click in filter(None, clicks.split(" >> ")):
        page.locator(click).first.click()
        page.wait_for_load_state()
    width = page.viewport_size["width"] if page.viewport_size else 0
    page.screenshot(path=OUT / f"{name}-{width}.png")


def main(folder: Path, url: str) -> None:
    """Photograph everything at both sizes."""
    OUT.mkdir(parents=True, exist_ok=True)
    accounts = {row["login"]: row for row in json.loads((folder / "officers.json").read_text(encoding="utf-8"))}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        for width, height in SIZES.items():
            page = browser.new_page(viewport={"width": width, "height": height})
            shoot(page, url, "login", "/console/login", "")
            page.close()
        for login, shots in SHOTS:
            cookies = log_in(browser, url, accounts[login])
            for width, height in SIZES.items():
                context = browser.new_context(viewport={"width": width, "height": height})
                context.add_cookies(cookies)  # type: ignore[arg-type]
                page = context.new_page()
                for name, path, clicks in shots:
                    shoot(page, url, name, path, clicks)
                context.close()
        browser.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else "http://127.0.0.1:8000")
