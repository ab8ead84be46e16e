"""Finding close hashes and grouping them: arrays in, arrays out. No paths, no rows, no files."""
