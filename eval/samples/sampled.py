"""The samples of a configuration for the pairs of a split, counted: all that their metrics read."""

from __future__ import annotations

import json
import shlex
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from curation.checks.checking import TEXT
from curation.checks.finding import KINDS
from curation.splits.inspect import require_split, verify_split
from eval.evidence import ATTRIBUTES, SPLIT_PAIRS, coded, column_of
from warehouse.errors import TierwiseError

if TYPE_CHECKING:
    from collections.abc import Mapping

    import duckdb
    from numpy.typing import NDArray

    from curation.configurations import ConfigurationInStore
    from eval.evidence import Attribute

    Ints = NDArray[np.int64]

_COUNTS = ("n", "c", "unparsable", "unfinished", "tokens", "agreeing", "checked")
_N = 8
"""Samples for a pair where there is none to go by."""


@dataclass(frozen=True, slots=True)
class Sampled:
    """N pairs of a split with what their samples come to, by id, and Q queries.

    Attributes:
        configuration: Whose samples.
        split: Of which split.
        role: The split's role.
        query: Index of each pair's query, 0 to Q − 1, [N].
        weight: Traffic weights, [N].
        attributes: Those of `eval.evidence.ATTRIBUTES`, and gold. Without the difficulty band if the split froze that
            of the configuration itself: it says how many of these samples are correct.
        n: Samples, at least one, [N].
        c: Those that state the gold tier which the split froze, [N].
        unparsable: Those that state none, [N].
        unfinished: Those that were cut at the limit of tokens, [N].
        tokens: Tokens generated for all of them, [N].
        agreeing: Those that state the tier which most of them state, [N].
        checked: Those that the checks have read, [N].
        erring: Those in which the checks find an error, by kind of finding, [N] each; a sample counts once in "any".
        failed: Pairs of the split that the model could not take, by reason; not among the N.
        gold_changed: Pairs whose gold tier in the store is no longer the frozen one.
        altered: What about the split is not as it was frozen, if anything.
    """

    configuration: ConfigurationInStore
    split: str
    role: str
    query: Ints
    weight: NDArray[np.float64]
    attributes: dict[str, Attribute]
    n: Ints
    c: Ints
    unparsable: Ints
    unfinished: Ints
    tokens: Ints
    agreeing: Ints
    checked: Ints
    erring: Mapping[str, Ints]
    failed: dict[str, int]
    gold_changed: int
    altered: str | None = None

    @property
    def queries(self) -> int:
        """Q."""
        return int(self.query.max()) + 1

    @property
    def weighted(self) -> bool:
        """Whether pairs differ in traffic."""
        return bool((self.weight != self.weight[0]).any())


def require_samples(
    connection: duckdb.DuckDBPyConnection, configuration: ConfigurationInStore, split: str
) -> dict[str, int]:
    """Check that every pair of `split` has a sample of the item text that the split froze, or could have none.

    Returns:
        Pairs that the model could not take, by reason.

    Raises:
        TierwiseError: No such split, or pairs without samples; the message has the command that draws them.
    """
    require_split(connection, split)
    asked = _asked(configuration, split)
    failed: Counter[str] = Counter()
    missing = undrawable = 0
    for reason, is_drawable, count in connection.execute(_WITHOUT, asked).fetchall():
        if reason is not None:
            failed[reason] += count
            continue
        missing += count
        undrawable += 0 if is_drawable else count
    if missing:
        total = connection.execute("SELECT count(*) FROM split_members WHERE split = ?", [split]).fetchall()[
            0
        ][0]
        told = (
            f"configuration {configuration.configuration_id[:8]} has no samples of {missing:,} of the {total:,} "
            f"pairs of {split}"
        )
        if undrawable:
            raise TierwiseError(
                f"{told}, and {undrawable:,} of these have another item text by now, or no gold tier; freeze a new "
                "version of the split by `python -m curation split create`"
            )
        raise TierwiseError(f"{told}: run `{_sampling_command(connection, configuration, split)}`")
    return dict(sorted(failed.items()))


def read_sampled(
    connection: duckdb.DuckDBPyConnection,
    configuration: ConfigurationInStore,
    split: str,
    failed: dict[str, int],
) -> Sampled:
    """Count the samples of `configuration` for `split`; `failed` is what `require_samples` returned.

    A sample counts where it is of the item text that the split froze, under whichever prompt showed it, and is held
    against the tier that the split froze. An error counts where the newest version of the checks without a model finds
    it.

    Raises:
        TierwiseError: No pair of the split has a sample.
    """
    differences = verify_split(connection, split)
    table: Any = connection.sql(_SAMPLED, params=_asked(configuration, split)).to_arrow_table()
    if not len(table):
        raise TierwiseError(
            f"{configuration.text} could take no pair of {split} ({', '.join(failed)}); nothing to measure"
        )
    role, its_own = connection.execute(
        "SELECT role, configuration_id IS NOT DISTINCT FROM $configuration::UUID FROM splits WHERE split = $split",
        _asked(configuration, split),
    ).fetchall()[0]
    names = ("gold", *(name for name in ATTRIBUTES if not (name == "band" and its_own)))
    return Sampled(
        configuration=configuration,
        split=split,
        role=role,
        query=coded(table, "query_id").codes,
        weight=column_of(table, "weight").astype(np.float64),
        attributes={name: coded(table, name) for name in names},
        **{name: column_of(table, name).astype(np.int64) for name in _COUNTS},
        erring={kind: column_of(table, f"erring_{kind}").astype(np.int64) for kind in ("any", *KINDS)},
        failed=failed,
        gold_changed=int(column_of(table, "gold_changed").sum()),
        altered=differences[0] if differences else None,
    )


