"""Every text of the store checked once by each version of the checks; findings as rows."""

from __future__ import annotations

import json
import os
import tempfile
from collections import Counter, deque
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any

from curation.checks.checked_text import CheckedText
from curation.checks.copies import Written, copy_findings
from curation.checks.text_checks import CHECKS_VERSION, check_text
from curation.checks.vocabulary import stored_vocabulary
from curation.rulebook.stored import stored_rulebook
from curation.selection import selected_pairs
from warehouse.ddl import sql_text
from warehouse.failpoints import failpoint
from warehouse.ids import content_id
from warehouse.ledger import Run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from concurrent.futures import Future

    import duckdb

    from curation.checks.finding import Finding
    from curation.checks.vocabulary import Vocabulary
    from curation.rulebook.rule import Rulebook
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
        x.finished, x.configuration, t.purpose IN ('rationales', 'rationales-for-gold') AS steps_asked,
        q.text AS query, q.kind, q.locale, v.title, v.description, v.brand, CAST(v.attributes AS VARCHAR) AS attributes,
        b.rulebook, b.version, b.shown
    FROM (
        SELECT sample_id AS text_id, pair_id, prompt_hash, s.text, t.format AS form, tier,
            finish_reason = 'stop' AS finished, CAST(configuration_id AS VARCHAR) AS configuration
        FROM samples s JOIN configurations USING (configuration_id) JOIN prompts t USING (prompt_id)
        UNION ALL
        SELECT rationale_id, a.pair_id, prompt_hash, a.text, NULL, a.tier, true, NULL
        FROM rationales a JOIN samples s ON s.sample_id = a.corrects_sample_id
    ) x
    SEMI JOIN selected ON selected.pair_id = x.pair_id
    JOIN rendered_prompts r ON r.pair_id = x.pair_id AND r.prompt_hash = x.prompt_hash
    JOIN prompts t ON t.prompt_id = r.prompt_id
    JOIN pairs p ON p.pair_id = x.pair_id JOIN queries q ON q.query_id = p.query_id
    JOIN item_versions v ON v.item_version_id = r.item_version_id
    LEFT JOIN (
        SELECT pair_id, prompt_hash, any_value(rulebook) AS rulebook, any_value(version) AS version, list(rule) AS shown
        FROM (SELECT pair_id, prompt_hash, unnest(rule_ids) AS rule_id FROM rendered_prompts)
        JOIN rules USING (rule_id) GROUP BY ALL
    ) b ON b.pair_id = x.pair_id AND b.prompt_hash = x.prompt_hash
    WHERE x.text <> '' AND NOT EXISTS (SELECT 1 FROM checked_texts k
        WHERE k.text_id = x.text_id AND k.checker = '{checker}' AND k.checker_version = '{version}')
    ORDER BY x.configuration, x.text_id
"""


@dataclass(frozen=True, slots=True)
class _Checker:
    """What a process needs to check texts."""

    vocabulary: Vocabulary
    rulebooks: Mapping[tuple[str, int], Rulebook]

    def check(self, rows: Sequence[dict[str, Any]]) -> list[list[Finding]]:
        """Findings of each text."""
        return [check_text(self._text(row), self.vocabulary) for row in rows]

    def _text(self, row: dict[str, Any]) -> CheckedText:
        attributes = json.loads(row["attributes"] or "{}")
        return CheckedText(
            text=row["text"],
            form=row["form"],
            tier=row["tier"],
            query=row["query"],
            title=row["title"],
            description=row["description"] or "",
            brand=row["brand"] or "",
            attributes={str(name): str(value) for name, value in attributes.items() if value is not None},
            kind=row["kind"],
            locale=row["locale"],
            steps_asked=bool(row["steps_asked"]),
            finished=row["finished"],
            rulebook=self.rulebooks.get((row["rulebook"], row["version"])),
            shown=frozenset(row["shown"] or ()),
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
            query = _UNCHECKED.format(checker=TEXT, version=CHECKS_VERSION)
            copied = connection.execute(f"COPY ({query}) TO {sql_text(unchecked)} (FORMAT parquet)")
            total = int(copied.fetchall()[0][0])
            checker = _Checker(stored_vocabulary(connection), _rulebooks(connection))
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
                long_run.write_part("findings", _finding_rows(rows, every, run))
                failpoint("part")
                long_run.write_part("checked_texts", _checked_rows(rows, every, run))
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


def _rulebooks(connection: duckdb.DuckDBPyConnection) -> dict[tuple[str, int], Rulebook]:
    versions = connection.execute("SELECT rulebook, version FROM rulebooks").fetchall()
    return {(name, version): stored_rulebook(connection, name, version) for name, version in versions}


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
    batches: Iterator[list[dict[str, Any]]], checker: _Checker, *, alone: bool
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


_own: list[_Checker] = []
"""The checker of a worker process, which would else travel with every batch."""


def _begin(checker: _Checker) -> None:
    _own.append(checker)


def _check(rows: list[dict[str, Any]]) -> list[list[Finding]]:
    return _own[0].check(rows)


def _finding_rows(
    rows: Sequence[dict[str, Any]], found: Sequence[list[Finding]], run: Run
) -> list[dict[str, Any]]:
    return [
        {
            "finding_id": str(
                content_id("finding", row["text_id"], TEXT, CHECKS_VERSION, finding.kind, finding.name, place)
            ),
            "text_id": row["text_id"],
            "pair_id": row["pair_id"],
            "checker": TEXT,
            "checker_version": CHECKS_VERSION,
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


def _checked_rows(
    rows: Sequence[dict[str, Any]], found: Sequence[list[Finding]], run: Run
) -> list[dict[str, Any]]:
    return [
        {
            "text_id": row["text_id"],
            "pair_id": row["pair_id"],
            "checker": TEXT,
            "checker_version": CHECKS_VERSION,
            "findings": len(findings),
            "run_id": str(run.run_id),
        }
        for row, findings in zip(rows, found, strict=True)
    ]
