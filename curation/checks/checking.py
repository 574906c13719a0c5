"""Every text of the store checked once by each version of the checks; findings as rows."""

from __future__ import annotations

import os
import tempfile
from collections import Counter, deque
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any

from curation.checks.copies import Written, copy_findings
from curation.checks.given import GIVEN_COLUMNS, GIVEN_JOINS, LEARNT_UNDER, stored_checker
from curation.checks.text_checks import CHECKS_VERSION
from curation.selection import selected_pairs
from warehouse.ddl import sql_text
from warehouse.failpoints import failpoint
from warehouse.ids import content_id
from warehouse.ledger import Run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from concurrent.futures import Future

    from curation.checks.finding import Finding
    from curation.checks.given import Checker
    from warehouse.store import Store

TEXT = "text"
"""The checker that reads texts without a model."""

_BATCH = 1_000
_ALONE = 4_000
"""Texts up to which one process is faster than several that have to start."""

# What a person wrote is held against what the sample that it corrects was asked. An item that was taken down left
# empty texts.
_UNCHECKED = """
    SELECT CAST(x.text_id AS VARCHAR) AS text_id, CAST(x.pair_id AS VARCHAR) AS pair_id, x.text, x.form, x.tier,
        x.finished, x.configuration, {columns}
    FROM (
        SELECT sample_id AS text_id, pair_id, prompt_hash, s.text, t.format AS form, tier,
            finish_reason = 'stop' AS finished, CAST(configuration_id AS VARCHAR) AS configuration, model_id
        FROM samples s JOIN configurations USING (configuration_id) JOIN prompts t USING (prompt_id)
        WHERE coalesce(t.purpose, 'judgments') <> 'continuations'
        UNION ALL
        SELECT rationale_id, a.pair_id, prompt_hash, a.text, NULL, a.tier, true, NULL, model_id
        FROM rationales a JOIN samples s ON s.sample_id = a.corrects_sample_id
        JOIN configurations USING (configuration_id)
    ) x
    SEMI JOIN selected ON selected.pair_id = x.pair_id
    {joins}
    WHERE x.text <> '' AND NOT EXISTS (SELECT 1 FROM checked_texts k
        WHERE k.text_id = x.text_id AND k.checker = {checker} AND k.checker_version = {version})
    ORDER BY x.configuration, x.text_id
"""


def sql_unchecked(checker: str, version: str) -> str:
    """Query for the texts of pairs in ``selected`` that a version of `checker` has not read, with what they were given.

    Texts that were taken down are none of them.
    """
    joins = GIVEN_JOINS.format(learnt=LEARNT_UNDER, of="model_id")
    return _UNCHECKED.format(
        columns=GIVEN_COLUMNS, joins=joins, checker=sql_text(checker), version=sql_text(version)
    )


def check_texts(
    store: Store,
    *,
    where: str | None = None,
    report: Callable[[int, int], None] = lambda _done, _total: None,
) -> dict[str, Any]:
    """Check the samples and corrections that this version of the checks has not read; return the counts.

    The store is held while the texts are copied and while the findings are merged. Killed at any moment, the same call
    again checks what is left. Copies are sought among the texts of a configuration that are checked together.

    Args:
        store: The store.
        where: SQL condition over ``pair_overview``; None takes every pair with a tier.
        report: Called with the texts checked so far and in all.

    Raises:
        TierwiseError: A bad condition.
    """
    import pyarrow.parquet as pq

    store.merge_waiting()
    with tempfile.TemporaryDirectory(prefix="tierwise-check-") as directory:
        unchecked = Path(directory) / "unchecked.parquet"
        with store.read() as connection:
            selected_pairs(connection, where)
            query = sql_unchecked(TEXT, CHECKS_VERSION)
            copied = connection.execute(f"COPY ({query}) TO {sql_text(unchecked)} (FORMAT parquet)")
            total = int(copied.fetchall()[0][0])
            checker = stored_checker(connection)
        if not total:
            return {"checked": 0, "with_findings": 0, "findings": {}}
        copies = _copies(unchecked)
        kinds: Counter[str] = Counter()
        done = with_findings = 0
        run = Run("check", {"where": where, "checker": TEXT, "version": CHECKS_VERSION})
        with store.long_run(run) as long_run, pq.ParquetFile(unchecked) as file:
            batches = (batch.to_pylist() for batch in file.iter_batches(batch_size=_BATCH))
            for rows, found in _in_processes(batches, checker, alone=total <= _ALONE):
                every = [
                    [*findings, *copies.get(row["text_id"], ())]
                    for row, findings in zip(rows, found, strict=True)
                ]
                long_run.write_part("findings", finding_rows(rows, every, run, TEXT, CHECKS_VERSION))
                failpoint("part")
                long_run.write_part("checked_texts", checked_rows(rows, every, run, TEXT, CHECKS_VERSION))
                kinds.update(kind for findings in every for kind in {finding.kind for finding in findings})
                with_findings += sum(1 for findings in every if findings)
                done += len(rows)
                report(done, total)
            run.summary = {
                "checked": done,
                "with_findings": with_findings,
                "findings": dict(kinds.most_common()),
            }
    return run.summary


