"""Cookware and lamps."""

from __future__ import annotations

from curation.shop.data.shared import COLOUR, title_slot
from curation.shop.schema import Category, Family, Need, Slot, must, prefer, value

COOKWARE = Family(
    "cookware",
    (
        Category(
            "frying pan",
            "frying pans",
            (18, 160),
            ("A frying pan for every day.", "Browns evenly up the rim."),
        ),
        Category(
            "wok",
            "woks",
            (22, 170),
            ("A wok with high, sloping sides.", "Stir-fry, steam & braise in one wok."),
        ),
    ),
    Category(
        "glass lid",
        "glass lids",
        (8, 30),
        (
            "Fits frying pans and woks of cast iron, steel or aluminium.",
            "Tempered glass with steam vent, for induction cookware too.",
        ),
    ),
    ("Forge", "Bistro", "Everyday", "Chef 4", "Alba", "Hearth"),
    (
        Slot(
            "material",
            (
                value(
                    "cast iron",
                    "Heavy cast iron holds the heat.",
                    "Poured from cast iron.",
                    adj="cast iron",
                    no="cast iron",
                ),
                value(
                    "stainless steel",
                    "Brushed stainless steel body.",
                    "Stainless steel, lighter than cast iron.",
                    adj="stainless steel",
                ),
                value(
                    "aluminium",
                    "Light aluminium body.",
                    "Forged aluminium heats fast.",
                    adj="aluminium",
                    no="aluminium",
                ),
            ),
        ),
        Slot(
            "coating",
            (
                value(
                    "PTFE",
                    "PTFE non-stick coating.",
                    "Nothing sticks to the PTFE coating.",
                    no="PTFE coating",
                ),
                value(
                    "ceramic",
                    "Ceramic coating, free of PTFE.",
                    "Smooth ceramic coating.",
                    adj="ceramic-coated",
                    no="ceramic coating",
                ),
                value(
                    "uncoated",
                    "Uncoated: no PTFE, no ceramic.",
                    "Bare metal without coating.",
                    adj="uncoated",
                ),
            ),
        ),
        Slot(
            "hob",
            (
                value(
                    "all hobs",
                    "For all hobs including induction.",
                    "Induction, gas or electric.",
                    adj="induction",
                ),
                value(
                    "gas and electric",
                    "For gas & electric hobs, not for induction.",
                    "Does not work on induction.",
                ),
            ),
        ),
        Slot(
            "handle",
            (
                value(
                    "steel handle",
                    "Riveted steel handle, safe in the oven.",
                    "Oven-proof steel handle.",
                    adj="oven-safe",
                ),
                value(
                    "plastic handle",
                    "Cool plastic handle, not for the oven.",
                    "Soft plastic grip.",
                    no="plastic handle",
                ),
            ),
        ),
        title_slot("diameter", "24 cm", "28 cm"),
        title_slot("colour", "black", "grey", "red"),
    ),
    "colour",
    (
        Need(
            ("Which {plural} work on induction?", "I have an induction hob, which {plural} can I use?"),
            (must("hob", "=", "all hobs"),),
        ),
        Need(
            ("Which {plural} can go in the oven?", "What {plural} survive the oven?"),
            (must("handle", "=", "steel handle"),),
        ),
        Need(
            ("Which {plural} are light enough to toss?", "Which {plural} are not too heavy?"),
            (must("material", "!=", "cast iron"),),
        ),
    ),
    (
        Need(
            ("{plural} for a hob that heats with a magnetic field", "{plural} for a magnetic cooktop"),
            (must("hob", "=", "all hobs"), prefer("material", "!=", "aluminium")),
            "a magnetic field heats only induction cookware, and iron and steel best",
        ),
        Need(
            (
                "{plural} for finishing a steak at 220 °C in the oven",
                "{plural} that go from stove to a 220 °C oven",
            ),
            (must("handle", "=", "steel handle"), prefer("coating", "!=", "PTFE")),
            "plastic melts at 220 °C, and PTFE is close to its limit there",
        ),
        Need(
            ("{plural} for a home with a parrot", "{plural} for budgie owners afraid of fumes"),
            (must("coating", "!=", "PTFE"), prefer("coating", "=", "uncoated")),
            "overheated PTFE gives off fumes that kill birds, and bare metal gives off none",
        ),
    ),
    impossible=(("cast iron", "gas and electric"), ("cast iron", "PTFE"), ("aluminium", "uncoated")),
)

