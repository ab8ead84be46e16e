"""Answers as text for people, and as JSON, CSV and raw names for programs.

Every name on its way to a terminal goes through ``escaping.printable``.
"""
