"""Chinese first: our catalogue for SQLAdmin's texts, loaded from the .po file; English catalogues can follow."""

from io import BytesIO
from pathlib import Path

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.support import Translations
from sqladmin import i18n

LOCALE = "zh"
CATALOGUE = Path(__file__).parent / "locale" / LOCALE / "LC_MESSAGES" / "admin.po"


def install_chinese() -> i18n.I18nConfig:
    """Make `zh` a language of SQLAdmin (not `zh_CN`, which it would negotiate to English) and the default one."""
    with CATALOGUE.open("rb") as file:
        catalogue = read_po(file, locale=LOCALE, domain="admin")
    compiled = BytesIO()
    write_mo(compiled, catalogue)
    compiled.seek(0)
    i18n.translations[LOCALE] = Translations(compiled, domain="admin")
    if LOCALE not in i18n.SUPPORTED_LOCALES:
        i18n.SUPPORTED_LOCALES.append(LOCALE)
    return i18n.I18nConfig(default_locale=LOCALE, language_switcher=[LOCALE])
