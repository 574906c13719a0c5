"""Rationales read from what teachers answered: every sample becomes a rationale, or a reject with its reason.

A sample is read once by each version of the reader. The raw answer stays in ``samples``, so that a better reader loses
nothing and buys nothing.
"""

from __future__ import annotations

import re
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from curation.rationales.rationale import TIER_NAMES, FormError, Rationale
from warehouse.ddl import sql_text
from warehouse.ids import content_id
from warehouse.ledger import Run, utc_now

if TYPE_CHECKING:
    import uuid

    from curation.grading import Format
    from warehouse.store import Store

READER_VERSION = "1"
AGAINST_VERDICT = "tier against verdict"
"""Reason of an answer in the form whose digit is not that of its verdict."""

_BATCH = 20_000
_LONGEST = 8_000
_TIERS: dict[Format, re.Pattern[str]] = {
    "answer-first": re.compile(r"\A\W{0,4}([1-4])\W{0,4}\n"),
    "reason-first": re.compile(
        r"\n[\s*_#>-]{0,9}tier[\s*_]{0,4}:[\s*_]{0,4}([1-4])\b[^\n]*\Z", re.IGNORECASE
    ),
}
_FENCE = re.compile(r"```\w*\n(.*?)\n```", re.DOTALL)
# Reasoning models think aloud first, and many models open with a sentence.
_THOUGHT = re.compile(r"\A<think>.*?</think>\s*", re.DOTALL)
_OPENING = re.compile(r"^[\s>*_#•-]{0,9}query[*_]{0,3}\s?:", re.IGNORECASE | re.MULTILINE)
_LATIN = re.compile(r"[A-Za-zÀ-ɏ]")
_LETTER = re.compile(r"[^\W\d_]")

_UNREAD = """
    SELECT CAST(s.sample_id AS VARCHAR) AS sample_id, CAST(s.pair_id AS VARCHAR) AS pair_id, s.text, s.finish_reason,
        q.text || ' ' || v.title AS about, m.name AS model, t.format, t.purpose
    FROM samples s JOIN configurations c USING (configuration_id) JOIN models m USING (model_id)
    JOIN prompts t USING (prompt_id) JOIN pairs p ON p.pair_id = s.pair_id JOIN queries q USING (query_id)
    JOIN item_versions v ON v.item_version_id = p.item_version_id
    WHERE s.configuration_id = '{0}'
        AND NOT EXISTS (SELECT 1 FROM rationales r WHERE r.sample_id = s.sample_id)
        AND NOT EXISTS (SELECT 1 FROM rationale_rejects r
            WHERE r.sample_id = s.sample_id AND r.reader_version = '{1}')
"""


@dataclass(frozen=True, slots=True)
class Reject:
    """Why an answer is no rationale: a short reason that answers of the same fault share, and what was found."""

    reason: str
    detail: str


def read_answer(text: str, form: Format, about: str, *, finished: bool = True) -> Rationale | Reject:
    """Read a rationale with its tier.

    Args:
        text: What a model generated.
        form: Where the tier stands.
        about: Query and title, whose script the answer has to share.
        finished: Whether it came to an end, rather than to its token limit.
    """
    if len(text) > _LONGEST:
        return Reject("too long", f"{len(text):,} characters, at most {_LONGEST:,}")
    body = text.strip()
    body = _THOUGHT.sub("", body)
    if fenced := _FENCE.search(body):
        body = fenced[1].strip()
    elif form == "reason-first" and (opened := _OPENING.search(body)):
        body = body[opened.start() :]
    verdict = _TIERS[form].search(body)
    try:
        rationale = Rationale.parse(body[: verdict.start()] + body[verdict.end() :] if verdict else body)
    except FormError as error:
        return Reject(_kind_of_text(body, finished), str(error))
    if verdict is None:
        where = "`Tier: <digit>` at the end" if form == "reason-first" else "of a digit alone at the start"
        return Reject("no tier" if finished else "cut off", f"no line {where}")
    if int(verdict[1]) != rationale.tier:
        said = f"the verdict is {TIER_NAMES[rationale.tier]}, the tier {verdict[1]}"
        return Reject(AGAINST_VERDICT, said)
    if in_another_script(_words(rationale), about):
        return Reject("another script", "query and item are in Latin letters, most of the answer is not")
    return rationale


