"""The tables of the catalog, as one commented SQL text."""

from __future__ import annotations

APPLICATION_ID = 0x696D6763  # "imgc"; SQLite keeps it at offset 68 of the file
VERSION = 4  # PRAGMA user_version; a later one is refused, an earlier one migrated
PAGE_SIZE = 16_384  # a 1 KB signature costs 1,093 bytes here and 1,369 on pages of 4 KB

# What may change what others are to it.
CONTENT_CHANGED = """
CREATE TRIGGER content_changed AFTER UPDATE ON content
WHEN (OLD.phash, OLD.dhash, OLD.ahash, OLD.flat, OLD.recipe, OLD.frames)
    <> (NEW.phash, NEW.dhash, NEW.ahash, NEW.flat, NEW.recipe, NEW.frames)
BEGIN
    INSERT INTO content_log (content, upto)
    SELECT NEW.id, max(upto, NEW.id) FROM content_logged;
END;
"""

# What became of contents since somebody copied their hashes (see store.columns). Contents up to
# "upto" are of this history, which the token tells from another one, such as that of a restored
# backup: a row for each of them that changed, went, or came by hand. Those after it are looked at
# each time, so it follows them; it never falls.
CONTENT_LOG = (
    """
CREATE TABLE content_log (
    seq      INTEGER PRIMARY KEY AUTOINCREMENT,
    content  INTEGER NOT NULL,
    upto     INTEGER NOT NULL,
    token    INTEGER NOT NULL DEFAULT (random())
) STRICT;
CREATE VIEW content_logged AS
    SELECT ifnull((SELECT upto FROM content_log ORDER BY seq DESC LIMIT 1), 0) AS upto;
-- By distance, not by every so many ids: refreshing a content uses one up.
CREATE TRIGGER content_added AFTER INSERT ON content
WHEN NEW.id - (SELECT upto FROM content_logged) NOT BETWEEN 1 AND 1023
BEGIN
    INSERT INTO content_log (content, upto)
    SELECT NEW.id, max(upto, NEW.id) FROM content_logged;
END;"""
    + CONTENT_CHANGED
    + """CREATE TRIGGER content_deleted AFTER DELETE ON content BEGIN
    INSERT INTO content_log (content, upto)
    SELECT OLD.id, max(upto, OLD.id) FROM content_logged;
END;
-- Who copied longer ago copies anew.
CREATE TRIGGER content_log_kept AFTER INSERT ON content_log BEGIN
    DELETE FROM content_log WHERE seq <= NEW.seq - 131072;
END;
"""
)

# Under which name a folder is known that turns up elsewhere: asked for each new one.
FOLDER_INODE = "CREATE INDEX folder_inode ON folder (inode);"

# Found out when a content is searched. No comment in it: SQLite puts the definition of a column
# that is added before the last parenthesis of the table as it stands.
SHOWN = "shown REAL NOT NULL DEFAULT 1"

# What was found out about pairs of contents, so that nothing is searched or compared twice.
MATCHES = """
-- Contents that were compared with all others, and the number of the matcher that did it.
CREATE TABLE searched (
    content  INTEGER PRIMARY KEY REFERENCES content (id) ON DELETE CASCADE,
    matcher  INTEGER NOT NULL
) STRICT;

-- Two contents that look alike, and what that was found to mean. "first" is the one of which the
-- other shows a window, or all.
CREATE TABLE match (
    first      INTEGER NOT NULL REFERENCES content (id) ON DELETE CASCADE,
    second     INTEGER NOT NULL REFERENCES content (id) ON DELETE CASCADE,
    rule       TEXT NOT NULL,     -- what decided; 'undecided': both files are still to be compared
    score      REAL NOT NULL,     -- correlation of the signatures, 0 to 1
    turn       INTEGER NOT NULL,  -- 0-7: how the second is turned to lie as the first
    left_edge  REAL NOT NULL,     -- the window, in parts of the first's sides
    right_edge REAL NOT NULL,
    top_edge   REAL NOT NULL,
    bottom_edge REAL NOT NULL,
    PRIMARY KEY (first, second)
) STRICT, WITHOUT ROWID;
CREATE INDEX match_second ON match (second);

-- Another decoder or recipe gave the bytes another signature: all about them is found out anew.
CREATE TRIGGER content_unmatched AFTER UPDATE ON content
WHEN (OLD.phash, OLD.flat, OLD.recipe, OLD.frames) <> (NEW.phash, NEW.flat, NEW.recipe, NEW.frames)
BEGIN
    DELETE FROM searched WHERE content = NEW.id;
    DELETE FROM match WHERE first = NEW.id OR second = NEW.id;
END;
"""

