"""The searches behind :func:`valuegraph.discovery.discover`, on plain arrays.

Each takes correlations and the number of rows behind them (LiNGAM: the rows themselves) and returns
edges. PC and FCI take a whole stack of correlation matrices at once: a bootstrap is one call.
"""
