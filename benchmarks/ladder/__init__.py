"""The ladder: what each stage of the recipe buys, from the store that the recipe ``shop-small`` filled.

``python -m benchmarks.ladder``                     print the tables from what was kept of the runs
``python -m benchmarks.ladder --db ladder.duckdb``  print them from a store
``python -m benchmarks.ladder run --db ladder.duckdb``  climb: three seeds of the recipe, in both forms
``python -m benchmarks.ladder keep --db ladder.duckdb`` keep what the tables are made of, as Parquet beside this file

A label-only model is the floor: the same random weights, trained on gold tiers alone, on as many tokens as all the
other stages together. Then SFT on chains of thought; DPO on the model's own right and wrong samples; GRPO from there,
by TRL's trainer as it is (static), with difficulty-based dynamic sampling, and that without the reward for a verdict
that follows from its reasons (careless). Whichever seed trains, the same pairs judge, of queries and intents that no
training pair has; their split was frozen before anything was trained.

Intervals are 95 %, by a bootstrap over queries, of one seed; the mean of three seeds stands before the mean of their
ends. The spread is the least and the largest value of the three. A step's gain is paired on the same queries.
"""
