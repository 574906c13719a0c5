"""Headphones and hair care."""

from __future__ import annotations

from curation.shop.data.shared import COLOUR, title_slot
from curation.shop.schema import Category, Family, Need, Slot, must, prefer, value

AUDIO = Family(
    "audio",
    (
        Category(
            "over-ear headphones",
            "over-ear headphones",
            (30, 380),
            ("Over-ear headphones with soft cushions.", "Big drivers, clear mids."),
        ),
        Category(
            "in-ear headphones",
            "in-ear headphones",
            (15, 260),
            ("In-ear headphones with three sizes of tips.", "Tiny buds, full bass."),
        ),
    ),
    Category(
        "headphone case",
        "headphone cases",
        (7, 30),
        (
            "Hard case for over-ear headphones or in-ear headphones & their cable.",
            "Splash-proof case with a pocket for Bluetooth dongle or jack adapter.",
        ),
    ),
    ("Murmur 9", "Cadenza", "Pulse", "Mono", "Aria", "Decibel"),
    (
        Slot(
            "connection",
            (
                value(
                    "Bluetooth",
                    "Bluetooth 5.3, no cable.",
                    "Connects by Bluetooth.",
                    adj="Bluetooth",
                    no="Bluetooth",
                ),
                value(
                    "3.5 mm jack",
                    "Plugs into any 3.5 mm jack.",
                    "3.5 mm jack instead of Bluetooth.",
                    adj="3.5 mm jack",
                    no="jack cable",
                ),
                value(
                    "USB-C cable", "USB-C cable, no jack.", "Plugs into USB-C.", adj="USB-C", no="USB-C cable"
                ),
            ),
        ),
        Slot(
            "noise",
            (
                value(
                    "noise cancelling",
                    "Active noise cancelling.",
                    "Noise cancelling with four sensors.",
                    adj="noise cancelling",
                    no="noise cancelling",
                ),
                value(
                    "passive",
                    "Passive isolation, no noise cancelling.",
                    "Blocks noise passively, without electronics.",
                ),
            ),
        ),
        Slot(
            "microphone",
            (
                value(
                    "microphone",
                    "Built-in microphone for calls.",
                    "Clear microphone with mute switch.",
                    no="microphone",
                ),
                value("no microphone", "For listening only: no microphone.", "Comes without microphone."),
            ),
        ),
        Slot(
            "sweat",
            (
                value("sweatproof", "Sweatproof (IPX5).", "Rinse it: sweatproof to IPX5.", adj="sweatproof"),
                value("not sweatproof", "Not sweatproof, keep it dry.", "Made for home, not sweatproof."),
            ),
        ),
        COLOUR,
    ),
    "colour",
    (
        Need(
            ("Which {plural} can I use for video calls?", "Which {plural} let the other side hear me?"),
            (must("microphone", "=", "microphone"),),
        ),
        Need(
            ("Which {plural} never need charging?", "What {plural} have no battery to run flat?"),
            (must("connection", "!=", "Bluetooth"), must("noise", "=", "passive")),
        ),
        Need(
            ("Which {plural} survive the gym?", "What {plural} can I wear on a treadmill?"),
            (must("sweat", "=", "sweatproof"),),
        ),
    ),
    (
        Need(
            (
                "{plural} for an eight-hour flight beside the engines",
                "{plural} for the seat-back screen on a loud plane",
            ),
            (must("noise", "=", "noise cancelling"), prefer("connection", "=", "3.5 mm jack")),
            "engine drone needs active cancelling, and seat-back screens have a 3.5 mm jack",
        ),
        Need(
            ("{plural} for practising digital piano at night", "{plural} for a drummer who hates lag"),
            (must("connection", "!=", "Bluetooth"), prefer("connection", "=", "3.5 mm jack")),
            "Bluetooth lags behind the keys, and instruments have a jack",
        ),
        Need(
            ("{plural} for marathon training in July", "{plural} for spinning class"),
            (must("sweat", "=", "sweatproof"), prefer("connection", "=", "Bluetooth")),
            "hard training drips, and cables get in the way",
        ),
    ),
)

HAIR = Family(
    "hair",
    (
        Category(
            "liquid shampoo",
            "liquid shampoos",
            (4, 32),
            ("Liquid shampoo that foams richly.", "Mild & gentle."),
        ),
        Category(
            "shampoo bar",
            "shampoo bars",
            (5, 28),
            ("A shampoo bar for 60 washes.", "Solid shampoo, zero bottle."),
        ),
    ),
    Category(
        "conditioner",
        "conditioners",
        (6, 35),
        (
            "Follows every shampoo, for dry, oily or coloured hair.",
            "Use after liquid shampoo or shampoo bar; leave on for two minutes.",
        ),
    ),
    ("Meadow", "Silk", "Pure", "Spa No. 5", "Botanica", "Daily"),
    (
        Slot(
            "sulphates",
            (
                value(
                    "with sulphates",
                    "Cleans deeply with mild sulphates.",
                    "Sulphates for a big lather.",
                    no="sulphates",
                ),
                value(
                    "sulphate-free",
                    "Sulphate-free.",
                    "Gentle sugar surfactants, no sulphates.",
                    adj="sulphate-free",
                ),
            ),
        ),
        Slot(
            "silicones",
            (
                value(
                    "with silicones",
                    "Silicones for extra gloss.",
                    "Smooths with light silicones.",
                    no="silicones",
                ),
                value(
                    "silicone-free",
                    "Silicone-free.",
                    "No silicones that weigh hair down.",
                    adj="silicone-free",
                ),
            ),
        ),
        Slot(
            "hair",
            (
                value(
                    "dry hair",
                    "For dry hair.",
                    "Nourishes dry & brittle hair, too rich for oily hair.",
                    adj="dry hair",
                ),
                value(
                    "oily hair", "For oily hair.", "Clears oily roots; may parch dry hair.", adj="oily hair"
                ),
                value(
                    "coloured hair",
                    "For coloured hair.",
                    "Made for coloured hair, dry or oily.",
                    adj="coloured hair",
                ),
            ),
        ),
        title_slot("scent", "unscented", "lavender", "citrus", "rosemary"),
        title_slot("pack", "single", "twin pack", "family pack", ask=False),
    ),
    "scent",
    (
        Need(
            ("Which {plural} help against greasy roots?", "My hair is greasy by noon, which {plural}?"),
            (must("hair", "=", "oily hair"),),
        ),
        Need(
            ("Which {plural} contain no perfume?", "What {plural} smell of nothing?"),
            (must("scent", "=", "unscented"),),
        ),
        Need(
            ("Which {plural} do not build up on the hair?", "What {plural} rinse out without a film?"),
            (must("silicones", "=", "silicone-free"),),
        ),
    ),
    (
        Need(
            ("{plural} after a fresh balayage", "{plural} for hair dyed copper last week"),
            (must("sulphates", "=", "sulphate-free"), prefer("hair", "=", "coloured hair")),
            "sulphates wash out dye, and dyed hair is coloured hair",
        ),
        Need(
            (
                "{plural} for a contact allergy to fragrance",
                "{plural} for someone who gets migraine from smells",
            ),
            (must("scent", "=", "unscented"), prefer("sulphates", "=", "sulphate-free")),
            "fragrance allergy rules out every scent, and sensitive skin does better without sulphates",
        ),
        Need(
            ("{plural} for straw-like hair after a beach holiday", "{plural} for hair parched by chlorine"),
            (must("hair", "=", "dry hair"), prefer("sulphates", "=", "sulphate-free")),
            "sun and chlorine leave hair dry, and sulphates dry it further",
        ),
    ),
)
