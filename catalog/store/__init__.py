"""The catalog file. Nothing outside this folder knows that it is SQLite.

place       where the file is, and which one is there
locks       who may write, and who waits
schema      the tables, as one commented SQL text
opening     is it ours, sound, ours to read: the door to the file
migrations  from an older schema to this one, with a backup first
database    connections, transactions, and what SQLite's errors mean
folders, photos, contents, settings
            what the rows mean
listing     the photos of a folder, one after the other
"""
