"""Questions to the catalog. They read it, and never change it.

scope       which photos a question is about: what is there, and below the given paths
duplicates  groups and pairs of the same picture
similar     what looks like one picture
standing    how the catalog stands: counts, roots, problems
"""
