"""Reviewing by eye: a local web page on which a person decides about each group."""
