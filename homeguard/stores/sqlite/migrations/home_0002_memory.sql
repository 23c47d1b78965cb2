-- What is kept in mind: of a person (user_id), or of the household (''). `folded` is what it is found by.
CREATE TABLE memories (
    number INTEGER PRIMARY KEY,
    home_id TEXT NOT NULL,
    id TEXT NOT NULL,
    user_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    text TEXT NOT NULL,
    value TEXT NOT NULL,
    folded TEXT NOT NULL,
    source TEXT NOT NULL,
    said_by TEXT NOT NULL,
    turn_id TEXT NOT NULL,
    at INTEGER NOT NULL,
    tainted INTEGER NOT NULL,
    UNIQUE (home_id, user_id, id)
) STRICT;
CREATE INDEX memories_by_person ON memories (home_id, user_id, at);

CREATE VIRTUAL TABLE memory_words USING fts5 (
    folded, content = 'memories', content_rowid = 'number', tokenize = "unicode61 remove_diacritics 0"
);
CREATE TRIGGER memory_said AFTER INSERT ON memories BEGIN
    INSERT INTO memory_words (rowid, folded) VALUES (new.number, new.folded);
END;
CREATE TRIGGER memory_gone AFTER DELETE ON memories BEGIN
    INSERT INTO memory_words (memory_words, rowid, folded) VALUES ('delete', old.number, old.folded);
END;
CREATE TRIGGER memory_changed AFTER UPDATE ON memories BEGIN
    INSERT INTO memory_words (memory_words, rowid, folded) VALUES ('delete', old.number, old.folded);
    INSERT INTO memory_words (rowid, folded) VALUES (new.number, new.folded);
END;

-- What a long conversation was about, as JSON; {} until it is long.
ALTER TABLE threads ADD COLUMN context TEXT NOT NULL DEFAULT '{}';
