"""How many planted faults the checks find, how often they are right, and how they fare on real answers that were read.

    python -m benchmarks.hallucination
    python -m benchmarks.hallucination --crowdflower train.csv     # where the data is not beside the checkout
    python -m benchmarks.hallucination --model smollm2-135m --size 60     # what a model that derives verdicts finds

The planted texts are those of `planting.REPORTED`, on which no check was tuned; a model reads flipped verdicts of
`planting.DEVELOPMENT` and as many texts without a fault. Intervals are 95 % Wilson intervals.
"""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click
from scipy.stats import binomtest

from benchmarks import CROWDFLOWER
from benchmarks.hallucination.derived import Derived, derive
from benchmarks.hallucination.planting import DEVELOPMENT, FAULTS, REPORTED, Planted, plant
from benchmarks.hallucination.real import KINDS as READ_KINDS
from benchmarks.hallucination.real import load_answers
from curation.checks.checked_text import CheckedText
from curation.checks.copies import Written, copy_findings
from curation.checks.finding import KINDS
from curation.checks.text_checks import check_text
from curation.checks.vocabulary import Vocabulary
from curation.shop import generate
from curation.shop.rulebook import shop_rulebook

if TYPE_CHECKING:
    from collections.abc import Sequence

_CATALOGUE = 4_000
_NO_DATA = "Real answers: skipped, no {}; name CrowdFlower's train.csv with --crowdflower"


@dataclass(frozen=True, slots=True)
class _Told:
    """Kinds of findings of a text, errors and all."""

    errors: frozenset[str]
    any: frozenset[str]


def _told(
    texts: Sequence[CheckedText], pairs: Sequence[str], vocabulary: Vocabulary
) -> tuple[list[_Told], float]:
    """What the checks say of each text, and how many texts a minute one process reads."""
    check_text(texts[0], vocabulary)
    started = time.perf_counter()
    found = [check_text(text, vocabulary) for text in texts]
    written = [
        Written(text.text, pair, f"{text.query} {text.title} {text.description}")
        for text, pair in zip(texts, pairs, strict=True)
    ]
    for n, finding in copy_findings(written):
        found[n].append(finding)
    a_minute = len(texts) / (time.perf_counter() - started) * 60
    return [
        _Told(
            frozenset(each.kind for each in findings if each.severity == "error"),
            frozenset(each.kind for each in findings),
        )
        for findings in found
    ], a_minute


def _checked(planted: Planted) -> CheckedText:
    pair = planted.pair
    digit = planted.text[0] if planted.form == "answer-first" else planted.text.rstrip()[-1]
    return CheckedText(
        text=planted.text,
        form=planted.form,
        tier=int(digit),
        query=pair.query,
        title=pair.title,
        description=pair.description or "",
        brand=pair.brand or "",
        attributes={"price": str(pair.price)},
        kind=pair.kind,
        locale=pair.locale,
        steps_asked=True,
        rulebook=shop_rulebook(),
        shown=frozenset(pair.rules),
    )


def _share(part: int, whole: int) -> str:
    if not whole:
        return "–"
    interval = binomtest(part, whole).proportion_ci(method="wilson")
    return f"{part / whole:.3f} ({interval.low:.3f} to {interval.high:.3f})"


def _planted(size: int) -> None:
    rows = plant(size, REPORTED.seed, REPORTED)
    shop = list(generate(_CATALOGUE, seed=99))
    vocabulary = Vocabulary.of(
        [text for row in shop for text in (row.query, row.title)]
        + [text for row in rows for text in (row.pair.query, row.pair.title)],
        [row.brand for row in shop],
    )
    told, a_minute = _told(
        [_checked(row) for row in rows], [row.pair.query + row.pair.title for row in rows], vocabulary
    )
    each = list(zip(rows, told, strict=True))
    click.echo(f"Planted: {size} texts with each fault, {sum(row.fault is None for row in rows)} without.\n")
    click.echo("| fault | found, as what it is |\n|---|---|")
    for fault in FAULTS:
        hits = [bool(found.errors & row.expected) for row, found in each if row.fault == fault]
        click.echo(f"| {fault} | {_share(sum(hits), len(hits))} |")
    click.echo("\n| kind | precision | recall | texts without a fault that get one |\n|---|---|---|---|")
    for kind in KINDS:
        # What a copied text says of rules and form is as wrong as the rest, and counts neither way.
        judged = [(row, found) for row, found in each if row.fault != FAULTS[-1] or kind in row.expected]
        flagged = [row for row, found in judged if kind in found.errors]
        right = sum(kind in row.expected for row in flagged)
        wanted = [kind in found.errors for row, found in judged if row.expected == {kind}]
        clean = [kind in found.errors for row, found in each if row.fault is None]
        click.echo(
            f"| {kind} | {_share(right, len(flagged))} | {_share(sum(wanted), len(wanted))} "
            f"| {_share(sum(clean), len(clean))} |"
        )
    flagged = [row for row, found in each if found.errors]
    faulty = [bool(found.errors & row.expected) for row, found in each if row.fault]
    click.echo(
        f"| any | {_share(sum(row.fault is not None for row in flagged), len(flagged))} "
        f"| {_share(sum(faulty), len(faulty))} "
        f"| {_share(sum(row.fault is None for row in flagged), sum(row.fault is None for row in rows))} |"
    )
    click.echo(f"\n{a_minute:,.0f} texts a minute in one process, copies included.\n")


