"""Bringing the catalog in line with the disk.

tree       the catalog's folders in memory, as the walk meets them again
plan       what a comparison of listings and rows comes to: pure values
reconcile  walks folders, compares, and plans
perform    carries a plan out: rows and commits in small batches
reading    the files of a plan, and what may be believed of what comes back
roots      which folders are followed, and how they swallow each other
run        one index run from paths to summary
forget     dropping rows on purpose
"""
