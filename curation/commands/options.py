"""Options that several commands share."""

from __future__ import annotations

import click

where_option = click.option("--where", help="Which pairs: an SQL condition over pair_overview.")

limit_option = click.option(
    "--limit", type=click.IntRange(1), help="At most so many pairs; the same ones each time."
)

dtype_option = click.option(
    "--dtype",
    type=click.Choice(["bfloat16", "float32"]),
    help="Precision of a local model's weights.  [default: bfloat16, but float32 on a CPU without AVX-512]",
)

batch_size_option = click.option(
    "--batch-size",
    type=click.IntRange(1),
    help="Texts of a local model in flight.  [default: 32 on a CPU, 256 on a GPU]",
)

concurrency_option = click.option(
    "--concurrency", type=click.IntRange(1), default=16, show_default=True, help="Open requests to a server."
)

budget_option = click.option(
    "--budget",
    metavar="tokens=N|usd=X",
    help="Stop when so much is spent, within what is in flight; the same command goes on from there.",
)

price_option = click.option(
    "--price",
    metavar="prompt=X,completion=Y",
    help="US dollars for a million tokens, for the summary and for a budget in money.",
)

retry_failed_option = click.option(
    "--retry-failed", is_flag=True, help="Ask again what the model could not take before."
)
