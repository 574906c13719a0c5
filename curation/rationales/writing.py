"""Teachers write rationales under a rulebook: asked until one lands on gold, read, kept.

A teacher's answers are samples of a configuration of its own, so that they have keys, parts, lineage and a bill like
all others. A teacher is asked about a pair again until a rationale leads to the gold tier (rejection sampling), at most
`tries` times; what does not lead there stays in the store, marked by its tier. A gold-conditioned teacher is told the
tier, and its rationales are marked so for ever. What counts is the prompt as it is now: where another version of the
rulebook shows a pair other rules, it is asked about anew, and nowhere else.
"""

from __future__ import annotations

import functools
from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

from curation.backends import Usage
from curation.budget import UNLIMITED, Budget
from curation.configurations import Configuration
from curation.prompts import load_template
from curation.rationales.reading import read_rationales
from curation.rulebook.retrieval import Retriever, Subject
from curation.rulebook.stored import stored_rulebook
from curation.sampling import sample
from curation.sampling_plan import Rendered
from curation.selection import selected_pairs
from warehouse.errors import TierwiseError
from warehouse.parts import with_waiting

if TYPE_CHECKING:
    import uuid
    from collections.abc import Callable
    from pathlib import Path

    from curation.backends import Backend, Decoding
    from curation.drawing import Progress
    from curation.models import ModelReference, ServedModel
    from curation.prompts import Template
    from curation.rulebook.rule import Rulebook
    from curation.sampling_plan import Render
    from warehouse.store import Store

Gold = Literal["blind", "conditioned"]

TEMPLATES: dict[Gold, str] = {"blind": "rationale", "conditioned": "rationale-for-gold"}


def write_rationales(
    store: Store,
    model: ModelReference | ServedModel,
    load: Callable[[], Backend],
    decoding: Decoding,
    *,
    gold: Gold,
    tries: int,
    rulebook: str | None = None,
    rules: int = 10,
    where: str | None = None,
    limit: int | None = None,
    retry_failed: bool = False,
    budget: Budget = UNLIMITED,
    dry_run: bool = False,
    report: Callable[[Progress], None] = lambda _: None,
) -> dict[str, Any]:
    """Have a teacher write a rationale that leads to gold for each selected pair; return the counts.

    Args:
        store: The store.
        model: The teacher.
        load: Opens it; called once, and only if something is missing.
        decoding: How it answers.
        gold: Whether it is told the gold tier.
        tries: Answers for each pair, at most.
        rulebook: Its name; the only one in the store without.
        rules: Rules retrieved for a pair beside those that are always shown.
        where: SQL condition over ``pair_overview``.
        limit: At most so many pairs, the same ones each time.
        retry_failed: Ask again what the teacher could not take before.
        budget: Of this call.
        dry_run: Only count what it would cost.
        report: Called after each finished batch.

    Raises:
        TierwiseError: No rulebook, no such pairs, or the teacher does not answer.
    """
    with store.read() as connection:
        book = stored_rulebook(connection, rulebook)
    template = load_template(TEMPLATES[gold])
    configuration = Configuration(model, template, decoding)
    opened: list[Backend] = []

    def open_once() -> Backend:
        opened[:] = opened or [load()]
        return opened[0]

    asking: dict[str, Any] = {
        "n": tries,
        "where": where,
        "limit": limit,
        "settled": functools.partial(_landed, configuration.configuration_id),
        "kind": "rationales",
        "render": render_with_rules(template, book, rules),
    }
    head = {"teacher": model.name, "rulebook": f"{book.name}@{book.version}", "gold": gold}
    if dry_run:
        first, most = (
            sample(store, configuration, open_once, **asking, each=each, budget=budget, dry_run=True)
            for each in (1, tries)
        )
        return {
            **head,
            "pairs": first["pairs"],
            "pairs_to_ask": first["pairs_to_draw"],
            **_costs(first, most),
        }
    # A run that was killed may have left answers that nobody has read.
    found = read_rationales(store, configuration.configuration_id)
    totals = dict.fromkeys(("drawn", "failures", "unanswered"), 0)
    used = Usage()
    reading: dict[str, Any] = {"rationales": found["read"], "rejected": Counter(found["rejected"])}
    for tried in range(tries):
        try:
            summary = sample(
                store,
                configuration,
                open_once,
                **asking,
                each=1,
                retry_failed=retry_failed and tried == 0,
                budget=budget.less(used),
                report=report,
            )
        except TierwiseError as error:
            read_rationales(store, configuration.configuration_id)
            left = _left(store, configuration, asking)
            raise TierwiseError(f"{error}; {left['pairs_left']:,} pairs are left to do") from error
        for name in totals:
            totals[name] += summary.get(name, 0)
        used += Usage.of_summary(summary)
        found = read_rationales(store, configuration.configuration_id)
        reading["rationales"] += found["read"]
        reading["rejected"].update(found["rejected"])
        if not summary["drawn"] or budget.is_spent(used):
            break
    return {
        **head,
        "configuration": str(configuration.configuration_id),
        **{name: count for name, count in totals.items() if count or name != "unanswered"},
        "prompt_tokens": used.prompt_tokens,
        "completion_tokens": used.completion_tokens,
        **({"usd": round(budget.price.usd(used), 4)} if budget.price else {}),
        **reading,
        **_left(store, configuration, asking),
    }


