"""What can be wrong with a shared store is told in one line, without a password."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import pytest

from tests.postgres import PASSWORD
from tests.warehouse.support import cli, one_line_error
from warehouse.errors import TierwiseError
from warehouse.schema import SCHEMA_VERSION
from warehouse.store import Store
from warehouse.transactions import first_line

if TYPE_CHECKING:
    from pathlib import Path

    from tests.ducklake.conftest import Lake
    from tests.postgres import Postgres

PREFIX = "ducklake:postgres:"


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("ducklake:lake.ducklake", "needs PostgreSQL for its catalog"),
        ("ducklake:sqlite:lake.sqlite", "needs PostgreSQL for its catalog"),
        ("ducklake:mysql:db=lake password=hunter2", "needs PostgreSQL for its catalog"),
        (PREFIX + "host=db password='hunter2 3'", "put it into PGPASSWORD or"),
        (PREFIX + "postgresql://me:hunter2@db/lake", "put it into PGPASSWORD or"),
        (PREFIX + "host=db sslpassword=hunter2", "put it into PGPASSWORD or"),
        (PREFIX + "lake hunter2", "followed by a PostgreSQL connection string"),
    ],
)
def test_a_name_that_cannot_be_one(name: str, told: str) -> None:
    with pytest.raises(TierwiseError, match=told) as raised:
        Store.named(name)
    assert "hunter2" not in str(raised.value)
    assert "\n" not in str(raised.value)


def test_names_that_are_one() -> None:
    for name in (
        PREFIX,
        PREFIX + "dbname=lake host=db",
        PREFIX + "postgresql://me@db:5433/lake?sslmode=require",
    ):
        assert Store.named(name).place.name == name


def test_a_catalog_that_is_down(tmp_path: Path) -> None:
    name = f"{PREFIX}dbname=lake host={tmp_path}"
    for command in (["status"], ["init"], ["init", "--data", str(tmp_path / "lake")]):
        message = one_line_error(
            cli(*command, "--db", name, PGPASSWORD="hunter2", TIERWISE_STATE=str(tmp_path))
        )
        assert message.startswith(f"cannot use the catalog of {name}: ")
        assert message.endswith("see that PostgreSQL is up and lets this user in")
        assert "No such file or directory" in message
        assert "hunter2" not in message


def test_a_wrong_password_and_a_wrong_database(server: Postgres, no_lake: Lake) -> None:
    message = one_line_error(no_lake.run("-m", "warehouse", "status", PGPASSWORD="hunter2"))
    assert 'password authentication failed for user "tierwise"' in message
    assert "hunter2" not in message
    other = f"{PREFIX}{server.conninfo('nowhere')}"
    message = no_lake.command("warehouse", "status", "--db", other, code=1)
    assert 'database "nowhere" does not exist' in message


def test_a_reader_reads_and_a_stranger_does_not(lake: Lake, tmp_path: Path) -> None:
    with lake.catalog() as session:
        for role in ("reader", "stranger"):
            session.execute(f"CREATE ROLE {role} LOGIN PASSWORD '{PASSWORD}'")
        session.execute("GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader")
    reader, stranger = (lake.name.replace("user=tierwise", f"user={role}") for role in ("reader", "stranger"))
    assert f"schema version  {SCHEMA_VERSION}" in lake.command("warehouse", "status", "--db", reader)
    message = lake.command("warehouse", "status", "--db", stranger, code=1)
    assert message.startswith(
        f"Error: cannot use the catalog of {stranger}: permission denied for table ducklake_"
    )
    judged = tmp_path / "judged.csv"
    judged.write_text("q,t,l\nshoe,Shoe,4\n")
    ingest = ("-m", "curation", "ingest", "table", judged, "--map", "query=q", "title=t", "label=l")
    message = one_line_error(lake.run(*ingest, TIERWISE_DB=reader))
    assert message.startswith(f"cannot write {reader}, which is as it was before: ")
    assert "permission denied" in message


def test_a_password_from_elsewhere_is_not_repeated() -> None:
    for written in (r"password='a \'b' dbname=x", "password=a dbname=x", "password = a dbname=x"):
        told = first_line(Exception(f'Unable to connect to Postgres at "host=h {written}": no'))
        assert told == 'Unable to connect to Postgres at "host=h password=… dbname=x": no'


def test_where_the_parquet_files_go(no_lake: Lake, tmp_path: Path) -> None:
    def refused(*arguments: object) -> str:
        return no_lake.command("warehouse", *arguments, code=1).removeprefix("Error: ")

    assert refused("status").startswith(f"no store at {no_lake.name}; ")
    assert refused("init").startswith(f"no store at {no_lake.name} yet; say where its Parquet files go")
    missing = tmp_path / "no" / "lake"
    assert refused("init", "--data", missing).startswith(f"no folder {missing.parent} ")
    no_lake.command("warehouse", "init", "--data", no_lake.data)
    assert f"go to {no_lake.data} already" in refused("init", "--data", tmp_path / "other")
    assert "was there" in no_lake.command("warehouse", "init", "--data", no_lake.data)
    file = tmp_path / "file.duckdb"
    assert "a DuckDB file holds its data itself" in refused("init", "--data", no_lake.data, "--db", file)
    assert not file.exists()


def test_a_lake_with_other_tables(no_lake: Lake) -> None:
    code = (
        "import os, sys; from warehouse.ducklake import DuckLake\n"
        "lake = DuckLake(os.environ['TIERWISE_DB']); lake.make(sys.argv[1])\n"
        "with lake._attached() as connection: connection.execute('CREATE TABLE theirs (x INTEGER)')\n"
    )
    assert no_lake.run("-c", code, no_lake.data).returncode == 0
    for command in ("status", "init"):
        message = no_lake.command("warehouse", command, code=1)
        assert "with other tables (theirs), not a Tierwise store" in message


def test_extensions_that_are_nowhere(no_lake: Lake, tmp_path: Path) -> None:
    dead = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"), "http://127.0.0.1:1")
    # DuckDB looks for installed extensions below the home folder.
    init = ("-c", _WITHOUT_PACKAGES, "init", "--data", no_lake.data)
    message = one_line_error(no_lake.run(*init, HOME=str(tmp_path), **dead))
    assert "DuckDB 1.5.5 has no extension ducklake and cannot download it" in message
    assert "`pip install duckdb-extension-ducklake==1.5.5`" in message


_WITHOUT_PACKAGES = """
import importlib.util, sys
find = importlib.util.find_spec
importlib.util.find_spec = lambda name, *rest: None if name.startswith("duckdb_extension_") else find(name, *rest)
from warehouse.__main__ import main
main(sys.argv[1:])
"""


def test_the_catalog_goes_away_during_a_long_run(server: Postgres, lake: Lake) -> None:
    code = (
        "import os, sys; from warehouse.store import Store; from warehouse.ledger import Run\n"
        "from tests.warehouse.support import queries\n"
        "store = Store.named(os.environ['TIERWISE_DB'])\n"
        "with store.exclusive('x', 'working'), store.long_run(Run('long', {})) as run:\n"
        "  run.write_part('queries', queries('a', run_id=run.run.run_id))\n"
        "  print(run.checkpoint(), flush=True); sys.stdin.readline()\n"
        "  run.write_part('queries', queries('b', run_id=run.run.run_id))\n"
        "  print(run.checkpoint(), flush=True)\n"
        "print(run.held_by)\n"
    )
    with lake.start("-c", code) as run:
        assert run.stdout is not None
        assert run.stdout.readline() == "True\n"
        server.control("-m", "fast", "stop")
        try:
            printed, errors = run.communicate("go on\n", timeout=60)
        finally:
            server.start()
    assert (run.returncode, errors) == (0, "")
    assert printed.startswith(f"False\ncannot use the catalog of {lake.name}: ")
    # What waited is merged by the next command that writes.
    assert lake.rows("SELECT text FROM queries") == [["a"]]
    lake.command("warehouse", "init")
    assert lake.rows("SELECT text FROM queries ORDER BY 1") == [["a"], ["b"]]
    assert lake.rows("SELECT status FROM runs") == [["finished"]]


def test_the_password_is_kept_nowhere(lake: Lake, tmp_path: Path) -> None:
    judged = tmp_path / "judged.csv"
    judged.write_text("q,t,l\nshoe,Shoe,4\n")
    said = lake.command(
        *("curation", "ingest", "table", judged, "--map", "query=q", "title=t", "label=l", "--json")
    )
    said += lake.command("warehouse", "status", "--json")
    said += repr(lake.rows("SELECT CAST(r AS VARCHAR) AS row FROM runs r"))
    assert "ingest" in said
    assert PASSWORD not in said
    for path in tmp_path.rglob("*"):
        assert not path.is_file() or PASSWORD.encode() not in path.read_bytes(), path


def test_without_psycopg(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(TierwiseError, match=r"pip install 'tierwise\[shared\]'"):
        Store.named(f"{PREFIX}host={tmp_path}{os.sep}")
