"""Error against the length of reasoning: where chains go wrong, and what an answer before the reasoning saves.

Longer chains are written for harder pairs, so that rates by length say little of what a further step does. The slope
within pairs compares chains of the same pair only.

Source: TaoSR1 (arXiv 2508.12365, section 1) for error accumulation and section 3.5 for answer-first ("post-CoT");
Math-Shepherd (arXiv 2312.08935) for the step after which no continuation is right.
"""
