"""Long runs: answers on disk, block by block, in one process or many."""
