"""Codes of countries and continents, as somebody writes them in a configuration."""

from __future__ import annotations

# ISO 3166-1 alpha-2, and XK, which databases of places have for Kosovo.
CODES = frozenset(
    """
    AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY BZ CA CC CD
    CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO FR GA GB GD GE GF
    GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP KE KG KH KI KM KN
    KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT MU MV MW MX MY MZ NA
    NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY QA RE RO RS RU RW SA SB SC SD SE SG SH SI
    SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI
    VN VU WF WS XK YE YT ZA ZM ZW
    """.split()
)
CONTINENTS = frozenset("AF AN AS EU NA OC SA".split())
WRITE = "write countries as two letters of ISO 3166 each, such as FI SE"
_TAKEN_FOR_CODES = {
    "UK": "the code of the United Kingdom is GB",
    "EL": "the code of Greece is GR",
    "EU": "name the countries, or ask for 'continent == EU' in a rule",
}


def country(text: str) -> str:
    """The code of a country, in capitals.

    >>> country("fi")
    'FI'

    Raises:
        ValueError: it is none; says what to write.
    """
    code = text.upper()
    if code in CODES:
        return code
    raise ValueError(_TAKEN_FOR_CODES.get(code) or _apart(code, CODES, WRITE))


def continent(text: str) -> str:
    """The code of a continent, in capitals; raises ValueError as `country` does."""
    code = text.upper()
    if code in CONTINENTS:
        return code
    raise ValueError(_apart(code, CONTINENTS, f"write one of {' '.join(sorted(CONTINENTS))}"))


def _apart(text: str, codes: frozenset[str], otherwise: str) -> str:
    """What to write instead of a text: its parts, where these are codes that something else than blanks separates."""
    parts = text.replace(",", " ").replace(";", " ").replace("|", " ").split()
    return f"put blanks between them: {' '.join(parts)}" if len(parts) > 1 and codes.issuperset(parts) else otherwise