def in_another_script(text: str, about: str) -> bool:
    """Whether most letters of `about` are Latin, and most of `text` are not."""
    return _latin_share(about) > 0.5 and _latin_share(text) < 0.5


def read_rationales(store: Store, configuration_id: uuid.UUID) -> dict[str, Any]:
    """Read every sample of a teacher that was not read yet; return the counts.

    The store is held while the samples are copied and while what was read is merged. Killed at any moment, the same
    call again reads what is missing.
    """
    import pyarrow.parquet as pq

    with tempfile.TemporaryDirectory(prefix="tierwise-rationales-") as directory:
        unread = Path(directory) / "unread.parquet"
        store.merge_waiting()
        with store.read() as connection:
            query = _UNREAD.format(configuration_id, READER_VERSION)
            found = connection.execute(f"COPY ({query}) TO {sql_text(unread)} (FORMAT parquet)").fetchall()
        rejected: Counter[str] = Counter()
        if not found[0][0]:
            return {"read": 0, "rejected": rejected}
        run = Run("read rationales", {"reader_version": READER_VERSION}, configuration_id=configuration_id)
        with store.long_run(run) as long_run, pq.ParquetFile(unread) as file:
            kept = 0
            for batch in file.iter_batches(batch_size=_BATCH):
                rationales, rejects = [], []
                for row in batch.to_pylist():
                    finished = row["finish_reason"] == "stop"
                    answer = read_answer(row["text"], row["format"], row["about"], finished=finished)
                    if isinstance(answer, Reject):
                        rejects.append(_reject_row(row, answer, run))
                        rejected[answer.reason] += 1
                    else:
                        rationales.append(_rationale_row(row, answer, run))
                kept += len(rationales)
                long_run.write_part("rationales", rationales)
                long_run.write_part("rationale_rejects", rejects)
            run.summary = {"read": kept, "rejected": dict(rejected.most_common())}
    return run.summary


def _rationale_row(row: dict[str, Any], rationale: Rationale, run: Run) -> dict[str, Any]:
    return {
        "rationale_id": str(content_id("rationale of", row["sample_id"])),
        "pair_id": row["pair_id"],
        "tier": rationale.tier,
        "text": rationale.render(),
        "source": "teacher",
        "written_by": row["model"],
        "written_at": utc_now(),
        "sample_id": row["sample_id"],
        "gold": "conditioned" if row["purpose"] == "rationales-for-gold" else "blind",
        "rules_cited": list(rationale.rules),
        "run_id": str(run.run_id),
    }


def _reject_row(row: dict[str, Any], reject: Reject, run: Run) -> dict[str, Any]:
    return {
        "sample_id": row["sample_id"],
        "pair_id": row["pair_id"],
        "reader_version": READER_VERSION,
        "reason": reject.reason,
        "detail": reject.detail,
        "run_id": str(run.run_id),
    }


def _kind_of_text(body: str, finished: bool) -> str:
    """What stands where a rationale was to stand."""
    if not body:
        return "empty"
    if re.match(r"<(?:!doctype|html|head|body)\b", body, re.IGNORECASE):
        return "HTML"
    if body[0] in "{[":
        return "JSON"
    return "not in the form" if finished else "cut off"


def _words(rationale: Rationale) -> str:
    """What a rationale says beside its keywords."""
    said = [rationale.intent, rationale.item, rationale.category, rationale.verdict]
    said += [each.value for each in rationale.requirements] + [each.evidence for each in rationale.checks]
    return " ".join(said)


def _latin_share(text: str) -> float:
    letters = len(_LETTER.findall(text))
    return len(_LATIN.findall(text)) / letters if letters else 1.0
