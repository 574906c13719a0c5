"""Error against the length of reasoning: where chains go wrong, and what an answer before the reasoning saves.

Longer chains are written for harder pairs, so that rates by length say little of what a further step does. The slope
within pairs compares chains of the same pair only.

Source: TaoSR1 (arXiv 2508.12365, section 1) for error accumulation and section 3.5 for answer-first ("post-CoT");
Math-Shepherd (arXiv 2312.08935) for the step after which no continuation is right.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING, Any

import numpy as np

from curation.configurations import pick_configuration
from curation.step_values import chain_steps
from eval.metrics.bootstrap import interval, resample_counts
from warehouse.errors import TierwiseError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import duckdb
    from numpy.typing import NDArray

    from curation.configurations import ConfigurationInStore
    from warehouse.store import Store

    Floats = NDArray[np.float64]

_GROUPS = 6
PROMPT, DIGIT, LIMIT = "the prompt alone", "the tier itself", "the token limit"
"""Where a wrong chain was lost before its first step, and where its steps still led to gold; cut off there or not."""


@dataclass(frozen=True, slots=True)
class Rate:
    """A share or a slope with its 95 % interval by a bootstrap over queries; NaN where there is none."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Length:
    """Chains of so many steps.

    Attributes:
        steps: Fewest and most.
        chains: How many.
        wrong: Share that does not state the gold tier.
        unparsable: Share that states none.
        with_findings: Share in which the checks find an error; None where they were not checked.
        tokens: Mean tokens.
        answer_first: Share of wrong answers of the answer-first configuration on the same pairs; None without one.
    """

    steps: tuple[int, int]
    chains: int
    wrong: Rate
    unparsable: float
    with_findings: float | None
    tokens: float
    answer_first: Rate | None


@dataclass(frozen=True, slots=True)
class StepLoss:
    """A step of chains that were continued from it.

    Attributes:
        step: As findings name it, by its number where it has no name there; `PROMPT`, `DIGIT` and `LIMIT` besides.
        steps: How many were continued.
        value: Mean value after it; NaN for the tier and the limit.
        change: Mean change of the value by it; NaN for the prompt, the tier and the limit.
        lost: Share of the wrong chains that were lost here: from here on no continuation landed on gold.
    """

    step: str
    steps: int
    value: float
    change: float
    lost: Rate


@dataclass(frozen=True, slots=True)
class AnswerFirst:
    """Answers before the reasoning beside chains, on the pairs of both; a pair counts once, by its mean.

    Attributes:
        configuration: The answer-first configuration.
        pairs: Pairs of both.
        wrong: Share of wrong answers.
        chains_wrong: Share of wrong chains.
        less: Chains' less answers', paired.
        tokens_to_tier: Mean tokens until chains have said all, the tier last; an answer has its tier in one.
        saved: Of the wrong chains, the share of answers to the same pairs that are right.
        lost: Of the wrong answers, the share of chains that are right.
    """

    configuration: str
    pairs: int
    wrong: Rate
    chains_wrong: Rate
    less: Rate
    tokens_to_tier: float
    saved: Rate
    lost: Rate


@dataclass(frozen=True, slots=True)
class Chains:
    """What is known of the chains of a configuration.

    Attributes:
        configuration: The configuration.
        chains: Chains on pairs with a tier.
        pairs: Their pairs.
        queries: Their queries.
        slope: Change of the share of wrong chains with a further step, within pairs.
        lengths: By number of steps.
        lost: By step, where it was continued; empty if none was.
        continued_wrong: Wrong chains that were continued.
        answer_first: Beside answers before the reasoning; None without such.
    """

    configuration: str
    chains: int
    pairs: int
    queries: int
    slope: Rate
    lengths: tuple[Length, ...]
    lost: tuple[StepLoss, ...]
    continued_wrong: int
    answer_first: AnswerFirst | None


def measure_chains(
    store: Store,
    *,
    configuration: str | None = None,
    answer_first: str | None = None,
    resamples: int = 1_000,
    seed: int = 0,
) -> Chains:
    """Measure the chains of a reason-first configuration.

    Args:
        store: Read once.
        configuration: Beginning of its id; the newest finished without.
        answer_first: Beginning of the id of the answer-first configuration beside it; without, the newest of the same
            model, if it has one.
        resamples: Of the bootstrap over queries.
        seed: Of the resamples.

    Raises:
        TierwiseError: No such configuration, one of the other format, or one without samples of judged pairs.
    """
    with store.read(copy_if_held=True) as connection:
        picked = _picked(connection, configuration, "reason-first")
        beside = _beside(connection, picked, answer_first)
        rows = connection.sql(_CHAINS, params=[picked.configuration_id]).to_arrow_table().to_pylist()
        values = connection.sql(_VALUES, params=[picked.configuration_id]).to_arrow_table().to_pylist()
        answers = dict(connection.execute(_ANSWERS, [beside.configuration_id]).fetchall()) if beside else {}
    if not rows:
        raise TierwiseError(
            f"{picked.text} has no samples of pairs with a tier; `python -m curation sample` first"
        )
    table = _Table(rows, answers, resamples, seed)
    lost, continued_wrong = _losses(values, table)
    return Chains(
        configuration=picked.text,
        chains=len(rows),
        pairs=len({row["pair_id"] for row in rows}),
        queries=table.queries,
        slope=table.slope(),
        lengths=tuple(table.length(low, high) for low, high in table.groups()),
        lost=lost,
        continued_wrong=continued_wrong,
        answer_first=table.answer_first(beside.text) if beside and answers else None,
    )


