"""A model asked, for every text of the store, which tier its reasoning alone leads to.

An answer becomes a row of ``derived_verdicts`` before anything else is made of it, so that none is paid for twice. A
model that changes, or another prompt, is another version of its checker, and asks anew.
"""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from curation.backends import Failure, Request, Score
from curation.checks.checked_text import CheckedText
from curation.checks.checking import TEXT, checked_rows, finding_rows, sql_unchecked
from curation.checks.derived import derivation_prompt, derivation_version, derived_finding, most_probable
from curation.checks.unlabelled import unlabelled_reasoning, verdict_span
from curation.configurations import model_id, model_row
from curation.sampling_plan import tier_probabilities
from curation.selection import selected_pairs
from warehouse.ddl import sql_text
from warehouse.errors import TierwiseError
from warehouse.failpoints import failpoint
from warehouse.ids import content_id
from warehouse.ledger import Run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from curation.backends import Backend
    from curation.checks.finding import Finding
    from curation.models import ModelReference, ServedModel
    from warehouse.store import LongRun, Store

_WINDOW = 1_024
_CHECKPOINT_SECONDS = 30.0
_CHARACTERS_PER_TOKEN = 4
"""Of English text, about; only a dry run leans on it."""

_UNCHECKED = """
    SELECT u.text_id, u.pair_id, u.text, u.form, u.tier, u.steps_asked, d.text_id IS NOT NULL AS was_asked,
        d.tier_probs
    FROM ({unchecked}) u
    LEFT JOIN derived_verdicts d ON CAST(d.text_id AS VARCHAR) = u.text_id AND d.checker = {checker}
        AND d.checker_version = {version}
    ORDER BY u.text_id
"""


@dataclass(frozen=True, slots=True)
class _Answer:
    """What a model said of a prompt: the probabilities of tiers 1 to 4, or why it gave none."""

    probabilities: list[float] | None
    reason: str | None
    prompt_tokens: int

    @classmethod
    def of(cls, answer: Score | Failure) -> _Answer:
        if isinstance(answer, Failure):
            return cls(None, answer.reason, 0)
        return cls(tier_probabilities(answer.first), None, answer.prompt_tokens)


class _Text:
    """A text that the model has not read.

    Attributes:
        row: As the store has it.
        reasoning: What to derive its tier from; empty where it gives no tier or too little is left.
        key: Of the prompt, the same for equal reasoning.
    """

    def __init__(self, row: dict[str, Any]) -> None:
        self.row = row
        self._checked = CheckedText(
            row["text"], row["form"], row["tier"], query="", title="", steps_asked=bool(row["steps_asked"])
        )
        self.reasoning = unlabelled_reasoning(self._checked) if row["tier"] else ""
        self.key = content_id("reasoning", self.reasoning).hex

    @property
    def to_ask(self) -> bool:
        """Whether the model has not been asked yet."""
        return bool(self.reasoning) and not self.row["was_asked"]

    def findings(self, model: str, answer: _Answer | None) -> list[Finding]:
        """What follows from the answer, the one that the store has where none is given."""
        probabilities = answer.probabilities if answer else self.row["tier_probs"]
        if probabilities is None:
            return []
        found = derived_finding(model, self.row["tier"], probabilities, verdict_span(self._checked))
        return [found] if found else []

    def derived_row(self, answer: _Answer) -> dict[str, Any]:
        """Row of ``derived_verdicts``, without checker and run."""
        probabilities = answer.probabilities
        return {
            "text_id": self.row["text_id"],
            "pair_id": self.row["pair_id"],
            "tier": most_probable(probabilities) if probabilities else None,
            "tier_probs": probabilities,
            "reason": answer.reason,
            "prompt_tokens": answer.prompt_tokens,
        }


def derive_verdicts(
    store: Store,
    model: ModelReference | ServedModel,
    load: Callable[[], Backend],
    *,
    where: str | None = None,
    dry_run: bool = False,
    report: Callable[[int, int], None] = lambda _done, _total: None,
) -> dict[str, Any]:
    """Have `model` derive the tiers of samples and corrections that it has not read; return the counts.

    The store is held while the texts are copied and while what was answered is merged. Killed at any moment, the same
    call again asks what was not answered. Texts without a tier, or with nothing but that, cost nothing.

    Args:
        store: The store.
        model: The model.
        load: Makes its backend; called only if something is to be asked.
        where: SQL condition over ``pair_overview``; None takes every pair with a tier.
        dry_run: Only count what would be asked.
        report: Called with the texts checked so far and in all.

    Raises:
        TierwiseError: A bad condition, a model that cannot be loaded, a server that does not answer, or another process
            that asks the same model.
    """
    if model.name == TEXT:
        raise TierwiseError(f"{TEXT} is the checker without a model; name the model's folder as ./{TEXT}")
    version = derivation_version(model)
    lock = content_id("deriving", model.name, version).hex
    with (
        store.exclusive(f"check-{lock}", f"asking {model.name} for verdicts"),
        tempfile.TemporaryDirectory(prefix="tierwise-check-") as directory,
    ):
        unchecked = Path(directory) / "unchecked.parquet"
        store.merge_waiting()
        with store.read() as connection:
            selected_pairs(connection, where)
            query = _UNCHECKED.format(
                unchecked=sql_unchecked(model.name, version),
                checker=sql_text(model.name),
                version=sql_text(version),
            )
            copied = connection.execute(f"COPY ({query}) TO {sql_text(unchecked)} (FORMAT parquet)")
            total = int(copied.fetchall()[0][0])
        if dry_run:
            return {"to_check": total, **_estimate(unchecked)}
        deriving = _Deriving(model.name, version, load, total, report)
        if total:
            run = Run(
                "check", {"where": where, "checker": model.name, "version": version}, model_id=model_id(model)
            )
            with store.long_run(run) as long_run:
                long_run.write_part("models", [{**model_row(model), "run_id": str(run.run_id)}])
                try:
                    deriving.read(long_run, unchecked)
                finally:
                    run.summary = deriving.summary()
            return {**run.summary, **long_run.waiting}
        return deriving.summary()


