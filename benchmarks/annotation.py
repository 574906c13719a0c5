"""Argilla as it is served here against Argilla's own code, on the same database: bulk ingest, and annotators' waits.

    python -m benchmarks.annotation [--records 10000]

Both sides run at once, each on a database of its own, and take turns with blocks of 1,000 records, so that a machine
that slows down slows both. Stock is Argilla 2.8.0 without the change that builds no event for webhooks that are not
there. It answers from the same search engine, as Elasticsearch is not here, and writes to the same kind of database,
SQLite with a write-ahead log or PostgreSQL. Records are of 150 words, with two suggestions each; the SDK logs them in
batches of 250.
"""

from __future__ import annotations

import contextlib
import random
import secrets
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import click

from annotation.home import Home
from annotation.serving import Options, serving
from tests.postgres import PASSWORD, binaries, running

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import argilla as rg

    from annotation.home import Credentials

_BLOCK, _BATCH = 1_000, 250
_ASKED = 30
_WORDS = 150


def records(start: int, count: int) -> list[rg.Record]:
    """Records of 150 words with two suggestions, three kinds of metadata."""
    import argilla as rg

    made = []
    for number in range(start, start + count):
        draw = random.Random(number)
        words = [f"word{int(draw.paretovariate(0.7)) % 20_000}" for _ in range(_WORDS)]
        made.append(
            rg.Record(
                id=f"r{number}",
                fields={"query": " ".join(words[:5]), "reasoning": " ".join(words[5:])},
                metadata={"kind": draw.choice(["plain", "negation", "question"]), "tier": draw.randint(1, 4)},
                suggestions=[
                    rg.Suggestion("right", draw.choice(["yes", "no"]), score=draw.random(), agent="checker"),
                    rg.Suggestion("quality", draw.randint(1, 5), score=draw.random(), agent="checker"),
                ],
            )
        )
    return made


class Side:
    """A dataset on one of the servers."""

    def __init__(self, url: str, owner: Credentials) -> None:
        import argilla as rg

        self.client = rg.Argilla(api_url=url, api_key=owner.api_key)
        settings = rg.Settings(
            fields=[rg.TextField(name="query"), rg.TextField(name="reasoning")],
            questions=[
                rg.LabelQuestion(name="right", labels=["yes", "no"]),
                rg.RatingQuestion(name="quality", values=[1, 2, 3, 4, 5]),
            ],
            metadata=[rg.TermsMetadataProperty(name="kind"), rg.IntegerMetadataProperty(name="tier")],
        )
        name = f"bench-{secrets.token_hex(4)}"
        self.dataset = rg.Dataset(name=name, workspace="tierwise", settings=settings, client=self.client)
        self.dataset.create()

    def log(self, block: list[rg.Record]) -> float:
        """Seconds to log `block`."""
        began = time.perf_counter()
        self.dataset.records.log(block, batch_size=_BATCH)
        return time.perf_counter() - began

    def ask(self, body: dict[str, Any], **page: int) -> float:
        """Milliseconds until a page of 10 records is there, with responses and suggestions, as the browser asks."""
        include = [("include", "responses"), ("include", "suggestions")]
        numbers = [(name, str(value)) for name, value in {"limit": 10, **page}.items()]
        began = time.perf_counter()
        answer = self.client.http_client.post(
            f"/api/v1/me/datasets/{self.dataset.id}/records/search", params=[*include, *numbers], json=body
        )
        answer.raise_for_status()
        return (time.perf_counter() - began) * 1_000


