"""Titles and descriptions: every value stated, others denied beside it, other goods named."""

from __future__ import annotations

import html
from random import Random
from typing import TYPE_CHECKING

from curation.shop.load import shop_data
from curation.shop.units import imperial

if TYPE_CHECKING:
    from curation.shop.catalogue import Item
    from curation.shop.schema import Value

_STYLES = ("prose", "list", "markup", "terse", "empty")
_STYLE_WEIGHTS = (42, 22, 16, 12, 8)
_METRIC_SHARE = 0.6


def item_text(item: Item) -> tuple[str, str]:
    """Title and description. One item in twelve or so has no description: then the title states it all."""
    rng = Random(item.item_id)  # noqa: S311 - a reproducible shop, not a secret
    phrases = shop_data().phrases
    metric = rng.random() < _METRIC_SHARE
    titled: list[str] = []
    brief: list[str] = []
    sentences: list[str] = []
    for slot in item.family.slots:
        value = slot.lookup(item.values[slot.name])
        word = _word(rng, value, metric)
        others = [each for each in slot.values if each.words and each is not value]
        other = _word(rng, rng.choice(others), metric) if others else ""
        sentence = rng.choice(value.says).format(v=word, o=other)
        if slot.title:
            titled.append(sentence)
        else:
            sentences.append(sentence[0].upper() + sentence[1:])
            brief.append(value.brief.format(v=word))
    _shuffle_together(rng, sentences, brief)
    if item.echo_in == "text":
        sentences.append(rng.choice(phrases["text_echoes"]).format(echo=item.echo))
    description = _description(rng, rng.choice(item.category.intros), sentences, brief)
    in_title = item.echo_in == "title" or not description
    title = rng.choice(phrases["titles"]).format(
        brand=item.brand,
        line=item.line,
        name=" ".join(word[0].upper() + word[1:] for word in item.category.name.split()),
        detail=", ".join(titled if description else [*brief, *titled]),
        echo=rng.choice(phrases["title_echoes"]).format(echo=item.echo) if in_title else "",
    )
    return title, description


def _word(rng: Random, value: Value, metric: bool) -> str:
    if not value.words:
        return ""
    word = rng.choice(value.words)
    return word if metric else imperial(word)


def _shuffle_together(rng: Random, sentences: list[str], brief: list[str]) -> None:
    order = list(zip(sentences, brief, strict=True))
    rng.shuffle(order)
    sentences[:], brief[:] = [each for each, _ in order], [each for _, each in order]


def _description(rng: Random, intro: str, sentences: list[str], brief: list[str]) -> str:
    style = rng.choices(_STYLES, _STYLE_WEIGHTS)[0]
    if style == "empty":
        return ""
    if style == "terse":
        terse = ", ".join(brief)
        return " ".join([terse[0].upper() + terse[1:] + ".", *sentences[len(brief) :]])
    if style == "prose":
        return " ".join([intro, *sentences])
    escaped = [html.escape(each).replace("°", "&deg;") for each in (intro, *sentences)]
    if style == "list":
        return f"<p>{escaped[0]}</p><ul>{''.join(f'<li>{each}</li>' for each in escaped[1:])}</ul>"
    return f"<b>{escaped[0]}</b><br/>" + "&nbsp;".join(escaped[1:])
