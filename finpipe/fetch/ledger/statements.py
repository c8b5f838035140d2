"""The SQL of the ledger, by what it is for."""

SCHEMA = """
CREATE TABLE IF NOT EXISTS requests (
    key TEXT PRIMARY KEY,
    source TEXT NOT NULL,
    dataset TEXT NOT NULL,
    path TEXT NOT NULL,
    params TEXT NOT NULL,
    item TEXT NOT NULL,
    first TEXT NOT NULL,
    last TEXT NOT NULL,
    available TEXT NOT NULL,
    state TEXT NOT NULL,                  -- ready | leased | done | parked | dead
    due TEXT NOT NULL,
    attempt INTEGER NOT NULL DEFAULT 0,   -- attempts that failed
    owner TEXT,                           -- host:process:token of the holder
    boot TEXT,
    lease_until REAL,                     -- monotonic seconds of that boot
    token TEXT,                           -- ends the id of the receipt that the attempt under way will leave
    outcome TEXT,
    status INTEGER,
    receipt TEXT,
    sha256 TEXT,
    reached TEXT,                         -- last session that was covered
    received_at TEXT,                     -- of the answer that covered it
    error TEXT NOT NULL DEFAULT '',
    last_change TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS open_requests
    ON requests (source, due, key) WHERE state IN ('ready', 'parked', 'leased');
CREATE INDEX IF NOT EXISTS requests_by_dataset ON requests (source, dataset, state);
"""

ENQUEUE = """
INSERT OR IGNORE INTO requests
    (key, source, dataset, path, params, item, first, last, available, state, due, last_change)
VALUES (:key, :source, :dataset, :path, :params, :item, :first, :last, :available, 'ready', :due, :now)
"""

REVIVE = """
UPDATE requests SET state = 'ready', attempt = 0, last_change = :now
WHERE key = :key AND state = 'dead' AND outcome IN ('retry', 'truncated', 'unexpected')
"""

CLAIM = """
UPDATE requests
SET state = 'leased', owner = :owner, boot = :boot, lease_until = :until,
    token = COALESCE(token, :token), last_change = :now
WHERE key = (
    SELECT key FROM requests
    WHERE source = :source AND dataset IN (SELECT value FROM json_each(:datasets))
        AND state IN ('ready', 'parked', 'leased')
        AND CASE state WHEN 'leased' THEN boot <> :boot OR lease_until < :monotonic ELSE due <= :now END
    ORDER BY due, key LIMIT 1
)
RETURNING *
"""

CONCLUDE = """
UPDATE requests
SET state = :state, due = :due, attempt = :attempt, outcome = :outcome, status = :status, receipt = :receipt,
    sha256 = :sha256, error = :error, last_change = :now,
    reached = COALESCE(:reached, reached), received_at = COALESCE(:received_at, received_at),
    owner = NULL, boot = NULL, lease_until = NULL, token = NULL
WHERE key = :key AND owner = :owner AND state = 'leased'
"""

# The token stays: whoever claims next looks whether its receipt was left.
RELEASE = """
UPDATE requests SET state = 'ready', owner = NULL, boot = NULL, lease_until = NULL
WHERE key = :key AND owner = :owner AND state = 'leased'
"""

RELEASE_OWNER = """
UPDATE requests SET state = 'ready', owner = NULL, boot = NULL, lease_until = NULL
WHERE owner = :owner AND state = 'leased'
"""

OWNERS = "SELECT DISTINCT owner, boot FROM requests WHERE state = 'leased'"

PARK = """
UPDATE requests SET state = 'parked', due = :until, last_change = :now
WHERE source = :source AND dataset IN (SELECT value FROM json_each(:datasets))
    AND state IN ('ready', 'parked') AND due < :until
"""

NOTE = """
UPDATE requests SET outcome = :outcome, error = :error, last_change = :now
WHERE source = :source AND dataset IN (SELECT value FROM json_each(:datasets)) AND state = 'ready'
"""

NEXT_DUE = """
SELECT due FROM requests
WHERE source = :source AND dataset IN (SELECT value FROM json_each(:datasets))
    AND state IN ('ready', 'parked', 'leased') AND state <> 'leased'  -- the first condition is the index's
ORDER BY due LIMIT 1
"""

HELD_BY_OTHERS = """
SELECT COUNT(*) FROM requests
WHERE source = :source AND dataset IN (SELECT value FROM json_each(:datasets))
    AND state = 'leased' AND owner <> :owner
"""

COVERED = """
SELECT item, first, reached AS last, received_at FROM requests
WHERE source = :source AND dataset = :dataset AND reached IS NOT NULL
ORDER BY first, key
"""

PENDING = """
SELECT item, first, last, :now AS received_at FROM requests
WHERE source = :source AND dataset = :dataset AND state IN ('ready', 'parked', 'leased')
ORDER BY first, key
"""

OPEN_ENTRIES = """
SELECT * FROM requests
WHERE source = :source AND dataset = :dataset AND state IN ('ready', 'parked', 'leased')
ORDER BY due, key
"""

ENTRIES = "SELECT * FROM requests WHERE source = :source AND dataset = :dataset ORDER BY due, key"

ENTRIES_OF = "SELECT * FROM requests WHERE key IN (SELECT value FROM json_each(:keys)) ORDER BY due, key"

COUNTS = "SELECT source, dataset, state, COUNT(*) FROM requests GROUP BY 1, 2, 3 ORDER BY 1, 2, 3"
