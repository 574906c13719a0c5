"""Argilla's filters and sorts as SQL over its own tables.

As in its Elasticsearch index: a value that is a list matches by any of its members, what a record does not have
matches nothing and is sorted last, and a response filter looks for one response that meets all of it.
"""

from __future__ import annotations

import random
from datetime import datetime, time, timezone
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import UUID

from argilla_server.enums import ResponseStatusFilter
from argilla_server.errors.future import UnprocessableEntityError
from argilla_server.models import Question, Record, Response, Suggestion
from argilla_server.search_engine import (
    AndFilter,
    Filter,
    MetadataFilterScope,
    Order,
    RangeFilter,
    RecordFilterScope,
    ResponseFilterScope,
    SuggestionFilterScope,
    TermsFilter,
)
from sqlalchemy import (
    ColumnElement,
    Float,
    Select,
    String,
    and_,
    case,
    cast,
    collate,
    exists,
    func,
    literal,
    literal_column,
    or_,
    select,
    true,
)
from sqlalchemy import column as column_of
from sqlalchemy.dialects.postgresql import JSONB

if TYPE_CHECKING:
    from argilla_server.search_engine import FilterScope
    from sqlalchemy import FromClause


_HEX_DIGITS = 32
_SEED_DIGITS = 8


class Members(NamedTuple):
    """The members of a JSON value: itself, or those of a list."""

    source: FromClause
    text: ColumnElement[str]
    number: ColumnElement[float]


class Conditions:
    """Filters and sorts over the records of a dataset, in the SQL of `dialect`."""

    def __init__(self, dialect: str, dataset_id: UUID) -> None:
        self._is_sqlite = dialect == "sqlite"
        self._dataset_id = dataset_id

    def where(self, wanted: Filter) -> ColumnElement[bool]:
        """Condition on ``records``.

        Raises:
            ValueError: A filter that Argilla does not have today.
        """
        if isinstance(wanted, AndFilter):
            return and_(*(self.where(part) for part in wanted.filters))
        scope = wanted.scope
        if isinstance(scope, RecordFilterScope):
            return _record_condition(wanted, str(scope.property))
        if isinstance(scope, ResponseFilterScope) and not scope.question:
            return _status_condition(wanted, scope)
        found, members = self._values(scope)
        if isinstance(members, Members):
            return exists(found.where(_meets(wanted, members.text, members.number)))
        return exists(found.where(_meets(wanted, members, cast(members, Float))))

    def order_by(self, order: Order) -> list[ColumnElement[Any]]:
        """Columns to sort ``records`` by."""
        descends = str(order.order) == "desc"
        scope = order.scope
        if isinstance(scope, RecordFilterScope):
            column = getattr(Record, str(scope.property))
            named = str(scope.property) in ("status", "external_id")
            keys: list[ColumnElement[Any]] = [self.collated(cast(column, String)) if named else column]
        elif isinstance(scope, ResponseFilterScope) and not scope.question:
            status = _of_user(select(func.min(cast(Response.status, String))), scope)
            keys = [self.collated(status.scalar_subquery())]
        else:
            found, members = self._values(scope)
            # Of several, the least counts when they go up, the greatest when they go down.
            pick = func.max if descends else func.min
            if isinstance(members, Members):
                number = func.avg if isinstance(scope, ResponseFilterScope) else pick
                keys = [found.with_only_columns(number(members.number)).scalar_subquery()]
                if getattr(scope, "property", None) != "score":
                    keys.append(self.collated(found.with_only_columns(pick(members.text)).scalar_subquery()))
            else:
                keys = [self.collated(found.with_only_columns(pick(members)).scalar_subquery())]
        return [(key.desc() if descends else key.asc()).nulls_last() for key in keys]

    def shuffled(self, seed: str) -> ColumnElement[Any]:
        """A key to sort ``records`` by, in an order that `seed` decides."""
        if not self._is_sqlite:
            return func.md5(cast(Record.id, String) + seed)
        # SQLite has no such function. Ids are random already: some of their digits, taken in an order of the
        # seed's, are as good as a random number.
        places = random.Random(seed).sample(range(1, _HEX_DIGITS + 1), _SEED_DIGITS)  # noqa: S311
        shuffled: ColumnElement[str] = literal("")
        for place in places:
            shuffled = shuffled + func.substr(cast(Record.id, String), place, 1)
        return shuffled

    def _values(self, scope: FilterScope) -> tuple[Select[Any], Members | ColumnElement[str]]:
        """A query for what `scope` names of a record of the outer query, and its values."""
        if isinstance(scope, MetadataFilterScope):
            members = self.metadata(scope.metadata_property)
            return select(1).select_from(members.source), members
        if isinstance(scope, ResponseFilterScope):
            members = self._members(Response.values, str(scope.question), "value")
            return _of_user(select(1).select_from(Response).join(members.source, true()), scope), members
        if isinstance(scope, SuggestionFilterScope):
            question = select(Question.id).where(
                Question.name == scope.question, Question.dataset_id == self._dataset_id
            )
            suggested = (
                select(1)
                .select_from(Suggestion)
                .where(
                    Suggestion.record_id == Record.id, Suggestion.question_id == question.scalar_subquery()
                )
                .correlate(Record)
            )
            if scope.property in ("agent", "type"):
                return suggested, cast(getattr(Suggestion, scope.property), String)
            column = Suggestion.score if scope.property == "score" else Suggestion.value
            members = self._members(column)
            return suggested.join(members.source, true()), members
        raise ValueError(f"no such filter: {scope}")

    def _members(self, column: Any, *path: str) -> Members:
        if self._is_sqlite:
            # Names of questions and properties hold no quotation marks.
            steps = "".join(f'."{step}"' for step in path)
            found = func.json_each(column, f"${steps}").table_valued("value", "type").alias()
            is_number = found.c.type.in_(["integer", "real"])
            as_text: Any = found.c.value
        else:
            value: Any = cast(column, JSONB)
            value = value[path] if path else value
            listed = case((func.jsonb_typeof(value) == "array", value), else_=func.jsonb_build_array(value))
            found = func.jsonb_array_elements(listed).table_valued(column_of("value", JSONB)).alias()
            is_number = func.jsonb_typeof(found.c.value) == "number"
            as_text = found.c.value.op("#>>")(literal_column("'{}'"))
        return Members(found, cast(as_text, String), case((is_number, cast(as_text, Float))))

    def metadata(self, name: str) -> Members:
        """The values of a metadata property of a record of the outer query."""
        return self._members(Record.metadata_, name)

    def collated(self, text: ColumnElement[Any]) -> ColumnElement[Any]:
        """`text` in the order of code points, whatever language the database has."""
        return text if self._is_sqlite else collate(text, "C")


