"""``python -m curation``: from judged rows to frozen splits."""

from __future__ import annotations

import click

from curation.commands.check import check
from curation.commands.conflicts import conflicts
from curation.commands.demo import demo, synthesize
from curation.commands.duplicates import duplicates
from curation.commands.export import export
from curation.commands.ingest import ingest
from curation.commands.judge import difficulty, grade, pairs
from curation.commands.rationales import rationales
from curation.commands.recipe import recipe
from curation.commands.rules import rules
from curation.commands.sample import sample
from curation.commands.split import split
from curation.commands.step_values import step_values
from curation.commands.suspects import suspects
from curation.commands.usage import usage
from warehouse.console import Group


@click.group(cls=Group, context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """The recipe: ingest, sample, grade, difficulty, pairs, split, export."""


for command in (
    ingest,
    conflicts,
    duplicates,
    suspects,
    rules,
    rationales,
    sample,
    grade,
    check,
    step_values,
    difficulty,
    pairs,
    split,
    export,
    recipe,
    usage,
    synthesize,
    demo,
):
    main.add_command(command)

if __name__ == "__main__":
    main(prog_name="python -m curation")
