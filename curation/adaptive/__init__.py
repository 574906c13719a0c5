"""Adaptive pass@N: fewer samples where the band that N of them would give is known early.

A pair's number of correct samples among N decides its difficulty band. Most pairs show theirs after a few samples; at
the edges of bands it takes all N. `prior` learns how solve rates are spread, from the first samples of a run; `policy`
says, for every count of samples and of correct ones, how many more to draw, so that the bands are those of N samples
for the share of pairs that is asked for, at the least cost; `source` hands out tasks by it; `designs` keeps it.
"""
