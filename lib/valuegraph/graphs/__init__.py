"""Graphs over values: what they hold, how they are drawn, how two of them differ."""