class _Deriving:
    """A run over texts, window by window."""

    def __init__(
        self,
        model: str,
        version: str,
        load: Callable[[], Backend],
        total: int,
        report: Callable[[int, int], None],
    ) -> None:
        self._model = model
        self._version = version
        self._load = load
        self._backend: Backend | None = None
        self._total = total
        self._report = report
        self._answers: dict[str, _Answer] = {}
        self._checked = self._with_findings = self._without_reasoning = 0
        self._failures = self._unanswered = self._prompt_tokens = 0

    def summary(self) -> dict[str, Any]:
        """Counts for the ledger."""
        return {
            "checked": self._checked,
            "with_findings": self._with_findings,
            "without_reasoning": self._without_reasoning,
            "prompts_answered": len(self._answers) - self._failures,
            "failures": self._failures,
            **({"unanswered": self._unanswered} if self._unanswered else {}),
            "prompt_tokens": self._prompt_tokens,
        }

    def read(self, long_run: LongRun, unchecked: Path) -> None:
        """Check the texts of the file `unchecked`, as parts of `long_run`."""
        self._report(0, self._total)
        checkpoint = time.monotonic()
        for window in _windows(unchecked):
            by_key: dict[str, list[_Text]] = {}
            settled = []
            for text in window:
                if text.to_ask and text.key not in self._answers:
                    by_key.setdefault(text.key, []).append(text)
                else:
                    settled.append(text)
            self._write(long_run, settled)
            for batch in self._ask(by_key):
                answered: list[_Text] = []
                for answer in batch:
                    if isinstance(answer, Failure) and not answer.lasting:
                        self._unanswered += len(by_key[answer.key])
                        continue
                    self._answers[answer.key] = said = _Answer.of(answer)
                    self._failures += said.probabilities is None
                    self._prompt_tokens += said.prompt_tokens
                    answered += by_key[answer.key]
                self._write(long_run, answered)
                if time.monotonic() - checkpoint > _CHECKPOINT_SECONDS:
                    long_run.checkpoint()
                    checkpoint = time.monotonic()

    def _ask(self, by_key: dict[str, list[_Text]]) -> Iterator[list[Score | Failure]]:
        if not by_key:
            return
        if self._backend is None:
            self._backend = self._load()
        yield from self._backend.score(
            [Request(key, derivation_prompt(texts[0].reasoning), ()) for key, texts in by_key.items()]
        )

    def _write(self, long_run: LongRun, texts: Sequence[_Text]) -> None:
        """Keep the answers of `texts` first, then what follows from them."""
        run = long_run.run
        told = {"checker": self._model, "checker_version": self._version, "run_id": str(run.run_id)}
        if asked := [text for text in texts if text.to_ask]:
            long_run.write_part(
                "derived_verdicts", [text.derived_row(self._answers[text.key]) | told for text in asked]
            )
            failpoint("part")
        rows = [text.row for text in texts]
        found = [
            text.findings(self._model, self._answers[text.key] if text.to_ask else None) for text in texts
        ]
        long_run.write_part("findings", finding_rows(rows, found, run, self._model, self._version))
        long_run.write_part("checked_texts", checked_rows(rows, found, run, self._model, self._version))
        self._checked += len(texts)
        self._with_findings += sum(map(bool, found))
        self._without_reasoning += sum(not text.reasoning for text in texts)
        self._report(self._checked, self._total)


def _windows(unchecked: Path) -> Iterator[list[_Text]]:
    import pyarrow.parquet as pq

    with pq.ParquetFile(unchecked) as file:
        for batch in file.iter_batches(batch_size=_WINDOW):
            yield [_Text(row) for row in batch.to_pylist()]


def _estimate(unchecked: Path) -> dict[str, int]:
    """Prompts that would be asked, and about how many tokens they have."""
    characters: dict[str, int] = {}
    for window in _windows(unchecked):
        for text in window:
            if text.to_ask and text.key not in characters:
                messages = derivation_prompt(text.reasoning)
                characters[text.key] = sum(len(message.content) for message in messages)
    tokens = sum(each // _CHARACTERS_PER_TOKEN for each in characters.values())
    return {"prompts_to_ask": len(characters), "prompt_tokens_about": tokens}
