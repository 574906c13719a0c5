"""Near-copies: pairs whose query and item read almost the same as another pair's.

Two pairs are near-copies if their queries are near and name the same numbers, their titles are near and hold the
same of the query's numbers, and their descriptions are near where both have one. Near is the Jaccard similarity
of the texts' shingles (`curation.duplicates.texts`), computed exactly; MinHash and LSH only propose what to
compare (`curation.duplicates.search`). An item that recurs under another query is no near-copy.
"""