def _of_user(found: Select[Any], scope: ResponseFilterScope) -> Select[Any]:
    found = found.where(Response.record_id == Record.id).correlate(Record)
    return found.where(Response.user_id == scope.user.id) if scope.user else found


def _status_condition(wanted: Filter, scope: ResponseFilterScope) -> ColumnElement[bool]:
    if not isinstance(wanted, TermsFilter):
        raise ValueError("responses have no range of statuses")
    statuses = {str(status) for status in wanted.values}
    answered = _of_user(select(1).select_from(Response), scope)
    given = exists(answered.where(cast(Response.status, String).in_(statuses)))
    # Argilla calls a record pending to whom has not answered it yet.
    return or_(given, ~exists(answered)) if ResponseStatusFilter.pending in statuses else given


def _record_condition(wanted: Filter, name: str) -> ColumnElement[bool]:
    column = getattr(Record, name)
    if name in ("inserted_at", "updated_at"):
        if isinstance(wanted, RangeFilter):
            return _between(column, _moment(wanted.ge), _moment(wanted.le, to_the_end=True))
        return column.in_([_moment(value) for value in wanted.values])
    if isinstance(wanted, RangeFilter):
        return _between(cast(column, String), wanted.ge, wanted.le)
    if name == "id":
        return column.in_([found for found in map(_uuid, wanted.values) if found])
    return cast(column, String).in_([str(value) for value in wanted.values])


def _meets(wanted: Filter, text: ColumnElement[str], number: ColumnElement[float]) -> ColumnElement[bool]:
    if isinstance(wanted, TermsFilter):
        return text.in_([str(value) for value in wanted.values])
    if isinstance(wanted.ge, str) or isinstance(wanted.le, str):
        return _between(text, wanted.ge, wanted.le)
    return _between(number, wanted.ge, wanted.le)


def _between(value: ColumnElement[Any], lowest: Any, highest: Any) -> ColumnElement[bool]:
    bounds = []
    if lowest is not None:
        bounds.append(value >= lowest)
    if highest is not None:
        bounds.append(value <= highest)
    return and_(*bounds)


def _moment(given: Any, *, to_the_end: bool = False) -> datetime | None:
    """UTC without a zone, as Argilla stores it. A day alone is its beginning or, `to_the_end`, its end."""
    if given is None:
        return None
    if not isinstance(given, str):
        # Elasticsearch reads a number as milliseconds.
        return datetime.fromtimestamp(given / 1000, timezone.utc).replace(tzinfo=None)
    try:
        moment = datetime.fromisoformat(given.strip().replace("Z", "+00:00"))
    except ValueError as error:
        raise UnprocessableEntityError(f"{given!r} is no ISO 8601 time") from error
    if to_the_end and len(given.strip()) == len("2026-01-31"):
        moment = datetime.combine(moment.date(), time.max)
    return moment.astimezone(timezone.utc).replace(tzinfo=None) if moment.tzinfo else moment


def _uuid(given: str) -> UUID | None:
    try:
        return UUID(str(given))
    except ValueError:
        return None