def waits(side: Side, count: int) -> dict[str, float]:
    """Median milliseconds of what annotators do."""
    draw = random.Random(0)

    def kind() -> dict[str, Any]:
        scope = {"entity": "metadata", "metadata_property": "kind"}
        return {"type": "terms", "scope": scope, "values": [draw.choice(["plain", "negation"])]}

    pending = {"type": "terms", "scope": {"entity": "response", "property": "status"}, "values": ["pending"]}
    score = {"scope": {"entity": "suggestion", "question": "right", "property": "score"}, "order": "asc"}
    asked: dict[str, Callable[[], float]] = {
        "search a rare word": lambda: side.ask(
            {"query": {"text": {"q": f"word{draw.randint(1_000, 9_000)}"}}}
        ),
        "search a frequent word": lambda: side.ask({"query": {"text": {"q": f"word{draw.randint(1, 5)}"}}}),
        "search two words": lambda: side.ask({"query": {"text": {"q": f"word1 word{draw.randint(2, 50)}"}}}),
        "filter by metadata": lambda: side.ask({"filters": {"and": [kind(), pending]}}),
        "sort by a suggestion's score": lambda: side.ask({"filters": {"and": [pending]}, "sort": [score]}),
        "a page of the queue": lambda: side.ask(
            {"filters": {"and": [pending]}}, offset=draw.randrange(0, count - 10, 10)
        ),
    }
    return {name: median(ask() for _ in range(_ASKED)) for name, ask in asked.items()}


@contextlib.contextmanager
def sides(folder: Path, database_urls: dict[str, str | None]) -> Iterator[dict[str, Side]]:
    """Ours and stock, both served."""
    with contextlib.ExitStack() as stack:
        found = {}
        for name, url in database_urls.items():
            home = Home(folder / f"{name}.argilla")
            options = Options(port=0, database_url=url, stock=name == "stock")
            ready, _ = stack.enter_context(serving(home, options, lambda text: click.echo(text, err=True)))
            found[name] = Side(ready.url, home.credentials()["owner"])
            stack.callback(found[name].client.http_client.close)
        yield found


def compare(
    database: str, folder: Path, database_urls: dict[str, str | None], count: int
) -> dict[str, float]:
    """Print a row of the first table; return the waits on our side."""
    rates: dict[str, list[float]] = {"ours": [], "stock": []}
    with sides(folder, database_urls) as found:
        for start in range(0, count, _BLOCK):
            for name, side in found.items():
                rates[name].append(_BLOCK / side.log(records(start, _BLOCK)))
        ratios = [ours / stock for ours, stock in zip(rates["ours"], rates["stock"], strict=True)]
        print(
            f"| {database} | {median(rates['ours']):.0f} | {median(rates['stock']):.0f} | {median(ratios):.2f} "
            f"({min(ratios):.2f} to {max(ratios):.2f}) |",
            flush=True,
        )
        return waits(found["ours"], count)


@click.command()
@click.option("--records", "count", type=click.IntRange(_BLOCK), default=10_000, show_default=True)
def main(count: int) -> None:
    """Print the tables."""
    print("| database | ours, records/s | stock, records/s | ratio of medians of blocks |\n|---|---|---|---|")
    found = {}
    with tempfile.TemporaryDirectory(prefix="tierwise-bench-") as folder:
        found["SQLite"] = compare("SQLite", Path(folder), {"ours": None, "stock": None}, count)
    programs = binaries()
    if programs is None:
        click.echo("PostgreSQL is not installed.", err=True)
    else:
        with tempfile.TemporaryDirectory(prefix="tierwise-bench-") as folder, running(programs) as postgres:
            urls: dict[str, str | None] = {
                name: f"postgresql+asyncpg://tierwise:{PASSWORD}@/{postgres.new_database(name)}?host={postgres.folder}"
                for name in ("ours", "stock")
            }
            found["PostgreSQL"] = compare("PostgreSQL", Path(folder), urls, count)
    print(f"\n| median ms at {count:,} records | {' | '.join(found)} |\n|---|{'---|' * len(found)}")
    for name in next(iter(found.values())):
        print(f"| {name} | {' | '.join(f'{waited[name]:.0f}' for waited in found.values())} |")


if __name__ == "__main__":
    main()