SCHEMA = (
    """
-- AUTOINCREMENT: an id that another process still holds is never given to something else.

-- What holds for the whole catalog: 'recipe' (which pixels hashes are made of).
CREATE TABLE setting (
    name   TEXT PRIMARY KEY,
    value  TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- A file system, by a name that outlives unplugging it.
CREATE TABLE filesystem (
    id        INTEGER PRIMARY KEY,
    identity  TEXT NOT NULL UNIQUE
) STRICT;

-- A folder is a row, so renaming one with 10,000 photos changes one row.
CREATE TABLE folder (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    parent      INTEGER REFERENCES folder (id),  -- NULL: the top of a root
    name        BLOB NOT NULL,                   -- of a top: its absolute path, '' for '/'
    filesystem  INTEGER NOT NULL REFERENCES filesystem (id),
    inode       INTEGER NOT NULL,
    unreadable  TEXT,                            -- why it could not be listed at the last look
    settled     BLOB                             -- digest of the listing that its photo rows agree
                                                 -- with; the triggers below take it back
) STRICT;
CREATE UNIQUE INDEX folder_place ON folder (parent, name) WHERE parent IS NOT NULL;
CREATE UNIQUE INDEX folder_top ON folder (name) WHERE parent IS NULL;
"""
    + FOLDER_INODE
    + """

-- A folder that a person named, with everything below it.
CREATE TABLE root (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    folder     INTEGER NOT NULL UNIQUE REFERENCES folder (id),
    filters    TEXT NOT NULL,  -- JSON: {"include": [], "exclude": [], "hidden": false}
    last_scan  INTEGER         -- ns, begin of the last complete scan; NULL before the first
) STRICT;

-- What the bytes are, whatever they are called. A thousand copies are one content.
CREATE TABLE content (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    digest       BLOB NOT NULL UNIQUE,  -- BLAKE3 of all bytes
    size         INTEGER NOT NULL,
    format       TEXT NOT NULL,
    width        INTEGER NOT NULL,      -- pixels, upright
    height       INTEGER NOT NULL,
    orientation  INTEGER NOT NULL,      -- 1-8, as in EXIF
    taken_at     TEXT,                  -- ISO 8601
    camera       TEXT,
    phash        INTEGER NOT NULL,      -- 64 bits, as a signed number
    dhash        INTEGER NOT NULL,
    ahash        INTEGER NOT NULL,
    flat         INTEGER NOT NULL,      -- 1: too little contrast to match by hash
    frames       INTEGER NOT NULL,
    recipe       TEXT NOT NULL,         -- which pixels the hashes were made of
    """
    + SHOWN
    + """         -- part of the picture that is no bar along an edge
) STRICT;

"""
    + CONTENT_LOG
    + """
-- 32 x 32 grey values; apart, so that scans over content stay short.
CREATE TABLE signature (
    content  INTEGER PRIMARY KEY REFERENCES content (id) ON DELETE CASCADE,
    pixels   BLOB NOT NULL
) STRICT;

"""
    + MATCHES
    + """
-- A file: its place, its stamps when it was read, and the content it held then.
CREATE TABLE photo (
    id             INTEGER PRIMARY KEY AUTOINCREMENT,
    folder         INTEGER NOT NULL REFERENCES folder (id),
    name           BLOB NOT NULL,
    size           INTEGER NOT NULL,
    mtime_ns       INTEGER NOT NULL,
    ctime_ns       INTEGER NOT NULL,
    inode          INTEGER NOT NULL,
    again          INTEGER NOT NULL,   -- 1: read it at the next look although its stamps agree:
                                       -- racy, failed in passing, or made by another recipe
    missing_since  INTEGER,            -- ns; NULL while it is there
    content        INTEGER REFERENCES content (id)  -- NULL: see problem
) STRICT;
CREATE UNIQUE INDEX photo_place ON photo (folder, name);
CREATE INDEX photo_inode ON photo (inode);
CREATE INDEX photo_content ON photo (content);
CREATE INDEX photo_missing ON photo (missing_since) WHERE missing_since IS NOT NULL;

-- A rescan may believe folder.settled without looking at the rows, so whatever changes a row
-- takes it back.
CREATE TRIGGER photo_added AFTER INSERT ON photo BEGIN
    UPDATE folder SET settled = NULL WHERE id = NEW.folder AND settled IS NOT NULL;
END;
CREATE TRIGGER photo_changed AFTER UPDATE ON photo BEGIN
    UPDATE folder SET settled = NULL
    WHERE id IN (OLD.folder, NEW.folder) AND settled IS NOT NULL;
END;
CREATE TRIGGER photo_deleted AFTER DELETE ON photo BEGIN
    UPDATE folder SET settled = NULL WHERE id = OLD.folder AND settled IS NOT NULL;
END;

-- Files without a content. Read again when their stamps or the decoder change.
CREATE TABLE problem (
    photo    INTEGER PRIMARY KEY REFERENCES photo (id) ON DELETE CASCADE,
    reason   TEXT NOT NULL,
    detail   TEXT NOT NULL,
    decoder  TEXT NOT NULL
) STRICT;

-- For people who open this file with sqlite3: plain paths.
CREATE VIEW photos AS
    WITH RECURSIVE place (id, path) AS (
        SELECT id, name FROM folder WHERE parent IS NULL
        UNION ALL
        SELECT folder.id, place.path || '/' || folder.name
        FROM folder JOIN place ON folder.parent = place.id
    )
    SELECT CAST(place.path || '/' || photo.name AS TEXT) AS path,
           photo.size,
           datetime(photo.mtime_ns / 1000000000, 'unixepoch') AS changed,
           content.format, content.width, content.height, content.taken_at, content.camera,
           printf('%016x', content.phash) AS phash,
           printf('%016x', content.dhash) AS dhash,
           printf('%016x', content.ahash) AS ahash,
           lower(hex(content.digest)) AS digest,
           problem.reason AS problem,
           photo.missing_since IS NOT NULL AS missing
    FROM photo
    JOIN place ON place.id = photo.folder
    LEFT JOIN content ON content.id = photo.content
    LEFT JOIN problem ON problem.photo = photo.id;
"""
)
