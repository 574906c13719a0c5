from __future__ import annotations

import pytest

from curation.ingest.cleaning import clean_description
from curation.shop import ShopRow, generate
from curation.shop.derivations import Derivation, parse_derivation


@pytest.fixture(scope="session")
def pairs() -> list[tuple[ShopRow, Derivation]]:
    """Rows of the shop, of all kinds and tiers, with their derivations."""
    return [(row, parse_derivation(row.intent, row.derivation)) for row in generate(2_400, seed=19)]


@pytest.fixture(scope="session")
def texts(pairs: list[tuple[ShopRow, Derivation]]) -> list[str]:
    """Titles and descriptions as a store has them."""
    return [f"{row.title}\n{clean_description(row.description)}" for row, _ in pairs]
