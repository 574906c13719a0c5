"""Argilla's search engine interface, answered by its own database."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from argilla_server.database import async_engine
from argilla_server.enums import MetadataPropertyType
from argilla_server.errors.future import UnprocessableEntityError
from argilla_server.models import Record, Response
from argilla_server.search_engine import (
    FloatMetadataMetrics,
    IntegerMetadataMetrics,
    SearchEngine,
    SearchResponseItem,
    SearchResponses,
    TermsMetrics,
    TextQuery,
)
from sqlalchemy import (
    ColumnElement,
    Select,
    String,
    and_,
    cast,
    desc,
    func,
    literal,
    not_,
    or_,
    select,
    true,
)

from argilla_database_search.conditions import Conditions
from argilla_database_search.query import Group, Node, Not, parse, phrases
from argilla_database_search.text_index import ALL_FIELDS, PostgresTextIndex, SQLiteTextIndex, TextIndex
from argilla_database_search.vectors import nearest

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable
    from uuid import UUID

    from argilla_server.enums import SimilarityOrder
    from argilla_server.models import Dataset, MetadataProperty, Suggestion, User, VectorSettings
    from argilla_server.search_engine import Filter, MetadataMetrics, Order
    from sqlalchemy.ext.asyncio import AsyncConnection

ENGINE_NAME = "database"


@SearchEngine.register(engine_name=ENGINE_NAME)
class DatabaseSearchEngine(SearchEngine):
    """Filters, sorts, counts and ranks records where Argilla keeps them."""

    _texts: TextIndex | None = None

    def __init__(self, texts: TextIndex) -> None:
        self._index = texts

    @classmethod
    async def new_instance(cls) -> DatabaseSearchEngine:
        """An engine for one request; the first of a process makes what is missing in the database."""
        if cls._texts is None:
            kind = SQLiteTextIndex if async_engine.dialect.name == "sqlite" else PostgresTextIndex
            texts = kind(async_engine)
            await texts.install()
            cls._texts = texts
        return cls(cls._texts)

    async def close(self) -> None:
        """Keep the connections: they are Argilla's."""

    async def ping(self) -> bool:
        """Whether the database answers."""
        async with async_engine.connect() as connection:
            return bool((await connection.execute(select(literal(1)))).scalar_one())

    async def info(self) -> dict[str, Any]:
        """Name of the engine and of the database's kind."""
        return {"name": ENGINE_NAME, "database": async_engine.dialect.name}

    async def create_index(self, dataset: Dataset) -> None:
        """Nothing: there is one index for all."""

    async def delete_index(self, dataset: Dataset) -> None:
        """Forget the texts of a dataset that is gone."""
        await self._index.refresh(dataset.id)

    async def configure_metadata_property(
        self, dataset: Dataset, metadata_property: MetadataProperty
    ) -> None:
        """Nothing: values are read from the records."""

    async def configure_index_vectors(self, vector_settings: VectorSettings) -> None:
        """Nothing: vectors are read from their table."""

    async def index_records(self, dataset: Dataset, records: Iterable[Record]) -> None:
        """Read the texts now rather than when somebody waits for a search."""
        await self._index.refresh(dataset.id)

    async def partial_record_update(self, record: Record, **update: Any) -> None:
        """Nothing: the record holds it."""

    async def delete_records(self, dataset: Dataset, records: Iterable[Record]) -> None:
        """Forget the texts of records that are gone."""
        await self._index.refresh(dataset.id)

    async def update_record_response(self, response: Response) -> None:
        """Nothing: the response is in its table."""

    async def delete_record_response(self, response: Response) -> None:
        """Nothing: the response is gone from its table."""

    async def update_record_suggestion(self, suggestion: Suggestion) -> None:
        """Nothing: the suggestion is in its table."""

    async def delete_record_suggestion(self, suggestion: Suggestion) -> None:
        """Nothing: the suggestion is gone from its table."""

    async def get_dataset_progress(self, dataset: Dataset) -> dict[str, int]:
        """Records in all and by status."""
        if dataset.is_draft:
            return {}
        status = cast(Record.status, String)
        return await _counts(
            select(status, func.count()).where(Record.dataset_id == dataset.id).group_by(status)
        )

    async def get_dataset_user_progress(self, dataset: Dataset, user: User) -> dict[str, int]:
        """Responses of `user` in all and by status."""
        if dataset.is_draft:
            return {}
        status = cast(Response.status, String)
        return await _counts(
            select(status, func.count())
            .join(Record, Record.id == Response.record_id)
            .where(Record.dataset_id == dataset.id, Response.user_id == user.id)
            .group_by(status)
        )

    async def search(
        self,
        dataset: Dataset,
        query: TextQuery | str | None = None,
        filter: Filter | None = None,  # noqa: A002
        sort: list[Order] | None = None,
        offset: int = 0,
        limit: int = 100,
        user_id: UUID | None = None,
    ) -> SearchResponses:
        """Records of a dataset, a page of them.

        They come as `sort` says, else by how well they match `query`, else as they were added. For an annotator
        (`user_id`) they come in an order of the annotator's own, so that not all begin with the same.
        """
        conditions = Conditions(async_engine.dialect.name, dataset.id)
        found, asked = await self._matching(dataset, query, filter, conditions)
        page, score = found, literal(1.0)
        if sort:
            order = [key for wanted in sort for key in conditions.order_by(wanted)]
        elif user_id:
            order = [conditions.shuffled(str(user_id))]
        else:
            # Nobody asks how well a record matches where that does not decide its place.
            page, score = self._ranked(found, asked, query)
            order = [desc(score)] if asked else []
        page = page.add_columns(score.label("score")).order_by(*order, Record.inserted_at, Record.id)
        async with _connection() as connection:
            total = (
                await connection.execute(select(func.count()).select_from(found.subquery()))
            ).scalar_one()
            rows = await connection.execute(page.offset(offset).limit(limit))
            items = [SearchResponseItem(record_id=row.id, score=row.score) for row in rows]
        return SearchResponses(items=items, total=total)

    async def similarity_search(
        self,
        dataset: Dataset,
        vector_settings: VectorSettings,
        value: list[float] | None = None,
        record: Record | None = None,
        query: TextQuery | str | None = None,
        filter: Filter | None = None,  # noqa: A002
        max_results: int = 100,
        order: SimilarityOrder = "most_similar",
        threshold: float | None = None,
    ) -> SearchResponses:
        """Records by the cosine of their vectors with `value`, or with the vector of `record`, which is left out.

        Raises:
            ValueError: Neither or both are given, or the record has no such vector.
            UnprocessableEntityError: The vector has another number of dimensions.
        """
        if bool(value) == bool(record):
            raise ValueError("Must provide either vector value or record to compute the similarity search")
        wanted = value or (record and record.vector_value_by_vector_settings(vector_settings))
        if not wanted:
            raise ValueError("Cannot find a vector value to apply with provided info")
        expected = vector_settings.dimensions
        if len(wanted) != expected:
            raise UnprocessableEntityError(
                f"the vector has {len(wanted)} dimensions, and `{vector_settings.name}` has {expected}"
            )
        conditions = Conditions(async_engine.dialect.name, dataset.id)
        found, _ = await self._matching(dataset, query, filter, conditions)
        async with _connection() as connection:
            items = await nearest(
                connection,
                vector_settings.id,
                wanted,
                None if query is None and filter is None else found,
                excluded=record.id if record else None,
                reverse=str(order) == "least_similar",
                threshold=threshold,
                limit=max_results,
            )
        return SearchResponses(
            items=[SearchResponseItem(record_id=record_id, score=score) for record_id, score in items],
            total=len(items),
        )

    async def compute_metrics_for(self, metadata_property: MetadataProperty) -> MetadataMetrics:
        """How often each term of a property occurs, or its least and greatest value."""
        conditions = Conditions(async_engine.dialect.name, metadata_property.dataset_id)
        members = conditions.metadata(metadata_property.name)
        found = (
            select(members.text.label("term"), func.count().label("times"))
            .select_from(Record)
            .join(members.source, true())
            .where(Record.dataset_id == metadata_property.dataset_id, members.text.is_not(None))
        )
        async with _connection() as connection:
            if metadata_property.type == MetadataPropertyType.terms:
                terms = await connection.execute(
                    found.group_by(members.text).order_by(desc("times"), conditions.collated(members.text))
                )
                values = [TermsMetrics.TermCount(term=term, count=times) for term, times in terms]
                return TermsMetrics(total=sum(value.count for value in values), values=values)
            ends = found.with_only_columns(func.min(members.number), func.max(members.number))
            lowest, highest = (await connection.execute(ends)).one()
        if metadata_property.type == MetadataPropertyType.float:
            return FloatMetadataMetrics(min=lowest, max=highest)
        return IntegerMetadataMetrics(
            min=None if lowest is None else int(lowest), max=None if highest is None else int(highest)
        )

    async def _matching(
        self, dataset: Dataset, query: TextQuery | str | None, wanted: Filter | None, conditions: Conditions
    ) -> tuple[Select[tuple[UUID]], Node | None]:
        """Ids of the records that match, and what `query` asks for."""
        found = select(Record.id).where(Record.dataset_id == dataset.id)
        if wanted is not None:
            found = found.where(conditions.where(wanted))
        if query is None:
            return found, None
        await self._index.refresh(dataset.id)
        text = TextQuery(q=query) if isinstance(query, str) else query
        asked = parse(text.q)
        if asked is None:
            return found.where(literal(1) == 0), None
        documents = self._index.documents
        in_field = and_(documents.c.record_id == Record.id, documents.c.field == (text.field or ALL_FIELDS))
        return found.join(documents, in_field).where(self._condition(asked, text.field or ALL_FIELDS)), asked

    def _ranked(
        self, found: Select[tuple[UUID]], asked: Node | None, query: TextQuery | str | None
    ) -> tuple[Select[tuple[UUID]], ColumnElement[float]]:
        """`found` with the score of each, which is 1 where no words are asked for."""
        words = [] if asked is None else phrases(asked)
        if not words:
            return found, literal(1.0)
        field = (isinstance(query, TextQuery) and query.field) or ALL_FIELDS
        ranked, score = self._index.ranked(found, words, field)
        return ranked, func.coalesce(score, 0.0)

    def _condition(self, node: Node, field: str) -> ColumnElement[bool]:
        if isinstance(node, Not):
            return not_(self._condition(node.part, field))
        if isinstance(node, Group):
            parts = [self._condition(part, field) for part in node.parts]
            return or_(*parts) if node.any_of else and_(*parts)
        return self._index.matches(node, field)


@contextlib.asynccontextmanager
async def _connection() -> AsyncIterator[AsyncConnection]:
    async with async_engine.connect() as connection:
        if async_engine.dialect.name == "postgresql":
            # Compiling one of these queries takes longer than running it.
            await connection.exec_driver_sql("SET LOCAL jit = off")
        yield connection


async def _counts(query: Select[tuple[str, int]]) -> dict[str, int]:
    async with _connection() as connection:
        counts: dict[str, int] = dict((await connection.execute(query)).all())
    return {"total": sum(counts.values()), **counts}
