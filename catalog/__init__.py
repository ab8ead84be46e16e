"""imgcat: a catalog of all your pictures that always knows which ones are the same."""
