"""What is still to be drawn: pairs, their rendered prompts, and the sample indices that are missing."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from curation.grading import parse
from curation.prompts import prompt_hash, rendered_prompt_row
from warehouse.ddl import sql_text
from warehouse.ids import content_id
from warehouse.parts import with_waiting

if TYPE_CHECKING:
    import uuid
    from collections.abc import Iterator
    from pathlib import Path

    import duckdb
    import pyarrow.parquet as pq

    from curation.backends import Completion, DigitLogprobs, Failure, Message
    from curation.configurations import Configuration
    from curation.prompts import Template


ROW_GROUP = 2_048


def save_plan(
    connection: duckdb.DuckDBPyConnection,
    runs: Path,
    target: Path,
    configuration_id: uuid.UUID,
    settled: str | None,
) -> None:
    """Write the pairs of the temp table ``selected`` with their texts and what exists of them to the file `target`.

    Rows in the store and rows in parts that wait count alike. `settled` is a query for pair_id and prompt_hash of what
    needs no more samples.
    """
    keys = ("pair_id", "configuration_id", "prompt_hash")
    existing = with_waiting(runs, "samples", (*keys, "sample_index", "tier"))
    failures = with_waiting(runs, "sample_failures", keys)
    connection.execute(
        f"""
        COPY (
            SELECT CAST(c.pair_id AS VARCHAR) AS pair_id, CAST(c.item_version_id AS VARCHAR) AS item_version_id,
                q.text AS query, v.title, v.description, v.brand,
                json_extract_string(v.attributes, '$.price') AS price,
                json_extract_string(v.attributes, '$.category') AS category, q.kind, q.locale, p.tier AS gold,
                coalesce(s.existing, []) AS existing, coalesce(f.failed, []) AS failed,
                coalesce(e.settled, []) AS settled
            FROM selected c JOIN pairs p ON p.pair_id = c.pair_id
            JOIN queries q ON q.query_id = p.query_id JOIN item_versions v ON v.item_version_id = c.item_version_id
            LEFT JOIN (
                SELECT pair_id,
                    list(DISTINCT {{'prompt': CAST(prompt_hash AS VARCHAR), 'index': sample_index, 'tier': tier}})
                        AS existing
                FROM ({existing}) SEMI JOIN selected USING (pair_id)
                WHERE configuration_id = '{configuration_id}' GROUP BY pair_id
            ) s ON s.pair_id = c.pair_id
            LEFT JOIN (
                SELECT pair_id, list(DISTINCT CAST(prompt_hash AS VARCHAR)) AS failed
                FROM ({failures}) SEMI JOIN selected USING (pair_id)
                WHERE configuration_id = '{configuration_id}' GROUP BY pair_id
            ) f ON f.pair_id = c.pair_id
            LEFT JOIN (
                SELECT pair_id, list(DISTINCT CAST(prompt_hash AS VARCHAR)) AS settled
                FROM ({settled or "SELECT NULL::UUID AS pair_id, NULL::UUID AS prompt_hash WHERE false"})
                SEMI JOIN selected USING (pair_id) GROUP BY pair_id
            ) e ON e.pair_id = c.pair_id
            -- Prompts that begin alike are near each other, wherever they are read.
            ORDER BY q.text, c.pair_id
        ) TO {sql_text(target)} (FORMAT parquet, ROW_GROUP_SIZE {ROW_GROUP})
        """
    )


@dataclass(frozen=True, slots=True)
class Rendered:
    """A prompt for one pair, and the ids of the rules that it shows; None where its template shows none."""

    messages: tuple[Message, ...]
    rule_ids: tuple[str, ...] | None = None


Render = Callable[[dict[str, Any]], Sequence[Rendered]]
"""Makes the prompts of a row of a plan."""


@dataclass(frozen=True, slots=True)
class Task:
    """A prompt for a pair with the sample indices that are still to be drawn, by random stream.

    `outcomes` says of the samples that there are, by index, whether they state the gold tier.
    """

    pair_id: str
    item_version_id: str
    prompt_hash: str
    rendered: Rendered
    indices: dict[int, int]
    gold: int | None = None
    outcomes: Mapping[int, bool] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """What a request for it is called: the pair, and the prompt behind a colon."""
        return f"{self.pair_id}:{self.prompt_hash}"

    @property
    def messages(self) -> tuple[Message, ...]:
        """The chat so far."""
        return self.rendered.messages

    def prompt_row(self, configuration: Configuration, run_id: str) -> dict[str, Any]:
        """Row of ``rendered_prompts``."""
        row = rendered_prompt_row(
            self.messages, self.pair_id, self.item_version_id, configuration.template.prompt_id, run_id
        )
        return {**row, "rule_ids": self.rendered.rule_ids}

    def failure_row(self, failure: Failure, configuration: Configuration, run_id: str) -> dict[str, Any]:
        """Row of ``sample_failures``."""
        return {
            "pair_id": self.pair_id,
            "configuration_id": str(configuration.configuration_id),
            "prompt_hash": self.prompt_hash,
            "reason": failure.reason,
            "run_id": run_id,
        }

    def sample_row(self, completion: Completion, configuration: Configuration, run_id: str) -> dict[str, Any]:
        """Row of ``samples``."""
        form = configuration.template.format
        verdict = parse(completion.text, form)
        # Answer-first emits its tier as the first token, whatever the text turns out to say.
        if form == "answer-first":
            logprobs: DigitLogprobs | None = completion.first
        else:
            at_verdict = (
                d.logprobs for d in completion.digits if verdict.tier and d.offset == verdict.offset
            )
            logprobs = next(at_verdict, None)
        index = self.indices[completion.stream]
        return {
            "sample_id": str(
                _sample_id(self.pair_id, str(configuration.configuration_id), self.prompt_hash, index)
            ),
            "pair_id": self.pair_id,
            "configuration_id": str(configuration.configuration_id),
            "prompt_hash": self.prompt_hash,
            "sample_index": index,
            "text": completion.text,
            "tier": verdict.tier,
            "tier_probs": None if logprobs is None else tier_probabilities(logprobs),
            "digit_logprobs": None if logprobs is None else list(logprobs),
            "finish_reason": completion.finish_reason,
            "prompt_tokens": completion.prompt_tokens,
            "completion_tokens": completion.completion_tokens,
            "sent_tokens": completion.sent_tokens,
            "cached_tokens": completion.cached_tokens,
            "run_id": run_id,
        }


@dataclass(frozen=True, slots=True)
class Block:
    """Some rows of a plan that follow each other: `size` of them from `number` times that."""

    number: int
    size: int


def pair_of(key: str) -> str:
    """The pair of a request that `Task.key` named."""
    return key.partition(":")[0]


class Work:
    """The tasks of a plan file, rendered as they are asked for.

    After `tasks` has been gone through, `there`, `failed` and `settled` count the samples that exist, the pairs that
    failed before, and those that need no more.

    Args:
        plan: What `save_plan` wrote.
        configuration_id: The configuration.
        render: Makes the prompts of a row of the plan.
        n: Samples wanted for each prompt.
        each: At most so many of those that are missing.
        seed: Moves every random stream.
        retry_failed: Take pairs that failed before.
        block: Only these rows.
    """

    def __init__(
        self,
        plan: Path,
        configuration_id: uuid.UUID,
        render: Render,
        n: int,
        *,
        each: int | None,
        seed: int,
        retry_failed: bool,
        block: Block | None = None,
    ) -> None:
        self._plan = plan
        self._configuration_id = str(configuration_id)
        self._render = render
        self._n = n
        self._each = each
        self._seed = seed
        self._retry_failed = retry_failed
        self._block = block
        self.there = 0
        self.failed = 0
        self.settled = 0

    def tasks(self, *, complete: bool = False) -> Iterator[Task]:
        """Every prompt of which something is missing; or, with `complete`, also those of which nothing is."""
        self.there = self.failed = self.settled = 0
        for row in self._rows():
            for rendered in self._render(row):
                task = self._task(row, rendered)
                if task.indices or complete:
                    yield task

    def _rows(self) -> Iterator[dict[str, Any]]:
        import pyarrow.parquet as pq

        with pq.ParquetFile(self._plan) as file:
            if self._block is not None:
                yield from _rows_of(file, self._block)
                return
            for batch in file.iter_batches(batch_size=1_024):
                yield from batch.to_pylist()

    def _task(self, row: dict[str, Any], rendered: Rendered) -> Task:
        key = str(prompt_hash(rendered.messages))
        existing = {e["index"]: e["tier"] == row["gold"] for e in row["existing"] if e["prompt"] == key}
        missing = [index for index in range(self._n) if index not in existing]
        self.there += self._n - len(missing)
        if key in row["settled"]:
            self.settled += 1
            missing = []
        # A prompt that was answered since is one that the model can take.
        elif missing and key in row["failed"] and not existing and not self._retry_failed:
            self.failed += 1
            missing = []
        missing = missing[: self._each]
        streams = {
            content_id("stream", row["pair_id"], self._configuration_id, key, index, self._seed).int: index
            for index in missing
        }
        return Task(row["pair_id"], row["item_version_id"], key, rendered, streams, row["gold"], existing)


def _rows_of(file: pq.ParquetFile, block: Block) -> Iterator[dict[str, Any]]:
    """The rows of `block`, of which no more is read than the row groups that hold them."""
    first, end = block.number * block.size, (block.number + 1) * block.size
    start = 0
    for number in range(file.num_row_groups):
        length = file.metadata.row_group(number).num_rows
        if first < start + length and start < end:
            skipped = max(0, first - start)
            group = file.read_row_group(number).slice(skipped, min(end - start, length) - skipped)
            yield from group.to_pylist()
        start += length


def by_template(template: Template) -> Render:
    """Renders a row of a plan by `template`, without rules."""

    def render(row: dict[str, Any]) -> list[Rendered]:
        fields = {name: row[name] for name in ("description", "brand", "price")}
        return [Rendered(template.render(row["query"], row["title"], **fields))]

    return render


def tier_probabilities(logprobs: DigitLogprobs) -> list[float]:
    """Softmax over the log-probabilities of the tier digits: the probabilities of tiers 1 to 4."""
    largest = max(logprobs)
    weights = [math.exp(value - largest) for value in logprobs]
    return [weight / sum(weights) for weight in weights]


def _sample_id(pair_id: str, configuration_id: str, prompt: str, index: int) -> uuid.UUID:
    return content_id("sample", pair_id, configuration_id, prompt, index)
