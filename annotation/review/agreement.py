"""How far annotators agree: Krippendorff's alpha by question and slice, and who stands apart where.

Questions and their distances: ``tier`` nominal and ordinal, ``quality`` ordinal, ``failing_steps`` Jaccard over the
sets of steps (no step is the empty set), ``hallucinations`` over characters with the kind of span as value
(`annotation.review.alpha.span_coincidences`). Intervals are 95 % by a bootstrap over queries: records of a query are
not independent.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import asdict
from itertools import combinations
from statistics import mean
from typing import TYPE_CHECKING, Any

import numpy as np

from annotation.review.alpha import coincidences, estimate, jaccard, nominal, ordinal, span_coincidences
from annotation.review.datasets import review_datasets
from annotation.review.questions import SPAN_KINDS, TIERS
from annotation.review.votes import by_sample, majority_tier, submitted
from warehouse.errors import TierwiseError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from annotation.review.alpha import Alpha, Distance, Floats
    from annotation.review.votes import Review
    from warehouse.store import Store

_SPLITTING = 20
_VALUES = (1, 2, 3, 4, 5)


def measure(store: Store, dataset: str | None, *, resamples: int, seed: int) -> dict[str, Any]:
    """Agreement of the submitted answers.

    Returns:
        ``records`` and ``annotators`` counted, ``alphas`` as rows over the slices ``all``, ``annotators`` (a + b),
        ``kind`` and ``band``, ``annotators_against_the_others`` as rows, and ``split``, the records with the widest
        disagreement first.

    Raises:
        TierwiseError: No such dataset, no answer was pulled, or no record has two annotators.
    """
    review_datasets(store, dataset)
    with store.read() as connection:
        reviews = submitted(connection, dataset)
    # A sample whose item was taken down has no text any more.
    shared = [of for of in by_sample(reviews).values() if len(of) > 1 and of[0].text]
    if not shared:
        raise TierwiseError(
            f"no record has answers of two annotators ({len(reviews):,} answers); push with --overlap 2, or wait"
        )
    alphas = [
        {
            **{"question": question, "distance": distance, "slice": slice_, "of": of},
            **asdict(_alpha(records, question, distance, resamples=resamples, seed=seed)),
        }
        for slice_, of, records in _slices(shared)
        for question, distance in _MEASURED
    ]
    return {
        "records": len(shared),
        "answers": sum(map(len, shared)),
        "annotators": sorted({review.annotator for of in shared for review in of}),
        "alphas": alphas,
        "annotators_against_the_others": list(_against_the_others(shared)),
        "split": _splitting(shared),
    }


def _slices(shared: Sequence[list[Review]]) -> Iterator[tuple[str, str, list[list[Review]]]]:
    yield "all", "all", list(shared)
    annotators = sorted({review.annotator for of in shared for review in of})
    if len(annotators) > 2:
        for pair in combinations(annotators, 2):
            both = [[r for r in of if r.annotator in pair] for of in shared]
            if met := [of for of in both if len(of) > 1]:
                yield "annotators", " + ".join(pair), met
    for name in ("kind", "band"):
        values: defaultdict[str, list[list[Review]]] = defaultdict(list)
        for of in shared:
            values[str(getattr(of[0], name) or "none")].append(of)
        for value, records in sorted(values.items()):
            yield name, value, records


def _alpha(
    records: Sequence[list[Review]], question: str, distance: str, *, resamples: int, seed: int
) -> Alpha:
    per_unit, distances = _MEASURED[question, distance](records)
    queries = {query: i for i, query in enumerate(sorted({of[0].query_id for of in records}))}
    clusters = [queries[of[0].query_id] for of in records]
    return estimate(per_unit, distances, clusters, resamples=resamples, seed=seed)


def _graded(
    name: str, values: Sequence[int], distance: Distance
) -> Callable[[Sequence[list[Review]]], tuple[Floats, Distance]]:
    def measured(records: Sequence[list[Review]]) -> tuple[Floats, Distance]:
        return _counted(records, name, values), distance

    return measured


def _steps(records: Sequence[list[Review]]) -> tuple[Floats, Distance]:
    sets = sorted({review.failing_steps for of in records for review in of}, key=sorted)
    return _counted(records, "failing_steps", sets), jaccard(sets)


def _counted(records: Sequence[list[Review]], name: str, values: Sequence[Any]) -> Floats:
    counts = np.zeros((len(records), len(values)))
    for row, of in enumerate(records):
        for review in of:
            answer = getattr(review, name)
            if answer is not None:
                counts[row, values.index(answer)] += 1
    return coincidences(counts)


def _spans(records: Sequence[list[Review]]) -> tuple[Floats, Distance]:
    kinds = list(SPAN_KINDS)
    units = [span_coincidences([r.spans for r in of], len(of[0].text), kinds) for of in records]
    return np.stack(units), nominal(1 + len(kinds))


_MEASURED: dict[tuple[str, str], Callable[[Sequence[list[Review]]], tuple[Floats, Distance]]] = {
    ("tier", "nominal"): _graded("tier", _VALUES[:4], nominal(4)),
    ("tier", "ordinal"): _graded("tier", _VALUES[:4], ordinal),
    ("quality", "ordinal"): _graded("quality", _VALUES, ordinal),
    ("failing_steps", "jaccard"): _steps,
    ("hallucinations", "characters"): _spans,
}


def _against_the_others(shared: Sequence[list[Review]]) -> Iterator[dict[str, Any]]:
    """Each annotator against what most of the others say of the same records."""
    for annotator in sorted({review.annotator for of in shared for review in of}):
        agree: list[bool] = []
        harsher: list[float] = []
        for of in shared:
            own = next((review for review in of if review.annotator == annotator), None)
            others = [review for review in of if review.annotator != annotator]
            if own is None:
                continue
            tier = majority_tier(others)
            if own.tier and tier:
                agree.append(own.tier == tier)
            ratings = [r.quality for r in others if r.quality is not None]
            if own.quality is not None and ratings:
                harsher.append(own.quality - mean(ratings))
        yield {
            "annotator": annotator,
            "records": len(agree),
            "same_tier": mean(agree) if agree else float("nan"),
            "quality_above_the_others": mean(harsher) if harsher else float("nan"),
        }


def _splitting(shared: Sequence[list[Review]]) -> list[dict[str, Any]]:
    """Records by how far apart the tiers lie, then by whether the votes differ, then by the ratings."""

    def spread(values: Iterable[int | None]) -> int:
        known = [value for value in values if value is not None]
        return max(known) - min(known) if known else 0

    def width(of: Sequence[Review]) -> tuple[int, int, int]:
        votes = {review.vote == "accept" for review in of if review.vote}
        return spread(r.tier for r in of), len(votes), spread(r.quality for r in of)

    widest = sorted(shared, key=lambda of: (*(-n for n in width(of)), of[0].sample_id))
    return [
        {
            "sample_id": of[0].sample_id,
            "query": of[0].query,
            "title": of[0].title,
            "model": of[0].model_tier,
            "answers": {r.annotator: _told(r) for r in of},
        }
        for of in widest[:_SPLITTING]
        if width(of)[0] or width(of)[1] > 1
    ]


def _told(review: Review) -> str:
    tier = f"{review.tier} {TIERS[str(review.tier)]}" if review.tier else "cannot tell"
    quality = f", quality {review.quality}" if review.quality is not None else ""
    steps = f", fails: {', '.join(sorted(review.failing_steps))}" if review.failing_steps else ""
    return f"{tier}{quality}{steps}"
