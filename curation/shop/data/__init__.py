"""What the shop sells: one `Family` per kind of goods."""

from __future__ import annotations

from curation.shop.data.audio_and_care import AUDIO, HAIR
from curation.shop.data.home import COOKWARE, LAMPS
from curation.shop.data.outdoor import BAGS, SLEEP
from curation.shop.data.wear import FOOTWEAR, JACKETS

FAMILIES = (FOOTWEAR, JACKETS, COOKWARE, LAMPS, SLEEP, BAGS, AUDIO, HAIR)
