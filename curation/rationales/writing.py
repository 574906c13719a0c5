"""Teachers write rationales under a rulebook: asked until one lands on gold, read, kept.

A teacher's answers are samples of a configuration of its own, so that they have keys, parts, lineage and a bill like
all others. A gold-blind teacher is asked again until a rationale leads to the gold tier (rejection sampling), at most
`tries` times; what does not lead there stays in the store, marked by its tier. A gold-conditioned one is told the tier,
and its rationales are marked so for ever.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

from curation.budget import UNLIMITED, Budget
from curation.configurations import Configuration
from curation.prompts import load_template
from curation.rationales.reading import read_rationales
from curation.rulebook.retrieval import Retriever, Subject
from curation.rulebook.stored import stored_rulebook
from curation.sampling import sample
from curation.sampling_plan import Rendered
from curation.selection import selected_pairs

if TYPE_CHECKING:
    import uuid
    from collections.abc import Callable

    from curation.backends import Backend, Decoding
    from curation.models import ModelReference, ServedModel
    from curation.prompts import Template
    from curation.rulebook.rule import Rulebook
    from curation.sampling import Progress
    from warehouse.store import Store

Gold = Literal["blind", "conditioned"]

TEMPLATES: dict[Gold, str] = {"blind": "rationale", "conditioned": "rationale-for-gold"}

_LANDED = """
    SELECT r.pair_id FROM rationales r JOIN samples s ON s.sample_id = r.sample_id
    JOIN pairs p ON p.pair_id = r.pair_id AND p.tier = r.tier WHERE s.configuration_id = '{0}'
"""


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
        dry_run: Only count what a first try of each pair would cost.
        report: Called after each finished batch.

    Raises:
        TierwiseError: No rulebook, no such pairs, or the teacher does not answer.
    """
    with store.read() as connection:
        book = stored_rulebook(connection, rulebook)
    template = load_template(TEMPLATES[gold])
    configuration = Configuration(model, template, decoding)
    landed = _LANDED.format(configuration.configuration_id)
    shown = render_with_rules(template, book, rules)
    opened: list[Backend] = []

    def open_once() -> Backend:
        opened[:] = opened or [load()]
        return opened[0]

    summary: dict[str, Any] = {}
    totals = dict.fromkeys(("drawn", "failures", "unanswered", "prompt_tokens", "completion_tokens"), 0)
    reading: dict[str, Any] = {"read": 0, "rejected": {}}
    for tried in range(1, tries + 1):
        summary = sample(
            store,
            configuration,
            open_once,
            n=tried,
            where=where,
            limit=limit,
            settled=landed,
            kind="rationales",
            render=shown,
            retry_failed=retry_failed,
            budget=budget,
            dry_run=dry_run,
            report=report,
        )
        if dry_run:
            return {"teacher": model.name, "rulebook": f"{book.name}@{book.version}", **summary}
        for name in totals:
            totals[name] += summary.get(name, 0)
        budget = budget.less(summary["prompt_tokens"], summary["completion_tokens"])
        found = read_rationales(store, configuration.configuration_id)
        reading["read"] += found["read"]
        for reason, count in found["rejected"].items():
            reading["rejected"][reason] = reading["rejected"].get(reason, 0) + count
        if summary.get("left") or summary.get("waiting"):
            break
    return {
        "teacher": model.name,
        "configuration": summary["configuration"],
        "rulebook": f"{book.name}@{book.version}",
        "gold": gold,
        **{name: count for name, count in totals.items() if count or name != "unanswered"},
        "rationales": reading["read"],
        "rejected": reading["rejected"],
        **(
            {"usd": round(budget.usd_of(totals["prompt_tokens"], totals["completion_tokens"]), 4)}
            if budget.price
            else {}
        ),
        **_state(store, configuration.configuration_id, where, limit, tries),
    }


def render_with_rules(template: Template, book: Rulebook, k: int) -> Callable[[dict[str, Any]], Rendered]:
    """Renders a row of a sampling plan by `template`, with the rules retrieved for its pair."""
    today = datetime.now(UTC).date()
    retriever = Retriever([rule for rule in book.rules if rule.is_valid(today)], k)
    sees_gold = template.purpose == "rationales-for-gold"

    def render(row: dict[str, Any]) -> Rendered:
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
        return Rendered(messages, tuple(str(book.rule_id(rule)) for rule in found))

    return render


def _state(
    store: Store, configuration_id: uuid.UUID, where: str | None, limit: int | None, tries: int
) -> dict[str, Any]:
    """How many of the selected pairs have what they need, and what is left to do for the others."""
    with store.read() as connection:
        pairs = selected_pairs(connection, where, limit)
        landed, tried_out, disputed = connection.execute(
            f"""
            SELECT count(*) FILTER (pair_id IN ({_LANDED.format(configuration_id)})),
                count(*) FILTER (pair_id NOT IN ({_LANDED.format(configuration_id)}) AND pair_id IN (
                    SELECT pair_id FROM samples WHERE configuration_id = $configuration::UUID
                    GROUP BY pair_id HAVING count(*) >= $tries
                    UNION SELECT pair_id FROM sample_failures WHERE configuration_id = $configuration::UUID)),
                count(*) FILTER (pair_id IN (SELECT pair_id FROM teacher_disputes))
            FROM selected
            """,
            {"configuration": configuration_id, "tries": tries},
        ).fetchall()[0]
    return {
        "pairs": pairs,
        "pairs_with_a_rationale": landed,
        "pairs_that_never_landed": tried_out,
        "pairs_left": pairs - landed - tried_out,
        "teachers_agree_against_gold": disputed,
    }
