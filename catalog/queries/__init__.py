"""Questions to the catalog. They read it, and never change it.

criteria    what counts as the same, for whoever asks
scope       which photos a question is about: what is there, and below the given paths
duplicates  groups and pairs of the same picture
similar     what looks like one picture
standing    how the catalog stands: counts, roots, problems
verify      are the bytes still those that were read
"""
