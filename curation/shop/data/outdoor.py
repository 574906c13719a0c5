"""Sleeping bags and bags to carry."""

from __future__ import annotations

from curation.shop.data.shared import COLOUR, COMFORT, WATERPROOFING, title_slot
from curation.shop.schema import Category, Family, Need, Slot, must, prefer, value

SLEEP = Family(
    "sleep",
    (
        Category(
            "sleeping bag",
            "sleeping bags",
            (40, 420),
            ("Mummy-shaped sleeping bag.", "Zips open on the left."),
        ),
        Category(
            "camping quilt",
            "camping quilts",
            (35, 360),
            ("An open quilt for camping.", "Straps on to any mat."),
        ),
    ),
    Category(
        "sleeping mat",
        "sleeping mats",
        (20, 140),
        (
            "Keeps the cold ground away from your sleeping bag or camping quilt.",
            "Under down or synthetic bags alike: 5 cm of comfort.",
        ),
    ),
    ("Lodestar", "Dune", "Bivvy", "Siesta", "Basecamp", "Feather-Lite"),
    (
        Slot(
            "filling",
            (
                value(
                    "down",
                    "Filled with 700 cuin down.",
                    "Duck down from certified farms.",
                    adj="down",
                    no="down",
                ),
                value(
                    "synthetic",
                    "Synthetic filling that dries fast, unlike down.",
                    "Hollow synthetic fibre.",
                    adj="synthetic",
                    no="synthetic filling",
                ),
                value(
                    "wool",
                    "Filled with merino wool.",
                    "Wool filling, no down, no plastic fibre.",
                    adj="wool",
                    no="wool",
                ),
            ),
        ),
        COMFORT,
        Slot(
            "weight",
            (
                value("0.8 kg", "Weighs 0.8 kg.", "Just 0.8 kg with its sack."),
                value("1.2 kg", "Weighs 1.2 kg.", "1.2 kg on the scales."),
                value("1.9 kg", "Weighs 1.9 kg.", "1.9 kg, best for short walks."),
            ),
        ),
        COLOUR,
        title_slot("length", "185 cm", "200 cm"),
    ),
    "colour",
    (
        Need(
            (
                "Which {plural} are warm enough for nights at 0 °C?",
                "What {plural} keep me warm at freezing point?",
            ),
            (must("comfort", "<=", "0 °C"),),
        ),
        Need(
            ("Which {plural} weigh less than a kilo?", "Are there {plural} under 1000 grams?"),
            (must("weight", "<", "1 kg"),),
        ),
        Need(
            ("Which {plural} contain no feathers?", "What {plural} can someone allergic to feathers use?"),
            (must("filling", "!=", "down"),),
        ),
    ),
    (
        Need(
            ("{plural} for snow camping in January", "{plural} for a night in an igloo at -5 °C"),
            (must("comfort", "<=", "-5 °C"), prefer("weight", "<", "1.5 kg")),
            "winter nights need a comfort limit of -5 °C or lower, and snow makes every kilo harder to carry",
        ),
        Need(
            ("{plural} for a damp sailing boat in summer", "{plural} for a humid jungle trip"),
            (must("filling", "!=", "down"), prefer("comfort", ">=", "10 °C")),
            "damp down clumps and goes cold, and warm nights need no more than 10 °C",
        ),
        Need(
            ("{plural} for a 3,000 km trail where every gram counts", "{plural} for ultralight hikers"),
            (must("weight", "<", "1 kg"), prefer("filling", "=", "down")),
            "ultralight means under a kilo, and nothing is warmer for its weight than down",
        ),
    ),
    impossible=(("wool", "0.8 kg"), ("down", "1.9 kg"), ("-10 °C", "0.8 kg")),
)

BAGS = Family(
    "bags",
    (
        Category(
            "backpack",
            "backpacks",
            (25, 230),
            ("Backpack with padded straps.", "A tidy pack for town & trail."),
        ),
        Category(
            "messenger bag", "messenger bags", (25, 240), ("Messenger bag with a wide flap.", "Worn across.")
        ),
    ),
    Category(
        "bottle holder",
        "bottle holders",
        (8, 25),
        (
            "Clips to the strap of a backpack or messenger bag, nylon or leather.",
            "Keeps a 0.5 l bottle away from your laptop, waterproof inside.",
        ),
    ),
    ("Commute", "Atlas", "Courier", "Weekend", "Foldtop", "Campus"),
    (
        Slot(
            "material",
            (
                value(
                    "leather",
                    "Made of waxed leather.",
                    "Thick vegetable-tanned leather, no nylon.",
                    adj="leather",
                    no="leather",
                ),
                value(
                    "nylon",
                    "Rip-stop nylon.",
                    "Recycled nylon, lighter than leather.",
                    adj="nylon",
                    no="nylon",
                ),
                value(
                    "canvas",
                    "Dense cotton canvas.",
                    "Canvas with a leather-look trim, free of leather.",
                    adj="canvas",
                    no="canvas",
                ),
            ),
        ),
        WATERPROOFING,
        Slot(
            "laptop",
            (
                value(
                    "laptop sleeve",
                    "Padded laptop sleeve up to 15 inches.",
                    "Holds a laptop in its own sleeve.",
                    adj="laptop",
                ),
                value(
                    "no laptop sleeve",
                    "One big compartment, no laptop sleeve.",
                    "Too soft for a laptop.",
                    no="laptop sleeve",
                ),
            ),
        ),
        title_slot("volume", "12 l", "18 l", "26 l"),
        COLOUR,
    ),
    "colour",
    (
        Need(
            ("Which {plural} protect a laptop?", "What {plural} have a padded computer pocket?"),
            (must("laptop", "=", "laptop sleeve"),),
        ),
        Need(
            ("Which {plural} keep books dry in heavy rain?", "What {plural} survive a cloudburst?"),
            (must("waterproofing", "=", "waterproof"),),
        ),
        Need(
            ("Which {plural} would a vegan buy?", "What {plural} are made without animal hide?"),
            (must("material", "!=", "leather"),),
        ),
    ),
    (
        Need(
            ("{plural} for cycling to the office in Bergen", "{plural} for bike couriers in the monsoon"),
            (must("waterproofing", "=", "waterproof"), prefer("volume", ">=", "18 l")),
            "it pours there, and a working day takes 18 l or more",
        ),
        Need(
            (
                "{plural} for a student who codes in the library",
                "{plural} for working in cafés with a notebook",
            ),
            (must("laptop", "=", "laptop sleeve"), prefer("volume", ">=", "18 l")),
            "coding needs a computer in a padded sleeve, and books take 18 l or more",
        ),
        Need(
            ("{plural} for a vegan on a three-day city trip", "{plural} for a vegan's long weekend away"),
            (must("material", "!=", "leather"), prefer("volume", ">=", "26 l")),
            "vegans carry no leather, and three days of clothes take 26 l or more",
        ),
    ),
    impossible=(("leather", "waterproof"),),
)
