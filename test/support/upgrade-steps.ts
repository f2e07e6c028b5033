/** Layouts of a small database for the tests of upgrades. */
export const FIRST = { name: 'test-001', sql: 'CREATE TABLE pair (key TEXT PRIMARY KEY, value TEXT NOT NULL);' }
export const SECOND = {
  name: 'test-002',
  sql: "ALTER TABLE pair ADD COLUMN note TEXT NOT NULL DEFAULT 'none'; UPDATE pair SET note = upper(value);",
}
export const THIRD = { name: 'test-003', sql: 'CREATE INDEX pair_note ON pair (note);' }
export const FOURTH = { name: 'other-001', sql: 'CREATE TABLE other AS SELECT key FROM pair;' }
export const BROKEN = { name: 'test-004', sql: 'CREATE TABLE half (id INTEGER); INSERT INTO nowhere VALUES (1);' }
/** Writes until it is stopped. */
export const ENDLESS = {
  name: 'test-005',
  sql: `CREATE TABLE endless (text TEXT NOT NULL);
    INSERT INTO endless WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)
    SELECT hex(randomblob(500)) FROM n;`,
}
