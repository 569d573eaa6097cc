"""What the demo's people are made of: households, members, cards, land, and the four townships they live in."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from hashlib import sha256

LAND, GRASSLAND, ALLOWANCE = "2130122", "2130135", "2081902"
"""耕地地力保护补贴, 草原生态保护补助奖励, 农村居民最低生活保障金."""
PERIOD = "2026"
PERIOD_START, PERIOD_END = date(2026, 1, 1), date(2026, 12, 31)
COUNTY, SECOND_COUNTY = "150430000000", "152522000000"
"""敖汉旗 in 赤峰市 and 阿巴嘎旗 in 锡林郭勒盟."""

MU = Decimal("0.001")
NOTHING = Decimal(0)
HEAD, SPOUSE, SON, DAUGHTER, FATHER, MOTHER = "02", "10", "20", "30", "51", "52"
"""Relations to the head by GB/T 4761."""


@dataclass(frozen=True)
class Bank:
    """An agent bank as the demo's accounts know it: branch name, CNAPS code, issuer number of its cards."""

    name: str
    cnaps: dict[str, str]
    issuer: str

    @property
    def prefix(self) -> str:
        """Return the bank's 3 digits."""
        return self.cnaps[COUNTY][:3]


RURAL_CREDIT = Bank("内蒙古农村信用社", {COUNTY: "402194000003", SECOND_COUNTY: "402201000009"}, "620040")
AGRICULTURAL = Bank("中国农业银行", {COUNTY: "103194000003", SECOND_COUNTY: "103201000009"}, "620010")
BANKS = (RURAL_CREDIT, AGRICULTURAL)


@dataclass(frozen=True)
class Card:
    """One account: what the registry says of it, and what the bank will say (`bank_status`, "" is unknown there)."""

    number: str
    bank_name: str
    bank_code: str
    holder: str
    holder_id: str
    is_card: bool = True
    verified: bool = True
    bank_status: str = "active"


@dataclass(frozen=True)
class Person:
    """One member of a household, with what the police know besides."""

    name: str
    id_number: str
    birth_date: date
    sex: str
    relation: str
    ethnicity: str
    added_on: date
    phone: str = ""
    card: Card | None = None
    police_name: str = ""
    died_on: date | None = None


@dataclass(frozen=True)
class Land:
    """Contracted land and grassland of a household in mu, three decimals."""

    contracted: Decimal
    excluded: Decimal = NOTHING
    leased_in: Decimal = NOTHING
    leased_out: Decimal = NOTHING
    grassland: Decimal = NOTHING

    @property
    def subsidised(self) -> Decimal:
        """Return the area that the land subsidy pays: contracted, less excluded and leased out, plus leased in."""
        return self.contracted - self.excluded - self.leased_out + self.leased_in


@dataclass(frozen=True)
class Home:
    """One household."""

    number: str
    township_code: str
    village_code: str
    village: str
    group: str
    address: str
    reviewed_days_ago: int
    people: tuple[Person, ...]
    land: Land

    @property
    def head(self) -> Person:
        """Return the head of the household."""
        return self.people[0]

    @property
    def county_code(self) -> str:
        """Return the county."""
        return self.township_code[:6] + "000000"


@dataclass(frozen=True)
class Place:
    """A township of the demo with its villages and what its people are like."""

    code: str
    name: str
    homes: int
    villages: tuple[str, ...]
    mongolian: float
    mu_per_head: float
    grassland_share: float
    grassland_mu: int

    def village_code(self, number: int) -> str:
        """Return the 12-digit code of the village with this place in the list."""
        return f"{self.code[:9]}{200 + number}"


PLACES = (
    Place(
        "150430102000", "长胜镇", 900,
        ("长胜村", "乌兰章古村", "榆树底村", "六顷地村", "八家村", "烧锅地村", "马架子村", "哈日敖包嘎查"),
        0.08, 6.5, 0, 0,
    ),
    Place(
        "150430103000", "贝子府镇", 700,
        ("贝子府村", "王家营子村", "东井村", "大哈巴齐拉村", "小哈巴齐拉村", "四六地村", "双井村"),
        0.05, 5.2, 0, 0,
    ),
    Place(
        "150430207000", "敖润苏莫苏木", 400,
        ("敖润苏莫嘎查", "荷也勿苏嘎查", "查干浩特嘎查", "乌兰勿苏嘎查", "昂乃嘎查"),
        0.62, 8.4, 0.6, 700,
    ),
    Place(
        "152522100000", "别力古台镇", 120,
        ("阿拉坦图嘎查", "巴彦德力格尔嘎查", "敖伦嘎查", "汗乌拉嘎查"),
        0.81, 0, 1, 4200,
    ),
)  # fmt: skip
"""The townships are real; their villages are plausible, with codes by the rule (villages from 200)."""


@dataclass(frozen=True)
class Peculiar:
    """A household in which something is out of the ordinary; `spare` is a card that a change of account may take."""

    key: str
    title: str
    home_number: str
    spare: Card | None = None


@dataclass(frozen=True)
class Population:
    """All households, in the order of their numbers, and the digest by which two runs are compared."""

    homes: tuple[Home, ...]
    peculiar: Mapping[str, Peculiar] = field(default_factory=dict)

    @property
    def digest(self) -> str:
        """Return the digest over every fact of every person."""
        return sha256("\n".join(map(repr, (*self.homes, *self.peculiar.values()))).encode()).hexdigest()

    def of(self, township_code: str) -> list[Home]:
        """Return the households of a township."""
        return [home for home in self.homes if home.township_code == township_code]

    def peculiar_home(self, key: str) -> Home:
        """Return the household of a peculiarity."""
        number = self.peculiar[key].home_number
        return next(home for home in self.homes if home.number == number)