def _asked(configuration: ConfigurationInStore, split: str) -> dict[str, str]:
    return {"configuration": configuration.configuration_id, "split": split}


def _sampling_command(
    connection: duckdb.DuckDBPyConnection, configuration: ConfigurationInStore, split: str
) -> str:
    asked = _asked(configuration, split)
    model, prompt, decoding, n = connection.execute(
        "SELECT m.name, t.name, c.decoding, (SELECT max(sample_index) + 1 FROM samples "
        "SEMI JOIN (SELECT pair_id FROM split_members WHERE split = $split) USING (pair_id) "
        "WHERE configuration_id = $configuration::UUID) FROM configurations c JOIN models m USING (model_id) "
        "JOIN prompts t USING (prompt_id) WHERE configuration_id = $configuration::UUID",
        asked,
    ).fetchall()[0]
    values = json.loads(decoding)
    unguided = configuration.format == "answer-first" and not values["guided"]
    return (
        f"python -m curation sample --n {n or _N} --model {shlex.quote(model)} --prompt {shlex.quote(prompt)} "
        f"--max-tokens {values['max_tokens']} --temperature {values['temperature']} --top-p {values['top_p']} "
        f"{'--unguided ' if unguided else ''}"
        f"--where \"pair_id IN (SELECT pair_id FROM split_members WHERE split = '{split}')\""
    )


# Of the item text that was frozen, as difficulty has that which was judged.
_FROZEN_TEXT = """
    SELECT {columns} FROM {table} s JOIN split_members m ON m.pair_id = s.pair_id AND m.split = $split
    JOIN rendered_prompts r ON r.pair_id = s.pair_id AND r.prompt_hash = s.prompt_hash
        AND r.item_version_id = m.item_version_id
    WHERE s.configuration_id = $configuration::UUID
"""

_WITHOUT = f"""
    SELECT f.reason, p.tier IS NOT NULL AND p.item_version_id = m.item_version_id AS is_drawable, count(*)
    FROM split_members m JOIN pairs p ON p.pair_id = m.pair_id
    LEFT JOIN (
        SELECT pair_id, min(reason) AS reason
        FROM ({_FROZEN_TEXT.format(columns="s.pair_id, s.reason", table="sample_failures")}) GROUP BY pair_id
    ) f ON f.pair_id = m.pair_id
    WHERE m.split = $split AND m.pair_id NOT IN (
        {_FROZEN_TEXT.format(columns="s.pair_id", table="samples")})
    GROUP BY ALL
"""

_DRAWN = _FROZEN_TEXT.format(
    columns="s.sample_id, s.pair_id, s.tier, m.tier AS gold, s.finish_reason, s.completion_tokens",
    table="samples",
)
_ERRING = ", ".join(f"count(*) FILTER (list_contains(e.kinds, '{kind}')) AS erring_{kind}" for kind in KINDS)
_SAMPLED = f"""
    WITH checks AS (
        SELECT text_id, checker, checker_version FROM current_checks WHERE checker = '{TEXT}'
    ), erring AS (
        SELECT text_id, list(DISTINCT kind) AS kinds
        FROM findings SEMI JOIN checks USING (text_id, checker, checker_version)
        WHERE severity = 'error' GROUP BY text_id
    ), counted AS (
        SELECT d.pair_id, count(*) AS n, count(*) FILTER (d.tier = d.gold) AS c,
            count(*) FILTER (d.tier IS NULL) AS unparsable, count(*) FILTER (d.finish_reason <> 'stop') AS unfinished,
            sum(d.completion_tokens) AS tokens,
            greatest({", ".join(f"count(*) FILTER (d.tier = {tier})" for tier in (1, 2, 3, 4))}) AS agreeing,
            count(k.text_id) AS checked, count(e.text_id) AS erring_any, {_ERRING}
        FROM ({_DRAWN}) d LEFT JOIN checks k ON k.text_id = d.sample_id
        LEFT JOIN erring e ON e.text_id = d.sample_id GROUP BY d.pair_id
    )
    SELECT CAST(m.query_id AS VARCHAR) AS query_id, CAST(m.tier AS VARCHAR) AS gold,
        m.* EXCLUDE (pair_id, query_id, item_version_id, tier), c.* EXCLUDE (pair_id)
    FROM ({SPLIT_PAIRS}) m JOIN counted c ON c.pair_id = m.pair_id ORDER BY m.pair_id
"""
