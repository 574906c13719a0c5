"""The index of texts: what was changed is noted by triggers, and read before a search answers.

``dbsearch_changes`` gets a row in the transaction that makes, edits or deletes a record, whoever makes it.
`TextIndex.refresh` turns these into ``dbsearch_documents``: one for each field of a record and one for all of them,
as words that `argilla_database_search.tokens` found. SQLite keeps the words in an FTS5 table beside it, PostgreSQL in a
column with a GIN index.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

from argilla_server.models import Field, Record
from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Index,
    Integer,
    MetaData,
    Select,
    String,
    Table,
    Uuid,
    bindparam,
    cast,
    column,
    delete,
    func,
    insert,
    literal_column,
    select,
    table,
    text,
)
from sqlalchemy.dialects.postgresql import TSVECTOR
from sqlalchemy.types import UserDefinedType

from argilla_database_search.tokens import tokens

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from uuid import UUID

    from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
    from sqlalchemy.schema import SchemaItem

    from argilla_database_search.query import Phrase

ALL_FIELDS = ""
"""Name under which all fields of a record are one text."""

_BATCH = 500
_LOCK = 0x6172_6769_6C6C_61
"""Key of PostgreSQL's advisory lock under which changes are read."""


class TextIndex(ABC):
    """Texts of records in the database of `engine`."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._metadata = MetaData()
        number = BigInteger().with_variant(Integer(), "sqlite")
        self._changes = Table(
            "dbsearch_changes",
            self._metadata,
            Column("change", number, primary_key=True, autoincrement=True),
            Column("dataset_id", Uuid(), nullable=False),
            Column("record_id", Uuid(), nullable=False),
            Index("dbsearch_changes_dataset", "dataset_id", "change"),
        )
        self.documents = Table(
            "dbsearch_documents",
            self._metadata,
            Column("document", number, primary_key=True, autoincrement=True),
            Column("dataset_id", Uuid(), nullable=False),
            Column("record_id", Uuid(), nullable=False),
            Column("field", String(), nullable=False),
            *self._columns(),
            Index("dbsearch_documents_record", "record_id", "field", unique=True),
        )

    async def install(self) -> None:
        """Make tables and triggers where they are missing; then every record that is there counts as changed."""
        async with self._engine.connect() as connection:
            await self._begin(connection)
            if not await self._is_installed(connection):
                await connection.run_sync(self._metadata.create_all)
                for statement in self._triggers():
                    await connection.exec_driver_sql(statement)
                await connection.execute(delete(self._changes))
                await connection.execute(
                    insert(self._changes).from_select(
                        ["dataset_id", "record_id"], select(Record.dataset_id, Record.id)
                    )
                )
            await connection.commit()

    async def refresh(self, dataset_id: UUID) -> None:
        """Read what changed in a dataset since the last time."""
        while await self._refresh_some(dataset_id):
            pass

    async def _refresh_some(self, dataset_id: UUID) -> bool:
        changed = select(self._changes.c.change, self._changes.c.record_id).where(
            self._changes.c.dataset_id == dataset_id
        )
        async with self._engine.connect() as connection:
            if (await connection.execute(changed.limit(1))).first() is None:
                return False
            await connection.rollback()
            await self._begin(connection)
            rows = (await connection.execute(changed.order_by(self._changes.c.change).limit(_BATCH))).all()
            if rows:
                await self._read(connection, dataset_id, list({record_id for _, record_id in rows}))
                # Those that were read, no others: a lower number may have been committed since.
                read = [change for change, _ in rows]
                await connection.execute(delete(self._changes).where(self._changes.c.change.in_(read)))
            await connection.commit()
        return len(rows) == _BATCH

    async def _read(self, connection: AsyncConnection, dataset_id: UUID, record_ids: Sequence[UUID]) -> None:
        fields = await connection.execute(
            select(Field.name, Field.settings)
            .where(Field.dataset_id == dataset_id)
            .order_by(Field.inserted_at)
        )
        kinds = {name: settings["type"] for name, settings in fields if settings["type"] != "image"}
        records = await connection.execute(select(Record.id, Record.fields).where(Record.id.in_(record_ids)))
        documents = []
        for record_id, values in records:
            texts = {name: tokens(_searchable(values.get(name), kind)) for name, kind in kinds.items()}
            texts[ALL_FIELDS] = [word for words in texts.values() for word in words]
            documents += [
                {"dataset_id": dataset_id, "record_id": record_id, "field": field, "words": words}
                for field, words in texts.items()
            ]
        await self._replace(connection, record_ids, documents)

    def _columns(self) -> Iterable[SchemaItem]:
        return ()

    @abstractmethod
    async def _begin(self, connection: AsyncConnection) -> None:
        """Begin a transaction that no other of these runs beside."""

    @abstractmethod
    async def _is_installed(self, connection: AsyncConnection) -> bool: ...

    @abstractmethod
    def _triggers(self) -> Iterable[str]: ...

    @abstractmethod
    async def _replace(
        self, connection: AsyncConnection, record_ids: Sequence[UUID], documents: list[dict[str, Any]]
    ) -> None: ...

    @abstractmethod
    def matches(self, phrase: Phrase, field: str) -> ColumnElement[bool]:
        """Condition on `documents`, those of `field`: it holds `phrase`."""

    @abstractmethod
    def ranked(
        self, found: Select[Any], phrases: Sequence[Phrase], field: str
    ) -> tuple[Select[Any], ColumnElement[float]]:
        """`found`, which joins `documents`, with how much each is about any of `phrases`; more is better."""


def _searchable(value: Any, kind: str) -> str:
    if value is None:
        return ""
    if kind == "chat":
        return "\n".join(str(message.get("content", "")) for message in value)
    return str(value)


class SQLiteTextIndex(TextIndex):
    """Words in an FTS5 table whose rowid is the document's: those of all fields in a column of their own."""

    _text = table("dbsearch_text", column("rowid"), column("everything"), column("words"))

    async def _begin(self, connection: AsyncConnection) -> None:
        await connection.exec_driver_sql("BEGIN IMMEDIATE")

    async def _is_installed(self, connection: AsyncConnection) -> bool:
        # A migration of Argilla's that makes the table of records anew takes the triggers with it.
        found = await connection.exec_driver_sql(
            "SELECT count(*) FROM sqlite_master WHERE type = 'trigger' AND name LIKE 'dbsearch_record_%'"
        )
        return bool(found.scalar_one() == len(_EVENTS))

    def _triggers(self) -> Iterable[str]:
        # Words come separated by blanks already: whatever else they hold belongs to them.
        yield (
            "CREATE VIRTUAL TABLE IF NOT EXISTS dbsearch_text USING fts5(everything, words, "
            "tokenize = \"unicode61 remove_diacritics 0 categories 'L* M* N* P* S* Co'\")"
        )
        for event, (when, row) in _EVENTS.items():
            yield (
                f"CREATE TRIGGER IF NOT EXISTS dbsearch_record_{event} AFTER {when} ON records BEGIN "
                f"INSERT INTO dbsearch_changes (dataset_id, record_id) VALUES ({row}.dataset_id, {row}.id); END"
            )

    async def _replace(
        self, connection: AsyncConnection, record_ids: Sequence[UUID], documents: list[dict[str, Any]]
    ) -> None:
        old = self.documents.c.record_id.in_(record_ids)
        await connection.execute(
            delete(self._text).where(self._text.c.rowid.in_(select(self.documents.c.document).where(old)))
        )
        await connection.execute(delete(self.documents).where(old))
        last = (await connection.execute(select(func.max(self.documents.c.document)))).scalar() or 0
        for number, document in enumerate(documents, last + 1):
            document["document"] = number
            words = " ".join(document.pop("words"))
            document["everything"], document["text"] = (
                (words, "") if document["field"] == ALL_FIELDS else ("", words)
            )
        if documents:
            await connection.execute(insert(self.documents), documents)
            filled = insert(self._text).values(
                rowid=bindparam("document"), everything=bindparam("everything"), words=bindparam("text")
            )
            await connection.execute(filled, documents)

    def matches(self, phrase: Phrase, field: str) -> ColumnElement[bool]:
        """Look the phrase up in the FTS5 table."""
        # As an expression, so that SQLite does not try every row of the list for every record.
        document = self.documents.c.document + 0
        return document.in_(select(self._text.c.rowid).where(_match([phrase], field)))

    def ranked(
        self, found: Select[Any], phrases: Sequence[Phrase], field: str
    ) -> tuple[Select[Any], ColumnElement[float]]:
        """By BM25, looked up once for all."""
        scores = (
            select(self._text.c.rowid, (-func.bm25(literal_column("dbsearch_text"))).label("score"))
            .where(_match(phrases, field))
            # Keeps SQLite from taking the query apart: bm25 is defined within it alone.
            .limit(-1)
            .subquery()
        )
        return found.outerjoin(scores, scores.c.rowid == self.documents.c.document), scores.c.score


