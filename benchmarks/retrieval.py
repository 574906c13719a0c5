"""Are the rules that a pair needs among those retrieved for it, and what do they cost?

``python -m benchmarks.retrieval [--pairs 2000] [--seed 3]``

The shop's derivations say which rules of its rulebook they use; the retriever sees query, title, the item's category,
and the kind that ingest finds by rules, which is not always the true one. *Unworded* are rules on situations and
questions of which the query uses a phrase that stands in no rule's example.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click
from click.testing import CliRunner
from rich.console import Console
from rich.table import Table

from curation.__main__ import main as curation
from curation.rulebook.retrieval import Retriever, Subject
from curation.shop import INGEST_OPTIONS
from curation.shop.derivations import parse_derivation, used_rules
from curation.shop.rulebook import shop_rulebook
from warehouse.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterator

_PAIRS = """
    SELECT q.text, v.title, v.description, json_extract_string(v.attributes, '$.category'), q.kind, q.locale,
        q.intent, j.reason
    FROM pairs p JOIN queries q USING (query_id) JOIN item_versions v ON v.item_version_id = p.item_version_id
    JOIN judgments j ON j.judgment_id = p.judgment_id ORDER BY p.pair_id
"""


class Case(NamedTuple):
    """A pair as the retriever sees it, with the rules that its derivation uses."""

    subject: Subject
    used: frozenset[str]


def cases(pairs: int, seed: int) -> Iterator[Case]:
    """Pairs of the shop, from a store that real commands filled."""
    with tempfile.TemporaryDirectory() as folder:
        shop, store = Path(folder) / "shop.csv", Path(folder) / "shop.duckdb"
        for arguments in (
            ("synthesize", "--pairs", str(pairs), "--seed", str(seed), "--out", str(shop)),
            ("ingest", "table", str(shop), *INGEST_OPTIONS, "--db", str(store)),
        ):
            done = CliRunner().invoke(curation, arguments)
            if done.exit_code:
                raise SystemExit(done.output)
        with Store(store).read() as connection:
            rows = connection.execute(_PAIRS).fetchall()
    for *fields, intent, reason in rows:
        yield Case(Subject(*fields), frozenset(used_rules(parse_derivation(intent, reason))))


def _is_unworded(rule: str, query: str) -> bool:
    """Whether a rule has an example whose words the query does not use."""
    by_name = shop_rulebook().by_name[rule]
    phrases = [each.query.rsplit(" for ", 1)[-1].strip(" ?") for each in by_name.examples]
    return bool(by_name.scope.attribute) and not any(phrase in query for phrase in phrases)


@click.command()
@click.option("--pairs", default=2_000, show_default=True)
@click.option("--seed", default=3, show_default=True)
def main(pairs: int, seed: int) -> None:
    """Print the table."""
    found = list(cases(pairs, seed))
    rules = shop_rulebook()
    table = Table("k", "all rules shown", "rules shown", "unworded shown", "rules a prompt", "characters")
    for k in (0, 4, 6, 8, 10, 12, 16):
        retriever = Retriever(rules.rules, k)
        complete = used = hit = unworded = unworded_hit = shown = characters = 0
        for case in found:
            names = {rule.name for rule in retriever.retrieve(case.subject)}
            complete += case.used <= names
            used, hit = used + len(case.used), hit + len(case.used & names)
            hidden = {rule for rule in case.used if _is_unworded(rule, case.subject.query)}
            unworded, unworded_hit = unworded + len(hidden), unworded_hit + len(hidden & names)
            shown += len(names)
            characters += sum(len(f"{name}: {rules.by_name[name].text}\n") for name in names)
        table.add_row(
            str(k),
            f"{complete / len(found):.1%} of pairs",
            f"{hit / used:.1%}",
            f"{unworded_hit / unworded:.1%} of {unworded:,}",
            f"{shown / len(found):.1f}",
            f"{characters / len(found):,.0f}",
        )
    Console().print(table)


if __name__ == "__main__":
    main()