def _derived(size: int, path: Path, model: str) -> None:
    rows = plant(size, DEVELOPMENT.seed, DEVELOPMENT)
    flipped = [row for row in rows if row.fault == "verdict flipped"]
    clean = [row for row in rows if row.fault is None][:: len(FAULTS)][: len(flipped)]
    planted = [_checked(row) for row in (*flipped, *clean)]
    real = load_answers(path).read if path.exists() else ()
    derived = derive([*planted, *(answer.checked for answer in real)], model)
    click.echo(f"Verdicts derived by {model} from the reasoning alone.\n")
    click.echo(
        "| texts | read | with the fault | asked | precision | recall | errors alone: precision | recall "
        "| flagged without the fault |\n|---|---|---|---|---|---|---|---|---|"
    )
    labels = [row.fault is not None for row in (*flipped, *clean)]
    _derived_row("planted", labels, derived[: len(planted)])
    if real:
        _derived_row("real", [answer.labels["verdict"] for answer in real], derived[len(planted) :])
    else:
        click.echo(_NO_DATA.format(path))


def _derived_row(name: str, labels: Sequence[bool], derived: Sequence[Derived]) -> None:
    each = list(zip(labels, derived, strict=True))
    asked = sum(found.asked for found in derived)
    cells = []
    for severities in ({"error", "warning"}, {"error"}):
        right = sum(is_so and found.severity in severities for is_so, found in each)
        flagged = sum(found.severity in severities for found in derived)
        cells += [_share(right, flagged), _share(right, sum(labels))]
    wrongly = [found.severity is not None for is_so, found in each if not is_so]
    cells.append(_share(sum(wrongly), len(wrongly)))
    click.echo(f"| {name} | {len(each)} | {sum(labels)} | {asked} | {' | '.join(cells)} |")


def _real(path: Path) -> None:
    if not path.exists():
        click.echo(_NO_DATA.format(path))
        return
    answers = load_answers(path)
    vocabulary = Vocabulary.of([text for row in answers.catalogue for text in row], [])
    told, _ = _told(
        [answer.checked for answer in answers.read], [answer.row for answer in answers.read], vocabulary
    )
    click.echo(f"Real answers of SmolLM2-135M on CrowdFlower, each read twice: {len(told)}.\n")
    click.echo(
        "| kind | read as such | precision | recall | with warnings: precision | recall |\n|---|---|---|---|---|---|"
    )
    for kind in READ_KINDS:
        counts: Counter[str] = Counter()
        for answer, found in zip(answers.read, told, strict=True):
            is_so = answer.labels[kind]
            counts["so"] += is_so
            for name, kinds in (("error", found.errors), ("any", found.any)):
                counts[name] += kind in kinds
                counts[f"{name} right"] += kind in kinds and is_so
        cells = [
            _share(counts[f"{name} right"], whole)
            for name in ("error", "any")
            for whole in (counts[name], counts["so"])
        ]
        click.echo(f"| {kind} | {counts['so']} | {' | '.join(cells)} |")


@click.command()
@click.option("--size", default=200, show_default=True, help="Planted texts for each fault.")
@click.option(
    "--crowdflower", type=click.Path(path_type=Path), default=CROWDFLOWER, help="CrowdFlower's train.csv."
)
@click.option(
    "--model", help="Have this model derive verdicts, and print what that finds in place of all else."
)
def main(size: int, crowdflower: Path, model: str | None) -> None:
    """Print the tables."""
    if model:
        _derived(size, crowdflower, model)
        return
    _planted(size)
    _real(crowdflower)


if __name__ == "__main__":
    main()