def _match(phrases: Sequence[Phrase], field: str) -> ColumnElement[bool]:
    within = "everything" if field == ALL_FIELDS else "words"
    query = f"{within} : ({' OR '.join(map(_fts5, phrases))})"
    return literal_column("dbsearch_text").op("MATCH", is_comparison=True)(query)


def _fts5(phrase: Phrase) -> str:
    # No word holds a quotation mark, as that is no part of one.
    return f'"{" ".join(phrase.words)}"' + (" *" if phrase.is_prefix else "")


_EVENTS = {
    "added": ("INSERT", "new"),
    "edited": ("UPDATE OF fields, dataset_id", "new"),
    "deleted": ("DELETE", "old"),
}


class PostgresTextIndex(TextIndex):
    """Words in a ``tsvector`` column, as they are: none of PostgreSQL's parsers and dictionaries is asked."""

    def _columns(self) -> Iterable[SchemaItem]:
        yield Column("words", TSVECTOR())
        yield Index("dbsearch_documents_words", "words", postgresql_using="gin")

    async def _begin(self, connection: AsyncConnection) -> None:
        await connection.execute(select(func.pg_advisory_xact_lock(_LOCK)))

    async def _is_installed(self, connection: AsyncConnection) -> bool:
        found = await connection.exec_driver_sql(
            "SELECT count(*) FROM pg_trigger WHERE tgname = 'dbsearch_record_changed' "
            "AND tgrelid = to_regclass('records')"
        )
        return bool(found.scalar_one())

    def _triggers(self) -> Iterable[str]:
        yield (
            "CREATE OR REPLACE FUNCTION dbsearch_note_change() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
            "INSERT INTO dbsearch_changes (dataset_id, record_id) "
            "SELECT dataset_id, id FROM (SELECT (coalesce(NEW, OLD)).*) AS record; RETURN NULL; END $$"
        )
        yield (
            "CREATE TRIGGER dbsearch_record_changed AFTER INSERT OR DELETE OR UPDATE OF fields, dataset_id "
            "ON records FOR EACH ROW EXECUTE FUNCTION dbsearch_note_change()"
        )

    async def _replace(
        self, connection: AsyncConnection, record_ids: Sequence[UUID], documents: list[dict[str, Any]]
    ) -> None:
        await connection.execute(delete(self.documents).where(self.documents.c.record_id.in_(record_ids)))
        for document in documents:
            document["words"] = _tsvector(document["words"])
        if documents:
            await connection.execute(
                insert(self.documents).values(words=cast(bindparam("words", type_=String()), TSVECTOR())),
                documents,
            )

    def matches(self, phrase: Phrase, field: str) -> ColumnElement[bool]:
        """Compare the column with the phrase."""
        return self.documents.c.words.op("@@", is_comparison=True)(_query(_tsquery(phrase)))

    def ranked(
        self, found: Select[Any], phrases: Sequence[Phrase], field: str
    ) -> tuple[Select[Any], ColumnElement[float]]:
        """By cover density, less for long texts."""
        query = _query(" | ".join(map(_tsquery, phrases)))
        return found, func.ts_rank_cd(self.documents.c.words, query, text("1"))


class _TSQuery(UserDefinedType[str]):
    cache_ok = True

    def get_col_spec(self, **_kwargs: Any) -> str:
        return "TSQUERY"


def _query(query: str) -> ColumnElement[str]:
    return cast(bindparam(None, query, type_=String()), _TSQuery())


_LAST_POSITION = 16_383
"""PostgreSQL's last position of a word in a text."""
_POSITIONS = 255
"""Positions that PostgreSQL keeps of a word."""


def _tsvector(words: Sequence[str]) -> str:
    positions: dict[str, list[str]] = {}
    for position, word in enumerate(words, 1):
        kept = positions.setdefault(word, [])
        if len(kept) < _POSITIONS:
            kept.append(str(min(position, _LAST_POSITION)))
    return " ".join(f"'{word}':{','.join(kept)}" for word, kept in positions.items())


def _tsquery(phrase: Phrase) -> str:
    words = [f"'{word}'" for word in phrase.words]
    if phrase.is_prefix:
        words[-1] += ":*"
    return f"({' <-> '.join(words)})"
