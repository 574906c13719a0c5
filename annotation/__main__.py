"""``python -m annotation``: review in Argilla."""

from __future__ import annotations

import click

from annotation.commands.review import agreement, decide, pull, push, status
from annotation.commands.serve import backup, restore, serve, users
from warehouse.console import Group


@click.group(cls=Group, context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Review in Argilla: serve it, push samples, pull answers, agree, decide."""


for command in (serve, users, push, status, pull, agreement, decide, backup, restore):
    main.add_command(command)

if __name__ == "__main__":
    main(prog_name="python -m annotation")
