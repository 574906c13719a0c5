"""A search engine for Argilla that answers from Argilla's own database, SQLite or PostgreSQL.

Import `argilla_database_search.engine` before the server and set ``ARGILLA_SEARCH_ENGINE=database``; neither
Elasticsearch nor OpenSearch is needed then. Argilla commits before it tells its search engine of a change, so
filters, sorts, progress and metrics read its own tables and cannot be stale. Texts are kept in an index of their own
beside them: triggers note each change in the transaction that makes it, and a search reads what was noted before it
answers.

It depends on argilla-server alone. Tested with 2.8.0.
"""
