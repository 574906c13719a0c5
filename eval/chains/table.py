"""Chains as columns, and rates of them with intervals."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from curation.step_values import chain_steps
from eval.chains.found import AnswerFirst, Length, Rate
from eval.metrics.bootstrap import interval, resample_counts

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from curation.grading import Format

    Floats = NDArray[np.float64]

_GROUPS = 6


class ChainTable:
    """Chains as columns [N], and rates of them."""

    def __init__(
        self, rows: list[dict[str, Any]], form: Format, answers: dict[str, float], resamples: int, seed: int
    ) -> None:
        self.row_of = {row["sample_id"]: index for index, row in enumerate(rows)}
        self.steps = np.array(
            [len(chain_steps(row["text"], finished=row["finished"], form=form)) for row in rows]
        )
        self.finished = [bool(row["finished"]) for row in rows]
        self.wrong = np.array([row["wrong"] for row in rows], dtype=float)
        self.unparsable = np.array([row["unparsable"] for row in rows], dtype=float)
        self.tokens = np.array([row["tokens"] for row in rows], dtype=float)
        self.checked = np.array([row["checked"] for row in rows])
        self.found = np.array([row["found"] for row in rows], dtype=float)
        _, self.query = np.unique([row["query"] for row in rows], return_inverse=True)
        _, self.pair = np.unique([row["pair_id"] for row in rows], return_inverse=True)
        self.answer = np.array([answers.get(row["pair_id"], np.nan) for row in rows], dtype=float)
        self.queries = int(self.query.max()) + 1
        self._resamples, self._seed = resamples, seed

    def groups(self) -> list[tuple[int, int]]:
        """Fewest and most steps: each number by itself, or six groups of about equally many chains."""
        numbers = np.unique(self.steps)
        if len(numbers) > _GROUPS:
            shares = np.arange(1, _GROUPS + 1) / _GROUPS
            highs = np.unique(np.quantile(self.steps, shares, method="inverted_cdf"))
        else:
            highs = numbers
        lows = [numbers[0], *(numbers[numbers > high][0] for high in highs[:-1])]
        return [(int(low), int(high)) for low, high in zip(lows, highs, strict=True)]

    def marks(self, rows: Iterable[int]) -> Floats:
        """1 in these rows, else 0, [N]."""
        marked = np.zeros(len(self.wrong))
        marked[list(rows)] = 1.0
        return marked

    def rate(self, numerator: Floats, denominator: Floats) -> Rate:
        """Sum of one column [N] over that of another, with its interval."""
        sums = np.stack(
            [np.bincount(self.query, column, self.queries) for column in (numerator, denominator)], axis=1
        )
        with np.errstate(invalid="ignore", divide="ignore"):
            blocks = resample_counts(self.queries, self._resamples, self._seed)
            totals = np.concatenate([counts @ sums for counts in blocks])
            value = float(np.divide(*sums.sum(axis=0)))
            low, high, _ = interval(totals[:, 0] / totals[:, 1], self.queries)
        return Rate(value, low, high)

    def length(self, low: int, high: int) -> Length:
        """Chains of `low` to `high` steps."""
        there = (self.steps >= low) & (self.steps <= high)
        beside = there & ~np.isnan(self.answer)
        return Length(
            steps=(low, high),
            chains=int(there.sum()),
            wrong=self.rate(self.wrong * there, there.astype(float)),
            unparsable=float(self.unparsable[there].mean()),
            with_findings=float(self.found[there].mean()) if self.checked[there].all() else None,
            tokens=float(self.tokens[there].mean()),
            answer_first=self.rate(np.where(beside, self.answer, 0.0), beside.astype(float))
            if beside.any()
            else None,
        )

    def slope(self) -> Rate:
        """Of wrong on steps with an intercept for each pair (the within estimator)."""
        size = np.bincount(self.pair)
        length = self.steps - (np.bincount(self.pair, self.steps) / size)[self.pair]
        wrong = self.wrong - (np.bincount(self.pair, self.wrong) / size)[self.pair]
        return self.rate(length * wrong, length * length)

    def answer_first(self, configuration: str) -> AnswerFirst | None:
        """Beside answers before the reasoning; None where no pair has both."""
        beside = ~np.isnan(self.answer)
        if not beside.any():
            return None
        # A pair weighs one, however many chains it has.
        weight = beside / np.bincount(self.pair)[self.pair]
        answer = np.where(beside, self.answer, 0.0)
        return AnswerFirst(
            configuration=configuration,
            pairs=len(np.unique(self.pair[beside])),
            wrong=self.rate(weight * answer, weight),
            chains_wrong=self.rate(weight * self.wrong, weight),
            less=self.rate(weight * (self.wrong - answer), weight),
            tokens_to_tier=float(np.average(self.tokens, weights=weight)),
            saved=self.rate(weight * self.wrong * (1 - answer), weight * self.wrong),
            lost=self.rate(weight * answer * (1 - self.wrong), weight * answer),
        )
