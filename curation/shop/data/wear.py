"""Footwear and jackets."""

from __future__ import annotations

from curation.shop.data.shared import COLOUR, COMFORT, WATERPROOFING, title_slot
from curation.shop.schema import Category, Family, Need, Slot, must, prefer, value

FOOTWEAR = Family(
    "footwear",
    (
        Category(
            "running shoes",
            "running shoes",
            (45, 190),
            ("Light running shoes that roll smoothly.", "A daily trainer."),
        ),
        Category(
            "walking shoes",
            "walking shoes",
            (50, 210),
            ("Walking shoes for long days.", "Comfortable from step one."),
        ),
    ),
    Category(
        "sports socks",
        "sports socks",
        (6, 25),
        (
            "Soft socks for running shoes and walking shoes, leather or mesh.",
            "Padded socks that dry fast even in waterproof shoes.",
        ),
    ),
    ("Stride", "Aero", "Fjell", "Pace 3", "Loop", "Contour"),
    (
        Slot(
            "material",
            (
                value(
                    "leather",
                    "Upper in full-grain leather.",
                    "Supple leather instead of mesh.",
                    adj="leather",
                    no="leather",
                ),
                value(
                    "suede",
                    "Velvety suede upper.",
                    "The upper is suede, stitched to last.",
                    adj="suede",
                    no="suede",
                ),
                value(
                    "mesh",
                    "Leather-free: the upper is engineered mesh.",
                    "Airy mesh upper.",
                    adj="mesh",
                    no="mesh",
                ),
                value(
                    "knit", "One-piece knit upper, no leather anywhere.", "Sock-like knit upper.", adj="knit"
                ),
            ),
        ),
        WATERPROOFING,
        Slot(
            "sole",
            (
                value(
                    "lugged sole",
                    "Deep lugs bite into mud & gravel.",
                    "Lugged sole for trails.",
                    adj="lugged sole",
                ),
                value(
                    "road sole",
                    "Smooth road sole without lugs.",
                    "Flat sole made for tarmac.",
                    adj="road sole",
                ),
            ),
        ),
        COLOUR,
        title_slot("size", "EU 38", "EU 40", "EU 42", "EU 44"),
    ),
    "colour",
    (
        Need(
            ("Which {plural} keep my socks dry in pouring rain?", "Which {plural} can take a puddle?"),
            (must("waterproofing", "=", "waterproof"),),
        ),
        Need(
            ("What {plural} can a vegan wear?", "Which {plural} are made without animal skin?"),
            (must("material", "!=", "leather"), must("material", "!=", "suede")),
        ),
        Need(
            ("Which {plural} grip on muddy paths?", "What {plural} should I wear on loose gravel?"),
            (must("sole", "=", "lugged sole"),),
        ),
    ),
    (
        Need(
            ("{plural} for a wet autumn on forest trails", "{plural} for Scottish bogs in October"),
            (must("waterproofing", "=", "waterproof"), prefer("sole", "=", "lugged sole")),
            "wet ground soaks anything but a membrane, and soft ground needs lugs",
        ),
        Need(
            ("{plural} for city miles at 32 °C", "{plural} for a heatwave on asphalt"),
            (must("waterproofing", "=", "not waterproof"), prefer("sole", "=", "road sole")),
            "a membrane traps heat, and asphalt needs no lugs",
        ),
        Need(
            ("{plural} for a vegan friend who loves muddy parks", "{plural} for a vegan on farm tracks"),
            (
                must("material", "!=", "leather"),
                must("material", "!=", "suede"),
                prefer("sole", "=", "lugged sole"),
            ),
            "vegans wear neither leather nor suede, and mud needs lugs",
        ),
    ),
)

JACKETS = Family(
    "jackets",
    (
        Category(
            "hiking jacket",
            "hiking jackets",
            (60, 320),
            ("A hiking jacket that packs small.", "For hikes & travel."),
        ),
        Category(
            "parka", "parkas", (80, 380), ("A long parka with a storm flap.", "City parka with four pockets.")
        ),
    ),
    Category(
        "beanie",
        "beanies",
        (9, 40),
        (
            "Fits under the hood of a parka or hiking jacket, waterproof or not.",
            "Warm beanie, no down, no itching.",
        ),
    ),
    ("Skerry", "Tarn", "Cloudbreak", "Vidda", "Harbour", "Ridge 2"),
    (
        Slot(
            "filling",
            (
                value(
                    "down",
                    "Filled with responsibly sourced down.",
                    "Goose down, light as air.",
                    adj="down",
                    no="down",
                ),
                value(
                    "synthetic",
                    "Synthetic filling instead of down.",
                    "Recycled synthetic filling.",
                    adj="synthetic",
                ),
                value(
                    "unlined", "Unlined shell, no filling.", "A shell without down or lining.", adj="unlined"
                ),
            ),
        ),
        WATERPROOFING,
        COMFORT,
        COLOUR,
        title_slot("size", "S", "M", "L", "XL", ask=False),
    ),
    "colour",
    (
        Need(
            ("What to wear in steady rain: which {plural}?", "Which {plural} stay dry inside in a storm?"),
            (must("waterproofing", "=", "waterproof"),),
        ),
        Need(
            ("Which {plural} are warm enough at freezing point?", "What {plural} keep me warm at 0 °C?"),
            (must("comfort", "<=", "0 °C"),),
        ),
        Need(
            ("Which {plural} contain no feathers?", "Are there {plural} made without animal products?"),
            (must("filling", "!=", "down"),),
        ),
    ),
    (
        Need(
            ("{plural} for a rainy 5 °C hike", "{plural} for drizzle at 5 °C"),
            (must("waterproofing", "=", "waterproof"), prefer("comfort", "<=", "5 °C")),
            "rain needs a waterproof shell, and 5 °C a comfort limit of 5 °C or lower",
        ),
        Need(
            ("{plural} for January in Lapland", "{plural} for an ice-fishing weekend at -8 °C"),
            (must("comfort", "<=", "-8 °C"), prefer("filling", "=", "down")),
            "deep frost needs a comfort limit of -8 °C or lower, and dry cold suits down",
        ),
        Need(
            (
                "{plural} for a feather allergy and Christmas markets",
                "{plural} for an allergic friend in winter",
            ),
            (must("filling", "!=", "down"), prefer("comfort", "<=", "0 °C")),
            "down is feathers, and winter means about 0 °C",
        ),
    ),
    impossible=(("unlined", "0 °C"), ("unlined", "-10 °C"), ("down", "10 °C")),
)