def render_with_rules(template: Template, book: Rulebook, k: int) -> Render:
    """Renders a row of a sampling plan by `template`, with the rules retrieved for its pair."""
    today = datetime.now(UTC).date()
    retriever = Retriever([rule for rule in book.rules if rule.is_valid(today)], k)
    sees_gold = template.purpose == "rationales-for-gold"

    def render(row: dict[str, Any]) -> list[Rendered]:
        about = {name: row[name] for name in ("query", "title", "description", "category", "kind", "locale")}
        found = retriever.retrieve(Subject(**about))
        messages = template.render(
            row["query"],
            row["title"],
            description=row["description"],
            brand=row["brand"],
            price=row["price"],
            rules=found,
            gold=row["gold"] if sees_gold else None,
        )
        return [Rendered(messages, tuple(str(book.rule_id(rule)) for rule in found))]

    return render


def _landed(configuration_id: uuid.UUID, runs: Path) -> str:
    """Query for the prompts with a rationale that leads to today's gold tier, in the store or in parts that wait."""
    rationales = with_waiting(runs, "rationales", ("sample_id", "tier"))
    samples = with_waiting(runs, "samples", ("sample_id", "pair_id", "prompt_hash", "configuration_id"))
    return f"""
        SELECT s.pair_id, s.prompt_hash FROM ({rationales}) r JOIN ({samples}) s USING (sample_id)
        JOIN pairs p ON p.pair_id = s.pair_id AND p.tier = r.tier WHERE s.configuration_id = '{configuration_id}'"""


def _costs(first: dict[str, Any], most: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """What one answer for each pair costs, and what all tries do, if none lands."""
    names = ("to_draw", "prompt_tokens_about", "completion_tokens_at_most", "usd_about")
    once, all_tries = ({name: each[name] for name in names if name in each} for each in (first, most))
    return {"first_try": once, "all_tries": all_tries}


def _left(store: Store, configuration: Configuration, asking: dict[str, Any]) -> dict[str, int]:
    """How many of the selected pairs have what they need, and what is left to do for the others."""

    def no_backend() -> Backend:
        raise AssertionError

    plan = sample(store, configuration, no_backend, **asking, dry_run=True)
    with store.read() as connection:
        selected_pairs(connection, asking["where"], asking["limit"])
        disputed = connection.execute(
            "SELECT count(*) FROM selected SEMI JOIN teacher_disputes USING (pair_id)"
        ).fetchall()[0][0]
    return {
        "pairs": plan["pairs"],
        "pairs_with_a_rationale": plan["pairs_settled"],
        "pairs_that_never_landed": plan["pairs"] - plan["pairs_settled"] - plan["pairs_to_draw"],
        "pairs_left": plan["pairs_to_draw"],
        "teachers_agree_against_gold": disputed,
    }
