"""Which of the paper's query kinds a query is, by rules for each locale.

The kinds are TaoSR1's hard ones (arXiv 2508.12365): negation, alternative (affordable alternatives), question
(Q&A), knowledge; everything else, and every query of a locale without rules, is ``plain``. Rules are RE2
patterns, tried in order; the first that matches decides.
"""

from __future__ import annotations

from warehouse.ddl import sql_text

KINDS = ("plain", "negation", "alternative", "question", "knowledge")

_ENGLISH: tuple[tuple[str, str], ...] = (
    (
        "alternative",
        r"\b(alternatives?|substitutes?|replacements?|dupes?) (to|for|of)\b"
        r"|\w (alternatives?|dupes?|knock[ -]?offs?)\s*$"
        r"|\b(similar to|instead of|(cheap|cheaper|affordable|budget) (version|alternative|dupe)s?)\b"
        r"|\b(another|a different|other) brands?\b|\blike .+ but (cheaper|less|under|below)\b",
    ),
    # "can opener" and "dr who" ask nothing.
    (
        "question",
        r"\?(\s|$)|^(what|which|how|why|where|when|who)('s)? \w+ \w|, (what|which|how) "
        r"|^(can|could|should|will|do|does|is|are) (i|you|we|it|this|that|these|those|the|a|an|my|your|there)\b",
    ),
    # "chanel no 5", "stainless steel", "non-stick" and "hands-free" exclude nothing.
    (
        "negation",
        r"\b(without|excluding|except|not|no) [a-z]|\b(other than|(anything|everything|nothing) (but|with))\b"
        r"|\b(gluten|wheat|sugar|dairy|lactose|fat|nut|soy|alcohol|caffeine|fragrance|perfume|scent|paraben|sul(f|ph)ate"
        r"|silicone|oil|bpa|pvc|latex|leather|nickel|lead|chemical|gmo)[ -]free\b",
    ),
    # A need is named, and what meets it has to be known. A size ("for a 15 inch laptop") needs no knowledge.
    (
        "knowledge",
        r"\b((suitable|good|safe|recommended|best) for|gifts? for|to (prevent|relieve|treat|reduce|remove|help)"
        r"|that (help|let|keep|stop|prevent|relieve)s?|prone to|for (people|someone|those))\b"
        r"|\b(for|after) an? [^\d\s]|\bfor .*\b(who|whom|whose|where)\b"
        r"|\bfor \w+ing (a|an|the|my|in|on|at|from|with|before|after|under|into|while|to)\b"
        r"|\bfor .*\b(allerg\w+|sensitive|arthritis|pregnan\w+|pain|beginners?|toddlers?|seniors?|sleepers?|summer"
        r"|winter|(hot|cold|dry|rainy|wet) \w+|weather|rain|heat|frost|snow|camping|hiking|travel|luggage|trips?"
        r"|training|flights?|weddings?|interviews?)\b",
    ),
)
_RULES = {"en": _ENGLISH}
# How a query opens says nothing of its kind, and "looking for" would pass as a purpose.
_OPENING = r"^\s*((i'?m|i am) )?(looking|searching|shopping) for "
# Data sets name English-speaking markets by country.
_LANGUAGES = dict.fromkeys(("us", "uk", "gb", "ca", "au", "en"), "en")


def sql_query_kind(text: str, locale: str) -> str:
    """SQL expression for the kind of the query `text` in `locale`, both SQL expressions.

    Of a locale such as ``en-US`` or ``en_US`` the first part counts.
    """
    text = f"regexp_replace({text}, {sql_text(_OPENING)}, '', 'i')"
    market = f"lower(regexp_extract({locale}, '^[A-Za-z]*'))"
    branches = []
    for language, rules in _RULES.items():
        markets = ", ".join(f"'{name}'" for name, spoken in _LANGUAGES.items() if spoken == language)
        kinds = " ".join(
            f"WHEN regexp_matches({text}, {sql_text(pattern)}, 'i') THEN '{kind}'" for kind, pattern in rules
        )
        branches.append(f"WHEN {market} IN ({markets}) THEN CASE {kinds} ELSE 'plain' END")
    return f"CASE {' '.join(branches)} ELSE 'plain' END"
