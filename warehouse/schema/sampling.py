"""Models, prompts, what they generated, its grades and what it says of a pair."""

from __future__ import annotations

from warehouse.ddl import Column, Table
from warehouse.schema.columns import CONFIGURATION, ITEM_VERSION, PAIR, PROMPT_HASH, RUN, identifier

SAMPLING: tuple[Table, ...] = (
    Table(
        "models",
        "Models by content: equal files are one model.",
        ("model_id",),
        (
            identifier("model_id", "Model."),
            Column("name", "VARCHAR", "Name it was first asked for by."),
            Column("digest", "VARCHAR", "SHA-256 over configuration, tokenizer and weights."),
            Column("path", "VARCHAR", "Where it was loaded from, or saved to."),
            Column("parent_id", "UUID", "Model that it was trained from.", "models", required=False),
            Column("split", "VARCHAR", "Split that it was trained on.", "splits", required=False),
            Column("split_hash", "VARCHAR", "Content hash of that split.", required=False),
            RUN,
        ),
        later=("parent_id", "split", "split_hash"),
    ),
    Table(
        "prompts",
        "Prompt templates by content.",
        ("prompt_id",),
        (
            identifier("prompt_id", "Prompt template: the hash of its text."),
            Column("name", "VARCHAR", "Name in the registry."),
            Column("format", "VARCHAR", "answer-first or reason-first."),
            Column("text", "VARCHAR", "The template."),
            Column(
                "purpose",
                "VARCHAR",
                "What its answers are: judgments; rationales; rationales-for-gold, which are told the gold tier; or "
                "continuations of judgments from the end of a step.",
                required=False,
            ),
            RUN,
        ),
    ),
    Table(
        "configurations",
        "Sampling configurations: model, prompt template, decoding parameters.",
        ("configuration_id",),
        (
            identifier("configuration_id", "Sampling configuration."),
            Column("model_id", "UUID", "Model.", "models"),
            Column("prompt_id", "UUID", "Prompt template.", "prompts"),
            Column("decoding", "JSON", "Decoding parameters: temperature, top_p, max_tokens."),
            RUN,
        ),
    ),
    Table(
        "rendered_prompts",
        "Prompts as the models saw them, before the chat template.",
        ("pair_id", "prompt_hash"),
        (
            PROMPT_HASH,
            PAIR,
            Column("prompt_id", "UUID", "Prompt template.", "prompts"),
            ITEM_VERSION,
            Column("messages", "JSON", "Chat messages: a list of role and content."),
            Column(
                "rule_ids",
                "UUID[]",
                "Rules that were retrieved for the pair, in their order; NULL where the template shows none.",
                required=False,
            ),
            RUN,
        ),
    ),
    Table(
        "samples",
        "Generated texts: N for each pair and configuration.",
        ("sample_id",),
        (
            identifier("sample_id", "Sample."),
            PAIR,
            CONFIGURATION,
            PROMPT_HASH,
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
            Column(
                "sent_tokens",
                "INTEGER",
                "Prompt tokens that the model was sent for it: 0 for a sample that shares them with another of its "
                "request; NULL for samples of before schema 10.",
                required=False,
            ),
            Column(
                "cached_tokens",
                "INTEGER",
                "Of the tokens sent, those that the model had read before.",
                required=False,
            ),
            Column(
                "seconds",
                "DOUBLE",
                "Its share, by tokens generated, of the seconds that its batch took.",
                required=False,
            ),
            RUN,
        ),
    ),
    Table(
        "sample_steps",
        "Steps of the reasoning of samples, from whose ends it was continued anew.",
        ("step_id",),
        (
            identifier("step_id", "Step of a sample."),
            Column("sample_id", "UUID", "Sample.", "samples"),
            PAIR,
            Column("step_index", "INTEGER", "From 1."),
            Column(
                "step", "VARCHAR", "query, item, category, attribute, rules, verdict, or whole for prose."
            ),
            Column("span_start", "INTEGER", "First character in the text, from 0."),
            Column("span_stop", "INTEGER", "Character after the last."),
            Column(
                "continued_by",
                "UUID",
                "Configuration of the continuations: that of the sample, under a prompt for continuing.",
                "configurations",
            ),
            Column("prefix_hash", "UUID", "Hash of the prompt that ends with the reasoning up to here."),
            RUN,
        ),
    ),
    Table(
        "sample_failures",
        "Prompts that a model could not take; not drawn again unless asked.",
        ("pair_id", "configuration_id", "prompt_hash"),
        (
            PAIR,
            CONFIGURATION,
            PROMPT_HASH,
            Column("reason", "VARCHAR", "What the model could not take."),
            RUN,
        ),
    ),
    Table(
        "designs",
        "Designs of adaptive pass@N: when to stop drawing from a pair, learned from the first samples of a run.",
        ("design_id",),
        (
            identifier("design_id", "Design."),
            CONFIGURATION,
            Column("n", "INTEGER", "Samples after which a pair's band is what it is."),
            Column("first", "INTEGER", "Samples that are drawn of every pair."),
            Column(
                "target", "VARCHAR", "What is to be right: bands, or groups of them that are treated alike."
            ),
            Column("agreement", "DOUBLE", "Share of pairs for which it is to be."),
            Column(
                "expected_agreement", "DOUBLE", "That share, as expected of pairs like those of the pilot."
            ),
            Column("expected_samples", "DOUBLE", "Samples a pair, as expected of them."),
            Column(
                "asking_cost",
                "DOUBLE",
                "What reading a prompt again costs, in samples, as it was reckoned with.",
            ),
            Column(
                "pilot_pairs", "INTEGER", "Pairs that it was learned from: all n samples of them were drawn."
            ),
            Column("pilot_share", "DOUBLE", "Share of pairs that these were to be."),
            Column("prior", "DOUBLE[]", "Weights of the solve rates 0, 1/200, … 1 that were learned."),
            Column("created_at", "TIMESTAMP", "When it was learned."),
            RUN,
        ),
    ),
    Table(
        "design_states",
        "What a design does with a pair that has c correct of n samples.",
        ("design_id", "n", "c"),
        (
            Column("design_id", "UUID", "Design.", "designs"),
            Column("n", "INTEGER", "Samples drawn."),
            Column("c", "INTEGER", "Correct ones."),
            Column("more", "INTEGER", "How many more to draw; 0 to stop."),
            Column("band", "VARCHAR", "Band that all N samples would most probably give."),
            Column("probability", "DOUBLE", "How probable it, or its group, is."),
            Column(
                "pass_at_k",
                "DOUBLE[]",
                "Unbiased pass@1 to pass@first of a pair that stops here (c/n is biased where c decides n); NULL where "
                "none does.",
                required=False,
            ),
            RUN,
        ),
    ),
    Table(
        "grades",
        "What the grader says of a sample under a gold judgment.",
        ("grade_id",),
        (
            identifier("grade_id", "Grade."),
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
            RUN,
        ),
    ),
    Table(
        "difficulty",
        "How hard a pair is for a configuration, from its graded samples.",
        ("difficulty_id",),
        (
            identifier("difficulty_id", "Difficulty of a pair under a configuration at a step."),
            PAIR,
            CONFIGURATION,
            Column(
                "step",
                "INTEGER",
                "Optimizer steps that run_id had taken when a group was sampled; NULL for offline sampling.",
                required=False,
            ),
            Column("n", "INTEGER", "Graded samples."),
            Column("c", "INTEGER", "Correct samples."),
            Column("unparsable", "INTEGER", "Unparsable samples, counted in n as not correct."),
            Column(
                "pass_1",
                "DOUBLE",
                "pass@1 = c / n; where adaptive sampling has stopped, the unbiased estimate of design_states.",
            ),
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
                "solved (c = n), easy (c/n ≥ 3/4), medium (≥ 3/8), hard (> 0) or unsolved (c = 0); where adaptive "
                "sampling has stopped, that which all its samples would most probably give.",
            ),
            Column("gold_tier", "INTEGER", "Gold tier it was measured against."),
            Column("grader_version", "VARCHAR", "Version of parser and grader."),
            RUN,
        ),
    ),
    Table(
        "training_metrics",
        "What a training run logged: loss, rewards, tokens, learning rate and the rest of its trainer's metrics.",
        ("run_id", "step", "metric"),
        (
            Column("step", "INTEGER", "Optimizer steps taken."),
            Column("metric", "VARCHAR", "Name, as the trainer gives it."),
            Column("value", "DOUBLE", "Value; NULL where it was no number.", required=False),
            Column("logged_at", "TIMESTAMP", "When it was logged."),
            RUN,
        ),
    ),
)
