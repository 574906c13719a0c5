"""Brands (all invented) and the wordings of queries and titles."""

from __future__ import annotations

from curation.shop.schema import Brand

BRANDS = (
    Brand("Torvanka", 4, ("footwear", "jackets")),
    Brand("Brislowe", 2, ("footwear",)),
    Brand("Quenmarch", 3, ("footwear", "bags")),
    Brand("Haldriss", 1, ("footwear",)),
    Brand("Oskavelle", 2, ("footwear",)),
    Brand("Pernwick & Vale", 4, ("footwear",)),
    Brand("Zellorin", 1, ("jackets",)),
    Brand("Marrowfen", 3, ("jackets", "sleep")),
    Brand("Tindrake", 2, ("jackets", "sleep")),
    Brand("Ulvessa", 3, ("jackets",)),
    Brand("Nordhavel", 1, ("jackets",)),
    Brand("Kupfergrund", 4, ("cookware",)),
    Brand("Bratello", 2, ("cookware",)),
    Brand("Ferrunda", 3, ("cookware",)),
    Brand("Skilvane", 1, ("cookware",)),
    Brand("Almondry & Pott", 3, ("cookware",)),
    Brand("Cindelar", 2, ("cookware",)),
    Brand("Auvessa", 4, ("audio",)),
    Brand("Klangmoor", 3, ("audio",)),
    Brand("Tonevik", 2, ("audio",)),
    Brand("Dezzibelle", 1, ("audio",)),
    Brand("Orrinox", 2, ("audio", "lamps")),
    Brand("Sonderby Nine", 3, ("audio",)),
    Brand("Lumenhald", 3, ("lamps",)),
    Brand("Glimmerow", 1, ("lamps",)),
    Brand("Fadenlicht", 2, ("lamps",)),
    Brand("Vesperine", 4, ("lamps",)),
    Brand("Ostrelle & Co", 2, ("lamps",)),
    Brand("Hygravik", 4, ("sleep",)),
    Brand("Nachtfell", 2, ("sleep",)),
    Brand("Bivarro", 1, ("sleep", "bags")),
    Brand("Sternauge", 3, ("sleep",)),
    Brand("Packwender", 2, ("bags",)),
    Brand("Loddenby", 3, ("bags",)),
    Brand("Trageon", 1, ("bags",)),
    Brand("Carrivelle", 4, ("bags",)),
    Brand("Saffrelle", 3, ("hair",)),
    Brand("Moosbach Botanik", 2, ("hair",)),
    Brand("Clarivanne", 4, ("hair",)),
    Brand("Wexley Drop", 1, ("hair",)),
    Brand("Ilmenau & Daughters", 3, ("hair",)),
    Brand("Purabelt", 1, ("hair",)),
)

TITLES = (
    "{brand} {line} {category} {detail}",
    "{brand} {line} – {category}, {detail}",
    "{line} {category} by {brand} ({detail})",
    "{category} {brand} {line} | {detail}",
)

# `{wish}` carries the taste ("navy"); a wording without it asks for none.
PLAIN = (
    "{wanted} {plural}",
    "{plural} {wanted}",
    "buy {wanted} {plural} online",
    "{wish} {plural} {wanted}",
    "{wanted} {plural}, {wish} if possible",
    "{wanted} {plural}, ideally {wish}",
)
NEGATION = (
    "{wanted} {plural} without {absent}",
    "{wanted} {plural} with no {absent}",
    "{wanted} {plural}, anything but {absent}",
    "{wish} {wanted} {plural} without {absent}",
    "{wanted} {plural}, no {absent}, ideally {wish}",
    "no {absent} please: {wanted} {plural}, {wish} if possible",
)
# The reference price is always named: nobody could know what an invented brand costs.
ALTERNATIVE = (
    "cheaper alternative to {brand} {line} {plural} ({price} €)",
    "affordable alternative to {brand} {line} {plural}, less than {price} €",
    "{plural} from another brand like {brand} {line} but under {price} €",
    "cheaper dupe for the {price} € {brand} {line} {plural}",
    "instead of {brand} {line}: {plural} cheaper than {price} €",
)
ALTERNATIVE_WISH = ("{text}", "{text}, ideally {wanted}", "{text} – {wanted} preferred")
QUESTION = ("{text}", "{text}", "{text} Ideally {wish}.", "{text} {wish} would be nice")
KNOWLEDGE = (
    "{text}",
    "looking for {text}",
    "need {text}",
    "{text}, {wish} if possible",
    "{text}, ideally {wish}",
)
