"""Model organisms: tiny language models whose causal graph of values is known by construction."""
