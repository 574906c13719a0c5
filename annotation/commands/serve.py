"""``annotation serve``, ``users``, ``backup`` and ``restore``: Argilla itself."""

from __future__ import annotations

import contextlib
import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import click

from warehouse.console import db_option, json_option, print_summary

if TYPE_CHECKING:
    from collections.abc import Iterator

    from annotation.home import Role
    from warehouse.store import Store


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=6900, show_default=True, help="0 takes a free one."
)
@click.option("--owner", default="owner", show_default=True, help="Name of the user who may do all.")
@click.option("--annotator", "annotators", multiple=True, help="Name of a user who reviews; may be repeated.")
@click.option(
    "--database-url",
    help="PostgreSQL for a team, postgresql://USER@HOST/NAME; with a password, in ARGILLA_DATABASE_URL.",
)
@click.option(
    "--search-engine",
    type=click.Choice(["database", "elasticsearch", "opensearch"]),
    default="database",
    show_default=True,
    help="Where searches go; the address of the last two is in ARGILLA_ELASTICSEARCH.",
)
@click.option(
    "--redis-url", help="A Redis that runs; with a password, in ARGILLA_REDIS_URL.  [default: our own]"
)
@click.option("--processes", type=click.IntRange(1), default=1, show_default=True, help="Server processes.")
@click.option("--stock", is_flag=True, help="Leave Argilla's code as it is: build webhook events for nobody.")
@db_option
@json_option
def serve(
    host: str,
    port: int,
    owner: str,
    annotators: tuple[str, ...],
    database_url: str | None,
    search_engine: str,
    redis_url: str | None,
    processes: int,
    stock: bool,
    store: Store,
    as_json: bool,
) -> None:
    """Serve Argilla beside the store until Ctrl-C.

    The first time it installs Argilla's server and makes the users, whose passwords it prints once.
    """
    from annotation.home import Home
    from annotation.serving import Options, serving, watch

    options = Options(
        host=host,
        port=port,
        owner=owner,
        annotators=annotators,
        database_url=_secret_url(database_url, "--database-url", "ARGILLA_DATABASE_URL"),
        redis_url=_secret_url(redis_url, "--redis-url", "ARGILLA_REDIS_URL"),
        search_engine=search_engine,
        processes=processes,
        stock=stock,
    )
    home = Home.of(store)
    with _until_told(), serving(home, options, _tell) as (ready, supervisor):
        if as_json:
            print_summary(
                {"url": ready.url, "home": str(ready.home), "users_made": [u.username for u in ready.made]},
                as_json,
            )
        else:
            click.echo(f"Argilla is ready at {ready.url}")
            for user in ready.made:
                click.echo(f"  {user.role:<9}  {user.username}  password {user.password}")
            kept = f"Passwords are kept in {home.credentials_file}, for your eyes alone."
            click.echo(f"{kept}\nCtrl-C ends it.")
        watch(supervisor, home, _tell)


@click.group()
def users() -> None:
    """Who may sign in."""


@users.command("add")
@click.argument("name")
@click.option(
    "--role",
    type=click.Choice(["annotator", "owner"]),
    default="annotator",
    show_default=True,
    help="What they may do.",
)
@db_option
@json_option
def add_user(name: str, role: Role, store: Store, as_json: bool) -> None:
    """Make a user with a password of its own, which is printed once."""
    from annotation.users import add

    print_summary(add(store, name, role), as_json)


@users.command("list")
@db_option
@json_option
def list_users(store: Store, as_json: bool) -> None:
    """Names and roles."""
    from annotation.users import listed

    print_summary(listed(store), as_json)


@users.command("remove")
@click.argument("name")
@click.option(
    "--with-responses", is_flag=True, help="Also where responses go with the user, as they do in Argilla."
)
@db_option
@json_option
def remove_user(name: str, with_responses: bool, store: Store, as_json: bool) -> None:
    """Remove a user. One who has answered is removed only if told."""
    from annotation.users import remove

    print_summary(remove(store, name, with_responses=with_responses), as_json)


@click.command()
@click.argument("path", type=click.Path(path_type=Path))
@db_option
@json_option
def backup(path: Path, store: Store, as_json: bool) -> None:
    """Copy Argilla's records, users and secrets into the new folder PATH, whether it is served or not."""
    from annotation.backup import back_up
    from annotation.home import Home

    print_summary(back_up(Home.of(store), path), as_json)


@click.command()
@click.argument("path", type=click.Path(exists=True, file_okay=False, path_type=Path))
@db_option
@json_option
def restore(path: Path, store: Store, as_json: bool) -> None:
    """Make the home of Argilla beside the store from the backup PATH. One that is there is left alone."""
    from annotation.backup import restore
    from annotation.home import Home

    print_summary(restore(Home.of(store), path), as_json)


def _tell(text: str) -> None:
    click.echo(text, err=True)


def _secret_url(given: str | None, option: str, variable: str) -> str | None:
    if given and urlsplit(given).password:
        raise click.UsageError(
            f"{option} holds a password, which everybody on this machine could see; give it in {variable}"
        )
    return given or os.environ.get(variable)


@contextlib.contextmanager
def _until_told() -> Iterator[None]:
    """Let SIGTERM and SIGHUP do what Ctrl-C does: end it in order."""

    def interrupt(_number: int, _frame: object) -> None:
        raise KeyboardInterrupt

    for number in (signal.SIGTERM, signal.SIGHUP):
        # Under nohup, a closed terminal is no reason to end.
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, interrupt)
    try:
        yield
    except KeyboardInterrupt:
        click.echo("Argilla has ended. All that was submitted is kept.", err=True)
