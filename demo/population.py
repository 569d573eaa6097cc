"""The demo population: one county with 2,000 households, a second small one, the same for the same seed. （第十一条）

Nobody here is real, and the numbers show it:
- identity numbers are valid (GB 11643) and carry this county's division part, with a sequence code of 900 to 989: a
  county with some thirty births a day never reaches it, and 990 to 999 stay free for officers and centenarians;
- telephones begin with 1540: no operator holds the segment 154;
- cards are 19 digits with the issuer number 620040 or 620010, which no bank holds, and pass the Luhn check.
"""

from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from decimal import Decimal
from functools import lru_cache
from random import Random

from demo.names import HAN, MANCHU, MONGOLIAN, a_name, surname_of
from demo.peculiar import set_apart
from demo.people import (
    AGRICULTURAL,
    DAUGHTER,
    HEAD,
    MOTHER,
    MU,
    NOTHING,
    PLACES,
    RURAL_CREDIT,
    SON,
    SPOUSE,
    Bank,
    Card,
    Home,
    Land,
    Person,
    Place,
    Population,
)
from policies.identities import id_check, luhn_digit

SEED = 2130122
FIRST_SEQUENCE, LAST_SEQUENCE = 900, 989
NUMERALS = "一二三四五"


@dataclass
class _Registrar:
    """Hands out numbers that never come twice."""

    random: Random
    births: dict[tuple[str, date, str], int] = field(default_factory=dict)
    cards: int = 0
    phones: int = 0

    def id_number(self, division: str, born: date, sex: str) -> str:
        """Return the next valid identity number of a division, date and sex."""
        key = (division[:6], born, sex)
        taken = self.births.get(key, 0)
        self.births[key] = taken + 1
        sequence = FIRST_SEQUENCE + 2 * taken + (1 if sex == "1" else 0)
        if sequence > LAST_SEQUENCE:
            raise ValueError(f"{born}: no fictitious sequence code is left")
        body = f"{division[:6]}{born:%Y%m%d}{sequence:03d}"
        return body + id_check(body)

    def card_number(self, bank: Bank, division: str) -> str:
        """Return the next card number of a bank."""
        self.cards += 1
        body = f"{bank.issuer}{division[2:6]}{self.cards:08d}"
        return body + luhn_digit(body)

    def phone(self) -> str:
        """Return the next telephone number."""
        self.phones += 1
        return f"1540{self.phones:07d}"


@lru_cache(maxsize=2)
def population(seed: int = SEED) -> Population:
    """Return the demo population of a seed, with the peculiar households of demo/peculiar.py set apart."""
    registrar = _Registrar(Random(seed))
    homes = [_home(registrar, place, number) for place in PLACES for number in range(place.homes)]
    return set_apart(homes, spare=lambda home: _card(registrar, home.township_code, home.head))


def _home(registrar: _Registrar, place: Place, number: int) -> Home:
    random = registrar.random
    village = number * len(place.villages) // place.homes
    code = place.village_code(village)
    group = f"第{NUMERALS[random.randrange(5)]}" + ("独贵龙" if place.mongolian > 0.5 else "村民小组")
    people = _people(registrar, place)
    return Home(
        number=f"{code}{number + 1:04d}",
        township_code=place.code,
        village_code=code,
        village=place.villages[village],
        group=group,
        address=f"{place.name}{place.villages[village]}{group}{random.randrange(1, 90)}号",
        reviewed_days_ago=random.randrange(20, 150),
        people=people,
        land=_land(random, place, len(people)),
    )


def _people(registrar: _Registrar, place: Place) -> tuple[Person, ...]:
    random = registrar.random
    ethnicity = MONGOLIAN if random.random() < place.mongolian else (MANCHU if random.random() < 0.03 else HAN)
    born = date(1946, 1, 1) + timedelta(random.randrange(365 * 48))
    sex = "1" if random.random() < 0.83 else "2"
    added_on = date(2021, 4, 1) + timedelta(random.randrange(900))
    head = _person(registrar, place, born, sex, HEAD, ethnicity, added_on)
    head = replace(head, phone=registrar.phone(), card=_card(registrar, place.code, head))
    family = [head]
    if random.random() < 0.86:
        near = born + timedelta(random.randrange(-1500, 1500))
        family.append(_person(registrar, place, near, "2" if sex == "1" else "1", SPOUSE, ethnicity, added_on))
    for _ in range(random.choices((0, 1, 2, 3), (25, 45, 25, 5))[0]):
        child = born + timedelta(365 * 22 + random.randrange(365 * 14))
        if child < date(2025, 1, 1):
            boy = random.random() < 0.52
            relation, child_sex = (SON, "1") if boy else (DAUGHTER, "2")
            family.append(_person(registrar, place, child, child_sex, relation, ethnicity, added_on, head.name))
    if born.year > 1962 and random.random() < 0.22:
        old = born - timedelta(365 * 21 + random.randrange(365 * 5))
        family.append(_person(registrar, place, old, "2", MOTHER, ethnicity, added_on))
    return tuple(family)


def _person(
    registrar: _Registrar,
    place: Place,
    born: date,
    sex: str,
    relation: str,
    ethnicity: str,
    added_on: date,
    parent: str = "",
) -> Person:
    name = a_name(registrar.random, sex, ethnicity, surname_of(parent) if parent else "")
    return Person(
        name=name,
        id_number=registrar.id_number(place.code, born, sex),
        birth_date=born,
        sex=sex,
        relation=relation,
        ethnicity=ethnicity,
        added_on=added_on,
    )


def _card(registrar: _Registrar, division: str, holder: Person) -> Card:
    """Return a verified social-security card of a person at one of the two agent banks."""
    bank = RURAL_CREDIT if registrar.random.random() < 0.74 else AGRICULTURAL
    county = division[:6] + "000000"
    return Card(
        number=registrar.card_number(bank, division),
        bank_name=bank.name,
        bank_code=bank.cnaps[county],
        holder=holder.name,
        holder_id=holder.id_number,
    )


def _land(random: Random, place: Place, heads: int) -> Land:
    contracted = excluded = leased_in = leased_out = grassland = NOTHING
    if place.mu_per_head:
        contracted = _mu(place.mu_per_head * heads * random.uniform(0.6, 1.5))
        excluded = _mu(float(contracted) * random.uniform(0.01, 0.08)) if random.random() < 0.15 else NOTHING
        leased_out = _mu(float(contracted) * random.uniform(0.1, 0.5)) if random.random() < 0.08 else NOTHING
        leased_in = _mu(random.uniform(3, 30)) if not leased_out and random.random() < 0.08 else NOTHING
    if random.random() < place.grassland_share:
        grassland = _mu(place.grassland_mu * random.uniform(0.3, 1.9))
    return Land(contracted, excluded, leased_in, leased_out, grassland)


def _mu(area: float) -> Decimal:
    return Decimal(area).quantize(MU)
