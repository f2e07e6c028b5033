import type { Migration } from '../platform/sqlite.ts'

export const keyValueMigrations: readonly Migration[] = [
  {
    name: 'kv-001',
    sql: `
      CREATE TABLE kv_namespace (
        id INTEGER PRIMARY KEY,
        name TEXT NOT NULL UNIQUE,
        -- Kept by the triggers below, because counting would take longer with every key.
        keys INTEGER NOT NULL DEFAULT 0,
        created_at INTEGER NOT NULL
      );
      CREATE TABLE kv (
        id INTEGER PRIMARY KEY,
        namespace TEXT NOT NULL REFERENCES kv_namespace (name),
        key TEXT NOT NULL,
        value TEXT NOT NULL,
        expires_at INTEGER,
        revision INTEGER NOT NULL,
        created_at INTEGER NOT NULL,
        updated_at INTEGER NOT NULL,
        UNIQUE (namespace, key)
      );
      -- Order of insertion.
      CREATE INDEX kv_order ON kv (namespace, id);
      CREATE INDEX kv_expiry ON kv (expires_at) WHERE expires_at IS NOT NULL;
      CREATE TRIGGER kv_added AFTER INSERT ON kv BEGIN
        UPDATE kv_namespace SET keys = keys + 1 WHERE name = NEW.namespace;
      END;
      CREATE TRIGGER kv_removed AFTER DELETE ON kv BEGIN
        UPDATE kv_namespace SET keys = keys - 1 WHERE name = OLD.namespace;
      END;
      CREATE TABLE kv_revision (last INTEGER NOT NULL);
      INSERT INTO kv_revision VALUES (0);
    `,
  },
]