# Of the item text that was judged, as difficulty has it. A sample's text may state its tier by a name.
_OF_JUDGED = """
    FROM samples s JOIN pairs p ON p.pair_id = s.pair_id AND p.tier IS NOT NULL
    JOIN rendered_prompts r ON r.pair_id = s.pair_id AND r.prompt_hash = s.prompt_hash
        AND r.item_version_id = p.item_version_id
    WHERE s.configuration_id = ?::UUID
"""
_CHAINS = f"""
    SELECT CAST(s.sample_id AS VARCHAR) AS sample_id, CAST(s.pair_id AS VARCHAR) AS pair_id,
        CAST(p.query_id AS VARCHAR) AS query, s.text, s.tier IS DISTINCT FROM p.tier AS wrong,
        s.tier IS NULL AS unparsable, s.finish_reason = 'stop' AS finished, s.completion_tokens AS tokens,
        s.sample_id IN (SELECT text_id FROM current_checks) AS checked,
        s.sample_id IN (SELECT text_id FROM current_findings WHERE severity = 'error') AS found
    {_OF_JUDGED} ORDER BY s.sample_id
"""
_ANSWERS = f"""
    SELECT CAST(s.pair_id AS VARCHAR), avg(CAST(s.tier IS DISTINCT FROM p.tier AS DOUBLE)) {_OF_JUDGED} GROUP BY 1
"""
_VALUES = """
    SELECT CAST(sample_id AS VARCHAR) AS sample_id, step_index, step, value, change
    FROM step_values WHERE configuration_id = ?::UUID ORDER BY sample_id, step_index
"""


def _picked(connection: duckdb.DuckDBPyConnection, prefix: str | None, form: str) -> ConfigurationInStore:
    picked = pick_configuration(connection, prefix)
    if picked.format != form:
        raise TierwiseError(f"{picked.text} is {picked.format}; name one that is {form}")
    return picked


def _beside(
    connection: duckdb.DuckDBPyConnection, picked: ConfigurationInStore, prefix: str | None
) -> ConfigurationInStore | None:
    if prefix is not None:
        return _picked(connection, prefix, "answer-first")
    found = connection.execute(
        "SELECT CAST(c.configuration_id AS VARCHAR) FROM configurations c JOIN prompts t USING (prompt_id) "
        "JOIN runs r ON r.configuration_id = c.configuration_id AND r.kind = 'sample' AND r.status = 'finished' "
        "WHERE t.format = 'answer-first' AND coalesce(t.purpose, 'judgments') = 'judgments' AND c.model_id = "
        "(SELECT model_id FROM configurations WHERE configuration_id = ?::UUID) ORDER BY r.ended_at DESC LIMIT 1",
        [picked.configuration_id],
    ).fetchall()
    return pick_configuration(connection, found[0][0]) if found else None


class _Table:
    """Chains as columns [N], and rates of them."""

    def __init__(
        self, rows: list[dict[str, Any]], answers: dict[str, float], resamples: int, seed: int
    ) -> None:
        self.row_of = {row["sample_id"]: index for index, row in enumerate(rows)}
        self.steps = np.array([len(chain_steps(row["text"], finished=row["finished"])) for row in rows])
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


def lost_step(steps: Sequence[Mapping[str, Any]], *, finished: bool) -> str:
    """Where a wrong chain was lost: the step from which on no continuation landed on gold.

    Args:
        steps: Its rows of ``step_values``, in order from step 0, each but that one with a value.
        finished: Whether the chain came to an end.

    Returns:
        Name of the step; `PROMPT` if no other chain of the pair landed on gold either, `DIGIT` if its last step still
        led to gold, or `LIMIT` if it was cut off there.
    """
    lost = DIGIT if finished else LIMIT
    for row in reversed(steps):
        # The prompt has no value where the pair has no other chain.
        if row["value"] is None or row["value"] > 0:
            break
        lost = _name(row)
    return lost


def _name(row: Mapping[str, Any]) -> str:
    if not row["step_index"]:
        return PROMPT
    return str(row["step"]) if row["step"] != "whole" else f"step {row['step_index']}"


def _losses(values: Iterable[dict[str, Any]], table: _Table) -> tuple[tuple[StepLoss, ...], int]:
    """Where wrong chains were lost, by step in the order of chains; and how many were continued from every step."""
    of_chain: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in values:
        of_chain[row["sample_id"]].append(row)
    whole = {
        table.row_of[sample_id]: steps
        for sample_id, steps in of_chain.items()
        if sample_id in table.row_of and all(row["value"] is not None for row in steps if row["step_index"])
    }
    if not whole:
        return (), 0
    lost = {
        index: lost_step(steps, finished=table.finished[index])
        for index, steps in whole.items()
        if table.wrong[index]
    }
    named: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
    places: defaultdict[str, list[float]] = defaultdict(list)
    for steps in whole.values():
        for row in steps:
            named[_name(row)].append(row)
            places[_name(row)].append(row["step_index"] / len(steps))
    order = sorted(named, key=lambda name: fmean(places[name]))
    is_lost = table.marks(lost)
    found = []
    for name in (*order, DIGIT, *([LIMIT] if LIMIT in lost.values() else [])):
        changes = [row["change"] for row in named[name] if row["change"] is not None]
        found.append(
            StepLoss(
                step=name,
                steps=len(named[name]),
                value=_mean([row["value"] for row in named[name] if row["value"] is not None]),
                change=_mean(changes),
                lost=table.rate(table.marks(index for index, at in lost.items() if at == name), is_lost),
            )
        )
    return tuple(found), len(lost)


def _mean(values: Sequence[float]) -> float:
    return fmean(values) if values else float("nan")
