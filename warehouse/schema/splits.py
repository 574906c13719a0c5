"""Preferences, doubts about labels, and frozen splits."""

from __future__ import annotations

from warehouse.ddl import Column, Table
from warehouse.schema.columns import CONFIGURATION, ITEM_VERSION, PAIR, PROMPT_HASH, RUN, identifier

_CHOSEN = (
    Column("chosen_sample_id", "UUID", "Sample behind chosen.", "samples", required=False),
    Column(
        "chosen_rationale_id",
        "UUID",
        "Rationale behind chosen, in place of a sample.",
        "rationales",
        required=False,
    ),
)

SPLITS: tuple[Table, ...] = (
    Table(
        "preferences",
        "DPO pairs for one rendered prompt: a correct sample over a wrong one, a teacher's correct sample or rationale "
        "where the model has none, or a person's correction over what it corrects. Configuration and prompt are the "
        "model's.",
        ("preference_id",),
        (
            identifier("preference_id", "Preference."),
            PAIR,
            CONFIGURATION,
            Column("prompt_id", "UUID", "Prompt template.", "prompts"),
            PROMPT_HASH,
            *_CHOSEN,
            Column("rejected_sample_id", "UUID", "Sample behind rejected.", "samples"),
            Column("chosen", "VARCHAR", "Correct text."),
            Column("rejected", "VARCHAR", "Wrong or corrected text."),
            Column("gold_tier", "INTEGER", "Gold tier, which chosen states."),
            Column(
                "rejected_tier", "INTEGER", "Tier that rejected states; NULL if unparsable.", required=False
            ),
            Column("tier_distance", "INTEGER", "|rejected tier − gold|.", required=False),
            Column(
                "rejected_confidence",
                "DOUBLE",
                "The model's probability of the rejected tier.",
                required=False,
            ),
            Column(
                "length_ratio",
                "DOUBLE",
                "Longer over shorter side, in tokens as each model generated them, or in characters where a person "
                "wrote one; 1 is equal.",
            ),
            RUN,
        ),
    ),
    Table(
        "label_scores",
        "How the gold tier of a pair stands to the tier probabilities of a scorer, by confident learning.",
        ("label_score_id",),
        (
            identifier("label_score_id", "Score of a gold judgment by a scorer."),
            PAIR,
            Column("judgment_id", "UUID", "Gold judgment that was scored.", "judgments"),
            Column("scorer", "VARCHAR", "bag-of-words, samples, or the name of a file of predictions."),
            Column(
                "configuration_id",
                "UUID",
                "Sampling configuration behind samples.",
                "configurations",
                required=False,
            ),
            Column("tier", "INTEGER", "Gold tier that was scored."),
            Column(
                "tier_probs",
                "DOUBLE[]",
                "The scorer's probabilities of tiers 1 to 4 (tier_probs[3] is p(tier 3)).",
            ),
            Column(
                "label_quality", "DOUBLE", "The scorer's probability of the gold tier; 0 is worst, 1 best."
            ),
            Column("suggested_tier", "INTEGER", "Most probable tier."),
            Column("suspect", "BOOLEAN", "Whether confident learning holds the gold tier for wrong."),
            RUN,
        ),
    ),
    Table(
        "splits",
        "Named, versioned, frozen sets.",
        ("split",),
        (
            Column("split", "VARCHAR", "Name and version, such as hard_v3."),
            Column("name", "VARCHAR", "Name."),
            Column("version", "INTEGER", "1, 2, …"),
            Column("role", "VARCHAR", "train, calibration or eval."),
            Column("recipe", "JSON", "How the members were chosen: where, size, role, seed, near-copies."),
            Column(
                "configuration_id",
                "UUID",
                "Configuration whose difficulty and samples are frozen.",
                "configurations",
                required=False,
            ),
            Column("content_hash", "VARCHAR", "SHA-256 over all rows frozen."),
            Column("created_at", "TIMESTAMP", "When it was frozen."),
            RUN,
        ),
    ),
    Table(
        "split_members",
        "Pairs of a split with what was true of them when it was frozen.",
        ("split", "pair_id"),
        (
            Column("split", "VARCHAR", "Split.", "splits"),
            PAIR,
            Column("query_id", "UUID", "Query.", "queries"),
            ITEM_VERSION,
            Column("tier", "INTEGER", "Gold tier."),
            Column("kind", "VARCHAR", "Kind of the query."),
            Column("confidence", "DOUBLE", "Confidence of the gold tier."),
            Column("weight", "DOUBLE", "Traffic weight."),
            Column("judgment_id", "UUID", "Gold judgment.", "judgments"),
            Column("n", "INTEGER", "Graded samples of the split's configuration.", required=False),
            Column("c", "INTEGER", "Correct ones among them.", required=False),
            Column("band", "VARCHAR", "Difficulty band from them.", required=False),
            PROMPT_HASH,
            Column("row_hash", "VARCHAR", "SHA-256 of the row with all texts it stands for."),
        ),
    ),
    Table(
        "split_completions",
        "SFT payload of a split: what to complete each prompt with.",
        ("split", "pair_id"),
        (
            Column("split", "VARCHAR", "Split.", "splits"),
            PAIR,
            PROMPT_HASH,
            Column("sample_id", "UUID", "Correct sample.", "samples", required=False),
            Column(
                "rationale_id",
                "UUID",
                "Rationale that a person wrote, in place of a sample.",
                "rationales",
                required=False,
            ),
            Column("row_hash", "VARCHAR", "SHA-256 of the row with all texts it stands for."),
        ),
    ),
    Table(
        "split_preferences",
        "DPO payload of a split.",
        ("split", "preference_id"),
        (
            Column("split", "VARCHAR", "Split.", "splits"),
            identifier("preference_id", "Preference."),
            PAIR,
            PROMPT_HASH,
            *_CHOSEN,
            Column("rejected_sample_id", "UUID", "Sample behind rejected.", "samples"),
            Column("row_hash", "VARCHAR", "SHA-256 of the row with all texts it stands for."),
        ),
    ),
)