def _copies(unchecked: Path) -> dict[str, list[Finding]]:
    """Findings of copied reasoning by text, each configuration by itself."""
    import pyarrow.parquet as pq

    columns = ["text_id", "pair_id", "text", "configuration", "query", "title", "description"]
    found: dict[str, list[Finding]] = {}
    texts: list[Written] = []
    names: list[str] = []
    configuration = None
    with pq.ParquetFile(unchecked) as file:
        for batch in file.iter_batches(batch_size=_BATCH, columns=columns):
            for row in batch.to_pylist():
                if row["configuration"] != configuration:
                    _add_copies(found, names, texts)
                    texts, names, configuration = [], [], row["configuration"]
                about = " ".join((row["query"], row["title"], row["description"] or ""))
                texts.append(Written(row["text"], row["pair_id"], about))
                names.append(row["text_id"])
    _add_copies(found, names, texts)
    return found


def _add_copies(found: dict[str, list[Finding]], names: list[str], texts: list[Written]) -> None:
    for n, finding in copy_findings(texts):
        found.setdefault(names[n], []).append(finding)


def _in_processes(
    batches: Iterator[list[dict[str, Any]]], checker: Checker, *, alone: bool
) -> Iterator[tuple[list[dict[str, Any]], list[list[Finding]]]]:
    """Batches with their findings, in their order; a few wait at a time, however many there are."""
    if alone:
        for rows in batches:
            yield rows, checker.check(rows)
        return
    workers = os.cpu_count() or 1
    with ProcessPoolExecutor(workers, get_context("spawn"), _begin, (checker,)) as pool:
        waiting: deque[tuple[list[dict[str, Any]], Future[list[list[Finding]]]]] = deque()
        for rows in batches:
            waiting.append((rows, pool.submit(_check, rows)))
            if len(waiting) > 2 * workers:
                first, future = waiting.popleft()
                yield first, future.result()
        for first, future in waiting:
            yield first, future.result()


_own: list[Checker] = []
"""The checker of a worker process, which would else travel with every batch."""


def _begin(checker: Checker) -> None:
    _own.append(checker)


def _check(rows: list[dict[str, Any]]) -> list[list[Finding]]:
    return _own[0].check(rows)


def finding_rows(
    rows: Sequence[Mapping[str, Any]],
    found: Sequence[Sequence[Finding]],
    run: Run,
    checker: str,
    version: str,
) -> list[dict[str, Any]]:
    """Rows of ``findings``: what `checker` found in each of `rows`, which have text_id and pair_id."""
    return [
        {
            "finding_id": str(
                content_id("finding", row["text_id"], checker, version, finding.kind, finding.name, place)
            ),
            "text_id": row["text_id"],
            "pair_id": row["pair_id"],
            "checker": checker,
            "checker_version": version,
            "kind": finding.kind,
            "finding": finding.name,
            "step": finding.step,
            "severity": finding.severity,
            "confidence": finding.confidence,
            "span_start": finding.span and finding.span[0],
            "span_stop": finding.span and finding.span[1],
            "evidence": finding.evidence,
            "run_id": str(run.run_id),
        }
        for row, findings in zip(rows, found, strict=True)
        for place, finding in enumerate(findings)
    ]


def checked_rows(
    rows: Sequence[Mapping[str, Any]],
    found: Sequence[Sequence[Finding]],
    run: Run,
    checker: str,
    version: str,
) -> list[dict[str, Any]]:
    """Rows of ``checked_texts``, as `finding_rows`."""
    return [
        {
            "text_id": row["text_id"],
            "pair_id": row["pair_id"],
            "checker": checker,
            "checker_version": version,
            "findings": len(findings),
            "run_id": str(run.run_id),
        }
        for row, findings in zip(rows, found, strict=True)
    ]
