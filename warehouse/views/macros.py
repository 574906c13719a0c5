"""Macros: the arithmetic that views and analysts share."""

from __future__ import annotations

from warehouse.ddl import Macro

MACROS: tuple[Macro, ...] = (
    Macro(
        "netstring",
        ("field",),
        "unambiguous encoding of a field inside a content id.",
        "CASE WHEN field IS NULL THEN '-' "
        "ELSE concat(strlen(CAST(field AS VARCHAR)), ':', CAST(field AS VARCHAR)) END",
    ),
    Macro(
        "pass_at_k",
        ("n", "c", "k"),
        "unbiased pass@k over n samples with c correct, 1 − C(n−c,k)/C(n,k); NULL where k > n.",
        # The product over no factors, which c = 0 asks for, is NULL in SQL.
        "CASE WHEN n IS NULL OR c NOT BETWEEN 0 AND n OR k NOT BETWEEN 1 AND n THEN NULL "
        "WHEN c = 0 THEN 0.0 WHEN n - c < k THEN 1.0 ELSE 1.0 - list_aggregate(list_transform("
        "range(CAST(n - c + 1 AS BIGINT), CAST(n + 1 AS BIGINT)), lambda i: 1.0 - CAST(k AS DOUBLE) / i), "
        "'product') END",
    ),
    Macro(
        "difficulty_band",
        ("n", "c"),
        "solved, easy (≥ 3/4), medium (≥ 3/8), hard (> 0) or unsolved.",
        "CASE WHEN n IS NULL OR c IS NULL OR n = 0 THEN NULL WHEN c = n THEN 'solved' "
        "WHEN c * 4 >= n * 3 THEN 'easy' WHEN c * 8 >= n * 3 THEN 'medium' WHEN c > 0 THEN 'hard' ELSE 'unsolved' END",
    ),
    Macro(
        "tier_name",
        ("tier",),
        "Excellent, Related, Mismatch or Irrelevant.",
        "CASE tier WHEN 4 THEN 'Excellent' WHEN 3 THEN 'Related' WHEN 2 THEN 'Mismatch' "
        "WHEN 1 THEN 'Irrelevant' END",
    ),
    Macro(
        "completion_text",
        ("format", "tier", "reasoning"),
        "reasoning with its verdict, as a prompt of that format asks for it: answer-first or reason-first.",
        "CASE format WHEN 'answer-first' THEN tier || chr(10) || reasoning "
        "WHEN 'reason-first' THEN reasoning || chr(10) || 'Tier: ' || tier END",
    ),
    Macro(
        "query_bucket",
        ("query_id", "buckets"),
        "a stable number from 0 to buckets − 1; cuts queries into disjoint shares.",
        "CAST(concat('0x', substr(CAST(query_id AS VARCHAR), 1, 8)) AS BIGINT) % buckets",
    ),
    Macro(
        "usd_of",
        ("price", "prompt_tokens", "cached_tokens", "completion_tokens", "seconds"),
        "US dollars of an answer by a price: JSON of prompt, completion and cached (a million tokens) and hour.",
        "((prompt_tokens - cached_tokens) * CAST(price ->> '$.prompt' AS DOUBLE) "
        "+ cached_tokens * CAST(coalesce(price ->> '$.cached', price ->> '$.prompt') AS DOUBLE) "
        "+ completion_tokens * CAST(price ->> '$.completion' AS DOUBLE)) / 1e6 "
        "+ coalesce(seconds, 0) / 3600 * CAST(price ->> '$.hour' AS DOUBLE)",
    ),
)