LAMPS = Family(
    "lamps",
    (
        Category(
            "desk lamp", "desk lamps", (15, 180), ("A desk lamp with a hinged arm.", "Slim foot, wide reach.")
        ),
        Category(
            "clip-on lamp",
            "clip-on lamps",
            (12, 120),
            ("Clips on to shelf, desk or bed.", "A lamp with a grip."),
        ),
    ),
    Category(
        "LED bulb",
        "LED bulbs",
        (4, 18),
        (
            "Replaces the bulb in desk lamps & clip-on lamps, dimmable or not.",
            "E14 bulb for lamps of aluminium, wood or plastic.",
        ),
    ),
    ("Beam", "Lantern", "Studio", "Noctis", "Arc 7", "Wink"),
    (
        Slot(
            "power",
            (
                value(
                    "rechargeable battery",
                    "Runs 20 hours on its rechargeable battery.",
                    "Rechargeable battery, no mains plug needed.",
                    adj="rechargeable",
                    no="rechargeable battery",
                ),
                value(
                    "mains plug",
                    "Mains plug with a 1.8 m cable.",
                    "Needs a mains socket: no battery inside.",
                    adj="mains-powered",
                ),
            ),
        ),
        Slot(
            "dimming",
            (
                value(
                    "dimmable",
                    "Dimmable in five steps.",
                    "Turn the knob: dimmable from 5 to 100 %.",
                    adj="dimmable",
                ),
                value(
                    "not dimmable",
                    "One fixed brightness, not dimmable.",
                    "Simple on/off switch, not dimmable.",
                ),
            ),
        ),
        Slot(
            "light",
            (
                value("2700 K", "Warm light at 2700 K.", "2700 K, cosy as a candle.", adj="2700 K"),
                value("4000 K", "Neutral light at 4000 K.", "4000 K: neither warm nor cold.", adj="4000 K"),
                value("5500 K", "Daylight at 5500 K.", "5500 K like the noon sky, not warm.", adj="5500 K"),
            ),
        ),
        Slot(
            "material",
            (
                value(
                    "aluminium",
                    "Body of brushed aluminium, no plastic.",
                    "Aluminium body.",
                    adj="aluminium",
                    no="aluminium",
                ),
                value("oak", "Body of oiled oak.", "Solid oak instead of plastic.", adj="oak", no="oak"),
                value(
                    "plastic", "Tough plastic body.", "Light plastic body in an aluminium look.", no="plastic"
                ),
            ),
        ),
        COLOUR,
    ),
    "colour",
    (
        Need(
            ("Which {plural} work without a socket?", "What {plural} can I use away from the mains?"),
            (must("power", "=", "rechargeable battery"),),
        ),
        Need(
            ("Which {plural} can I turn down at night?", "Are there {plural} with adjustable brightness?"),
            (must("dimming", "=", "dimmable"),),
        ),
        Need(
            ("Which {plural} contain no plastic?", "What {plural} are made of metal or wood?"),
            (must("material", "!=", "plastic"),),
        ),
    ),
    (
        Need(
            ("{plural} for painting miniatures in true colours", "{plural} for matching embroidery threads"),
            (must("light", ">=", "4000 K"), prefer("dimming", "=", "dimmable")),
            "judging colours needs 4000 K or more, and glossy paint a brightness that can be turned down",
        ),
        Need(
            ("{plural} for reading in bed before sleep", "{plural} that let a light sleeper wind down"),
            (must("light", "<=", "2700 K"), prefer("dimming", "=", "dimmable")),
            "bluish light keeps people awake, so 2700 K or less, best turned low",
        ),
        Need(
            ("{plural} for an allotment shed off the grid", "{plural} for evenings with power cuts"),
            (must("power", "=", "rechargeable battery"), prefer("light", "<=", "4000 K")),
            "without mains only a battery works, and evenings call for light of 4000 K or less",
        ),
    ),
)
