"""The disk as a stream of folders and stamps. Knows nothing of the catalog."""
