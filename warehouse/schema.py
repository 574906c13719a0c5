"""The tables, in dependency order: one declaration from which DDL, comments, the data dictionary and lineage follow.

Uniqueness is kept by idempotent inserts (`warehouse.store.insert_new`), not by indexes: a primary key over
80 million samples costs gigabytes of memory, and DuckLake has none. Times are UTC.
"""

from __future__ import annotations

from warehouse.ddl import Column, Table

SCHEMA_VERSION = 3


def _id(name: str, comment: str) -> Column:
    return Column(name, "UUID", comment)


_RUN = Column("run_id", "UUID", "Run that wrote the row.", "runs")
_PAIR = Column("pair_id", "UUID", "Query–item pair.", "pairs")
_CONFIGURATION = Column("configuration_id", "UUID", "Sampling configuration.", "configurations")
_PROMPT_HASH = Column(
    "prompt_hash",
    "UUID",
    "Hash of the rendered prompt, which pair_id and it name together.",
    "rendered_prompts",
)
_ITEM_VERSION = Column("item_version_id", "UUID", "Version of the item's text.", "item_versions")
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

TABLES: tuple[Table, ...] = (
    Table(
        "schema_versions",
        "Schema versions this store has gone through; the highest is current.",
        ("version",),
        (
            Column("version", "INTEGER", "Schema version."),
            Column("applied_at", "TIMESTAMP", "When it was applied."),
            Column("code_version", "VARCHAR", "Tierwise version that applied it."),
        ),
    ),
    Table(
        "runs",
        "Ledger: one row for every command that wrote.",
        ("run_id",),
        (
            _id("run_id", "Run."),
            Column("kind", "VARCHAR", "Command, such as ingest, sample, grade, split."),
            Column("status", "VARCHAR", "running, finished, failed or interrupted."),
            Column("parameters", "JSON", "What the command was asked to do."),
            Column("code_version", "VARCHAR", "Tierwise version, with the commit where known."),
            Column("model_id", "UUID", "Model that the run used.", "models", required=False),
            Column(
                "configuration_id",
                "UUID",
                "Sampling configuration that the run worked on.",
                "configurations",
                required=False,
            ),
            Column("parents", "UUID[]", "Runs whose rows this run read."),
            Column("started_at", "TIMESTAMP", "Start."),
            Column("ended_at", "TIMESTAMP", "End; NULL while running.", required=False),
            Column("host", "VARCHAR", "Machine."),
            Column("pid", "INTEGER", "Process id on that machine."),
            Column("summary", "JSON", "What the run wrote, in counts.", required=False),
        ),
    ),
    Table(
        "queries",
        "Distinct queries. A query is its exact text in a locale.",
        ("query_id",),
        (
            _id("query_id", "Query."),
            Column("text", "VARCHAR", "Query as the source has it."),
            Column("locale", "VARCHAR", "Locale as the source has it, such as us."),
            Column("kind", "VARCHAR", "plain, negation, alternative, question or knowledge."),
            Column(
                "intent",
                "VARCHAR",
                "What wordings of one need have in common, where the source says so. Splits keep it in one role.",
                required=False,
            ),
            _RUN,
        ),
    ),
    Table(
        "item_versions",
        "Texts of items. A changed text is a new version, never an overwrite.",
        ("item_version_id",),
        (
            _id("item_version_id", "Version of an item's text."),
            _id("item_id", "Item: the source's own id, or the raw text where it has none."),
            Column("version", "INTEGER", "1 for the first text seen, and so on."),
            Column("is_current", "BOOLEAN", "Whether this is the text that was read last."),
            Column("source", "VARCHAR", "Source that brought the text first."),
            Column("source_item_id", "VARCHAR", "The source's own item id.", required=False),
            Column("title", "VARCHAR", "Title as the source has it."),
            Column("description", "VARCHAR", "Description as plain text.", required=False),
            Column(
                "raw_description",
                "VARCHAR",
                "Description as the source has it, kept where cleaning changed it.",
                required=False,
            ),
            Column("brand", "VARCHAR", "Brand.", required=False),
            Column("attributes", "JSON", "Further attributes of the source, name to value.", required=False),
            _RUN,
        ),
    ),
    Table(
        "pairs",
        "Distinct query–item pairs, with the tier resolved from their judgments.",
        ("pair_id",),
        (
            _id("pair_id", "Query–item pair."),
            Column("query_id", "UUID", "Query.", "queries"),
            _id("item_id", "Item; its current text is in the view items."),
            Column("item_version_id", "UUID", "Version that was judged, current or not.", "item_versions"),
            Column(
                "tier",
                "INTEGER",
                "Gold tier: 4 Excellent, 3 Related, 2 Mismatch, 1 Irrelevant. NULL while judgments conflict.",
                required=False,
            ),
            Column(
                "confidence",
                "DOUBLE",
                "0 to 1: summed confidence of the judgments for the tier, over the number of judgments; 1 where a "
                "person decided.",
                required=False,
            ),
            Column(
                "judgment_id",
                "UUID",
                "Judgment behind the tier: a person's decision, else the strongest for it. Grades hang on it.",
                "judgments",
                required=False,
            ),
            Column("source", "VARCHAR", "Source that brought the pair first."),
            Column("weight", "DOUBLE", "Traffic weight; 1 where the source has none."),
            Column(
                "source_split", "VARCHAR", "The source's own split of the pair, such as test.", required=False
            ),
            _RUN,
        ),
    ),
    Table(
        "judgments",
        "Every judged row of every source, append-only. Tiers of pairs are resolved from these.",
        ("judgment_id",),
        (
            _id("judgment_id", "Judgment."),
            _PAIR,
            _ITEM_VERSION,
            Column("tier", "INTEGER", "Tier that was given, 1 to 4."),
            Column(
                "confidence",
                "DOUBLE",
                "0 to 1 from rater agreement, 1 for a decision; NULL where unknown.",
                required=False,
            ),
            Column(
                "source",
                "VARCHAR",
                "Data set that it came with, such as crowdflower; review where an annotator judged the pair, decision "
                "where a person settled it.",
            ),
            Column("source_file", "VARCHAR", "File it came from; NULL for a decision.", required=False),
            Column(
                "source_row",
                "BIGINT",
                "Line (CSV, JSONL) or row (Parquet) where it starts, from 1; NULL for a decision.",
                required=False,
            ),
            Column(
                "source_key",
                "VARCHAR",
                "The source's own row id, or the judgment's number within its pair. Of several judgments of a "
                "pair with one source and key, the newest stands.",
            ),
            Column("judged_by", "VARCHAR", "Person or process that judged.", required=False),
            Column("judged_at", "TIMESTAMP", "When it was judged.", required=False),
            Column(
                "reason",
                "VARCHAR",
                "Why: in the judge's words, or the derivation of a generated label.",
                required=False,
            ),
            _RUN,
        ),
    ),
    Table(
        "tombstones",
        "Items whose text was taken down. The text is gone from every table and is refused when it comes again.",
        ("item_id",),
        (
            _id("item_id", "Item."),
            Column("reason", "VARCHAR", "Why it was taken down."),
            Column("taken_down_at", "TIMESTAMP", "When."),
            _RUN,
        ),
    ),
    Table(
        "rejects",
        "Rows that could not be used, with the reason.",
        ("reject_id",),
        (
            _id("reject_id", "Rejected row."),
            Column("source", "VARCHAR", "Data set that it was read for."),
            Column("file", "VARCHAR", "File it stands in."),
            Column("line", "BIGINT", "Line (CSV, JSONL) or row (Parquet) where it starts, from 1."),
            Column("reason", "VARCHAR", "Short reason, the same for rows of the same fault."),
            Column("detail", "VARCHAR", "What exactly was found."),
            Column("raw", "VARCHAR", "The row, as JSON of its cells."),
            _RUN,
        ),
    ),
    Table(
        "models",
        "Models by content: equal files are one model.",
        ("model_id",),
        (
            _id("model_id", "Model."),
            Column("name", "VARCHAR", "Name it was first asked for by."),
            Column("digest", "VARCHAR", "SHA-256 over configuration, tokenizer and weights."),
            Column("path", "VARCHAR", "Where it was loaded from."),
            _RUN,
        ),
    ),
    Table(
        "prompts",
        "Prompt templates by content.",
        ("prompt_id",),
        (
            _id("prompt_id", "Prompt template: the hash of its text."),
            Column("name", "VARCHAR", "Name in the registry."),
            Column("format", "VARCHAR", "answer-first or reason-first."),
            Column("text", "VARCHAR", "The template."),
            _RUN,
        ),
    ),
    Table(
        "configurations",
        "Sampling configurations: model, prompt template, decoding parameters.",
        ("configuration_id",),
        (
            _id("configuration_id", "Sampling configuration."),
            Column("model_id", "UUID", "Model.", "models"),
            Column("prompt_id", "UUID", "Prompt template.", "prompts"),
            Column("decoding", "JSON", "Decoding parameters: temperature, top_p, max_tokens."),
            _RUN,
        ),
    ),
    Table(
        "rendered_prompts",
        "Prompts as the models saw them, before the chat template.",
        ("pair_id", "prompt_hash"),
        (
            _PROMPT_HASH,
            _PAIR,
            Column("prompt_id", "UUID", "Prompt template.", "prompts"),
            _ITEM_VERSION,
            Column("messages", "JSON", "Chat messages: a list of role and content."),
            _RUN,
        ),
    ),
    Table(
        "samples",
        "Generated texts: N for each pair and configuration.",
        ("sample_id",),
        (
            _id("sample_id", "Sample."),
            _PAIR,
            _CONFIGURATION,
            _PROMPT_HASH,
            Column("sample_index", "INTEGER", "0 to N − 1."),
            Column("text", "VARCHAR", "Generated text."),
            Column("tier", "INTEGER", "Tier that the text states; NULL if unparsable.", required=False),
            Column(
                "tier_probs",
                "DOUBLE[]",
                "Probabilities of tiers 1 to 4 where the tier is emitted (tier_probs[3] is p(tier 3)): softmax "
                "over the digit tokens before temperature and top-p. NULL where no tier was emitted.",
                required=False,
            ),
            Column(
                "digit_logprobs",
                "DOUBLE[]",
                "Natural-log probabilities of the digit tokens 1 to 4 at that position, over the vocabulary.",
                required=False,
            ),
            Column("finish_reason", "VARCHAR", "stop, or length where max_tokens cut it."),
            Column("prompt_tokens", "INTEGER", "Tokens of the prompt with the chat template."),
            Column("completion_tokens", "INTEGER", "Tokens generated."),
            _RUN,
        ),
    ),
    Table(
        "sample_failures",
        "Prompts that a model could not take; not drawn again unless asked.",
        ("pair_id", "configuration_id", "prompt_hash"),
        (
            _PAIR,
            _CONFIGURATION,
            _PROMPT_HASH,
            Column("reason", "VARCHAR", "What the model could not take."),
            _RUN,
        ),
    ),
    Table(
        "grades",
        "What the grader says of a sample under a gold judgment.",
        ("grade_id",),
        (
            _id("grade_id", "Grade."),
            Column("sample_id", "UUID", "Sample.", "samples"),
            Column("judgment_id", "UUID", "Gold judgment.", "judgments"),
            Column("gold_tier", "INTEGER", "Gold tier."),
            Column("grader_version", "VARCHAR", "Version of parser and grader."),
            Column("tier", "INTEGER", "Tier read from the text; NULL if unparsable.", required=False),
            Column("outcome", "VARCHAR", "correct, wrong or unparsable."),
            Column("correct", "BOOLEAN", "Whether the tier is the gold tier."),
            Column("distance", "INTEGER", "|tier − gold|; NULL if unparsable.", required=False),
            Column(
                "consistent",
                "BOOLEAN",
                "False where the text states another tier elsewhere; NULL where it says nothing more of it.",
                required=False,
            ),
            _RUN,
        ),
    ),
    Table(
        "difficulty",
        "How hard a pair is for a configuration, from its graded samples.",
        ("difficulty_id",),
        (
            _id("difficulty_id", "Difficulty of a pair under a configuration at a step."),
            _PAIR,
            _CONFIGURATION,
            Column("step", "INTEGER", "Training step; NULL for offline sampling.", required=False),
            Column("n", "INTEGER", "Graded samples."),
            Column("c", "INTEGER", "Correct samples."),
            Column("unparsable", "INTEGER", "Unparsable samples, counted in n as not correct."),
            Column("pass_1", "DOUBLE", "pass@1 = c / n."),
            Column("pass_n", "DOUBLE", "pass@n: 1 if any sample is correct, else 0."),
            Column("posterior_alpha", "DOUBLE", "Beta posterior of the solve rate: c + 1/2 (Jeffreys)."),
            Column("posterior_beta", "DOUBLE", "Beta posterior of the solve rate: n − c + 1/2 (Jeffreys)."),
            Column(
                "solve_rate", "DOUBLE", "Posterior mean of the solve rate: how likely a sample is correct."
            ),
            Column("solve_rate_low", "DOUBLE", "Lower end of the central 95 % credible interval."),
            Column("solve_rate_high", "DOUBLE", "Upper end of the central 95 % credible interval."),
            Column(
                "band",
                "VARCHAR",
                "solved (c = n), easy (c/n ≥ 3/4), medium (≥ 3/8), hard (> 0) or unsolved (c = 0).",
            ),
            Column("gold_tier", "INTEGER", "Gold tier it was measured against."),
            Column("grader_version", "VARCHAR", "Version of parser and grader."),
            _RUN,
        ),
    ),
    Table(
        "review_datasets",
        "Datasets in Argilla that samples were pushed to for review.",
        ("dataset_id",),
        (
            _id("dataset_id", "Argilla's id of the dataset."),
            Column("name", "VARCHAR", "Name in Argilla."),
            Column("overlap", "INTEGER", "Annotators who are to answer each record."),
            Column("blind", "BOOLEAN", "Whether annotators see no suggestions."),
            Column("created_at", "TIMESTAMP", "When it was made."),
            Column(
                "pulled_state",
                "VARCHAR",
                "What the server said of its answers before the last pull; while it is the same there is nothing new.",
                required=False,
            ),
            Column("pulled_at", "TIMESTAMP", "Last pull that found something new.", required=False),
            _RUN,
        ),
    ),
    Table(
        "review_records",
        "What was pushed for review, by content: a record whose texts change is a new row.",
        ("dataset_id", "sample_id", "content_hash"),
        (
            Column("dataset_id", "UUID", "Argilla's id of the dataset.", "review_datasets"),
            Column("sample_id", "UUID", "Sample; its hex digits are the record's id in Argilla.", "samples"),
            _PAIR,
            Column("content_hash", "VARCHAR", "Hash of the record as an annotator sees it."),
            Column("gold_tier", "INTEGER", "Gold tier that it shows."),
            Column("pushed_at", "TIMESTAMP", "When it was pushed."),
            _RUN,
        ),
    ),
    Table(
        "reviews",
        "Answers of annotators, every version that a pull met; the newest of each are in current_reviews.",
        ("review_id",),
        (
            _id("review_id", "Version of an answer."),
            Column("response_id", "UUID", "Argilla's id of the answer, the same for all its versions."),
            Column("dataset_id", "UUID", "Argilla's id of the dataset.", "review_datasets"),
            Column("sample_id", "UUID", "Sample that was reviewed.", "samples"),
            _PAIR,
            Column("annotator", "VARCHAR", "Name of the user who answered."),
            Column("annotator_id", "UUID", "Argilla's id of that user."),
            Column(
                "status",
                "VARCHAR",
                "submitted, draft, discarded, or deleted where the annotator took it back.",
            ),
            Column("gold_tier", "INTEGER", "Gold tier that the annotator saw.", required=False),
            Column(
                "tier",
                "INTEGER",
                "Tier that is right; NULL where they cannot tell or say nothing.",
                required=False,
            ),
            Column("quality", "INTEGER", "Quality of the reasoning, 1 to 5.", required=False),
            Column(
                "failing_steps",
                "VARCHAR[]",
                "Steps that fail: query, item, category, attribute, verdict; none.",
                required=False,
            ),
            Column("correction", "VARCHAR", "Corrected rationale.", required=False),
            Column("note", "VARCHAR", "Note.", required=False),
            Column("answers", "JSON", "All values as Argilla has them, question to value."),
            Column("begun_at", "TIMESTAMP", "When the annotator first saved it."),
            Column("answered_at", "TIMESTAMP", "When the annotator last saved it."),
            Column("pulled_at", "TIMESTAMP", "When it was pulled."),
            _RUN,
        ),
    ),
    Table(
        "review_spans",
        "Hallucinated spans that annotators marked in the text of the sample.",
        ("review_id", "span_index"),
        (
            Column("review_id", "UUID", "Version of an answer.", "reviews"),
            Column("span_index", "INTEGER", "0, 1, … in the order of the text."),
            Column("kind", "VARCHAR", "unsupported, contradicted, self or verdict."),
            Column("span_start", "INTEGER", "First code point of the sample's text, from 0."),
            Column("span_stop", "INTEGER", "Code point after the last."),
            _RUN,
        ),
    ),
    Table(
        "rationales",
        "Reasoning for a pair and its tier, apart from any model's samples.",
        ("rationale_id",),
        (
            _id("rationale_id", "Rationale."),
            _PAIR,
            Column("tier", "INTEGER", "Tier that it leads to."),
            Column(
                "text", "VARCHAR", "The reasoning alone; completion_text adds the tier where a format has it."
            ),
            Column("source", "VARCHAR", "review where an annotator corrected a sample."),
            Column("written_by", "VARCHAR", "Who wrote it."),
            Column("written_at", "TIMESTAMP", "When."),
            Column("corrects_sample_id", "UUID", "Sample that it corrects.", "samples", required=False),
            Column("review_id", "UUID", "Answer that it came with.", "reviews", required=False),
            _RUN,
        ),
    ),
    Table(
        "review_outcomes",
        "What the reviews of a sample come to, by the newest `decide`.",
        ("sample_id",),
        (
            Column("sample_id", "UUID", "Sample.", "samples"),
            _PAIR,
            Column("outcome", "VARCHAR", "accepted, rejected, corrected or disputed."),
            Column("tier", "INTEGER", "Tier that most annotators gave; NULL at a tie.", required=False),
            Column("reviews", "INTEGER", "Annotators who submitted."),
            Column("accepting", "INTEGER", "Those who found verdict and reasoning sound."),
            Column("quality", "DOUBLE", "Mean rating, 1 to 5.", required=False),
            Column("p_accepted", "DOUBLE", "Probability of being sound, by the rule."),
            Column("rule", "VARCHAR", "majority or dawid-skene."),
            Column(
                "rationale_id",
                "UUID",
                "Correction that stands in for a corrected sample.",
                "rationales",
                required=False,
            ),
            _RUN,
        ),
    ),
    Table(
        "preferences",
        "DPO pairs for one rendered prompt: a correct sample over a wrong one, or a person's correction over what it "
        "corrects.",
        ("preference_id",),
        (
            _id("preference_id", "Preference."),
            _PAIR,
            _CONFIGURATION,
            Column("prompt_id", "UUID", "Prompt template.", "prompts"),
            _PROMPT_HASH,
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
                "Longer over shorter side, in generated tokens, or in characters where a person wrote one; 1 is equal.",
            ),
            _RUN,
        ),
    ),
    Table(
        "label_scores",
        "How the gold tier of a pair stands to the tier probabilities of a scorer, by confident learning.",
        ("label_score_id",),
        (
            _id("label_score_id", "Score of a gold judgment by a scorer."),
            _PAIR,
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
            _RUN,
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
            _RUN,
        ),
    ),
    Table(
        "split_members",
        "Pairs of a split with what was true of them when it was frozen.",
        ("split", "pair_id"),
        (
            Column("split", "VARCHAR", "Split.", "splits"),
            _PAIR,
            Column("query_id", "UUID", "Query.", "queries"),
            _ITEM_VERSION,
            Column("tier", "INTEGER", "Gold tier."),
            Column("kind", "VARCHAR", "Kind of the query."),
            Column("confidence", "DOUBLE", "Confidence of the gold tier."),
            Column("weight", "DOUBLE", "Traffic weight."),
            Column("judgment_id", "UUID", "Gold judgment.", "judgments"),
            Column("n", "INTEGER", "Graded samples of the split's configuration.", required=False),
            Column("c", "INTEGER", "Correct ones among them.", required=False),
            Column("band", "VARCHAR", "Difficulty band from them.", required=False),
            _PROMPT_HASH,
            Column("row_hash", "VARCHAR", "SHA-256 of the row with all texts it stands for."),
        ),
    ),
    Table(
        "split_completions",
        "SFT payload of a split: what to complete each prompt with.",
        ("split", "pair_id"),
        (
            Column("split", "VARCHAR", "Split.", "splits"),
            _PAIR,
            _PROMPT_HASH,
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
            _id("preference_id", "Preference."),
            _PAIR,
            _PROMPT_HASH,
            *_CHOSEN,
            Column("rejected_sample_id", "UUID", "Sample behind rejected.", "samples"),
            Column("row_hash", "VARCHAR", "SHA-256 of the row with all texts it stands for."),
        ),
    ),
)

TABLE_BY_NAME = {table.name: table for table in TABLES}
