"""The DuckDB store of query–item pairs and everything that hangs on them."""
