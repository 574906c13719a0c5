"""Predictions, partitions and metrics."""

from __future__ import annotations

from warehouse.ddl import Column, Table
from warehouse.schema.columns import ITEM_VERSION, PAIR, RUN, identifier

EVALUATION: tuple[Table, ...] = (
    Table(
        "predictors",
        "Whatever gives tier probabilities: a model under a configuration, a baseline, another system's file, or one "
        "of these calibrated.",
        ("predictor_id",),
        (
            identifier("predictor_id", "Predictor."),
            Column("name", "VARCHAR", "Name that commands take; several predictors may share one."),
            Column("kind", "VARCHAR", "model, baseline, file or calibrated."),
            Column(
                "configuration_id",
                "UUID",
                "Model, prompt and decoding of a model.",
                "configurations",
                required=False,
            ),
            Column(
                "calibrates_id",
                "UUID",
                "Predictor that a calibrated one stands on.",
                "predictors",
                required=False,
            ),
            Column(
                "parameters", "JSON", "What else makes it this one: the calibration's numbers, a file's name."
            ),
            RUN,
        ),
    ),
    Table(
        "predictions",
        "Tier probabilities of pairs. Of several for a pair the newest stands, in current_predictions.",
        ("prediction_id",),
        (
            identifier("prediction_id", "Prediction."),
            Column("predictor_id", "UUID", "Predictor.", "predictors"),
            PAIR,
            Column("judgment_id", "UUID", "Gold judgment of the pair as its split had it then.", "judgments"),
            ITEM_VERSION,
            Column(
                "basis_id",
                "UUID",
                "What it was predicted from: the rendered prompt, the labels a baseline learned from, or the values "
                "themselves. Another basis is another prediction.",
            ),
            Column(
                "sample_id",
                "UUID",
                "Sample that it was read from, for reason-first.",
                "samples",
                required=False,
            ),
            Column(
                "tier_probs",
                "DOUBLE[]",
                "Probabilities of tiers 1 to 4 (tier_probs[3] is p(tier 3)); NULL where there is none, see reason.",
                required=False,
            ),
            Column(
                "digit_logprobs",
                "DOUBLE[]",
                "Natural-log probabilities of the digit tokens 1 to 4, over the vocabulary.",
                required=False,
            ),
            Column("prompt_tokens", "INTEGER", "Tokens read for it.", required=False),
            Column(
                "cached_tokens", "INTEGER", "Of these, those that the model had read before.", required=False
            ),
            Column("completion_tokens", "INTEGER", "Tokens generated for it.", required=False),
            Column("seconds", "DOUBLE", "Its share of the seconds that its batch took.", required=False),
            Column("reason", "VARCHAR", "Why there are no probabilities.", required=False),
            RUN,
        ),
    ),
    Table(
        "partitions",
        "Thresholds fitted on one split and judged on another.",
        ("partition_id",),
        (
            identifier("partition_id", "Partition."),
            Column("predictor_id", "UUID", "Predictor whose probabilities it cuts.", "predictors"),
            Column("fit_split", "VARCHAR", "Split it was fitted on.", "splits"),
            Column("judge_split", "VARCHAR", "Split it was judged on.", "splits"),
            Column("same_split", "BOOLEAN", "Whether the two are one: its numbers then flatter it."),
            Column("kind", "VARCHAR", "one-theta, or per-boundary."),
            Column("objective", "VARCHAR", "What was maximised."),
            Column(
                "thetas",
                "DOUBLE[]",
                "Thresholds of the cumulative probability at tiers 4, 3 and 2; all equal with one theta.",
            ),
            Column("theta_low", "DOUBLE", "Lower end of the 95 % interval of the one theta.", required=False),
            Column("theta_high", "DOUBLE", "Upper end of it.", required=False),
            Column("fit_value", "DOUBLE", "Objective on the split it was fitted on.", required=False),
            Column("judge_value", "DOUBLE", "Objective on the split it was judged on.", required=False),
            Column("promises", "JSON", "Promises asked for, and whether each could be made."),
            Column("details", "JSON", "Alternatives beside it, stability, tier shares."),
            Column("created_at", "TIMESTAMP", "When it was fitted."),
            RUN,
        ),
    ),
    Table(
        "evaluations",
        "Metrics of a predictor, or of the samples of a configuration, on a split, one row each, whole and by slice.",
        ("evaluation_id",),
        (
            identifier("evaluation_id", "Metric on a split."),
            Column(
                "predictor_id",
                "UUID",
                "Predictor; NULL where samples are measured.",
                "predictors",
                required=False,
            ),
            Column(
                "configuration_id",
                "UUID",
                "Sampling configuration whose samples are measured; NULL where a predictor is.",
                "configurations",
                required=False,
            ),
            Column("split", "VARCHAR", "Split.", "splits"),
            Column(
                "partition_id",
                "UUID",
                "Partition that decided the tiers; NULL for the most probable tier.",
                "partitions",
                required=False,
            ),
            Column(
                "versus_id",
                "UUID",
                "Predictor that it is compared with; value is then the difference, ours less theirs.",
                "predictors",
                required=False,
            ),
            Column(
                "slice",
                "VARCHAR",
                "all, kind, band, source, locale, disagreement or month; of samples also gold.",
            ),
            Column("slice_value", "VARCHAR", "Which one; all for all."),
            Column("metric", "VARCHAR", "Name of the metric."),
            Column("value", "DOUBLE", "Its value; NULL where undefined, see reason.", required=False),
            Column(
                "low", "DOUBLE", "Lower end of the 95 % interval, by bootstrap over queries.", required=False
            ),
            Column("high", "DOUBLE", "Upper end of it.", required=False),
            Column("reason", "VARCHAR", "Why value or interval is undefined.", required=False),
            Column("pairs", "BIGINT", "Pairs it is over."),
            Column("queries", "BIGINT", "Queries it is over."),
            Column("weighted", "BOOLEAN", "Whether pairs count by traffic weight."),
            RUN,
        ),
    ),
)
