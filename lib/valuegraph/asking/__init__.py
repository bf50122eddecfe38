"""How a question is put, and how its answer is read."""
