"""Processes that run a function over many files, and may die of one without harm to the rest."""
