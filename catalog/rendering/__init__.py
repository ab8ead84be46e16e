"""Answers as text for people, and as JSON, CSV and raw names for programs.

Every name on its way to a terminal goes through ``escaping.printable``.

text, explanation, reports     for people: groups and matches; why two match; how things stand
structured, explained, states  the same three as JSON
table, nul                     groups and pairs as CSV, and as raw names
live, log                      what the daemon tells, and where it is kept
terminal, sequences, shown     small pictures: how a terminal takes them, in rows, above the text
bar, drawing                   progress
look, human, words             what the terminal can show; sizes and times; turns and edges
"""
