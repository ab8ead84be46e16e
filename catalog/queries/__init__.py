"""Questions to the catalog. They read it, and never change it.

criteria    what counts as the same, for whoever asks
scope       which photos a question is about: what is there, and below the given paths
listing     all photos, one after the other
duplicates  groups and pairs of the same picture
groups      very many groups as arrays, that become records as they are asked for
ranking     very many files in the order in which they are kept
picture     a picture that is asked about: from the catalog, or read now
similar     what looks like one picture
explain     why two pictures match, or not
standing    how the catalog stands: counts, roots, problems
verify      are the bytes still those that were read
"""
