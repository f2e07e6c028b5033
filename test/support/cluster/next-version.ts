/** The version after this one, as far as versions side by side go: a column, a table and a migration of the database more. */
import { cpSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Host } from '../host.ts'

const root = join(import.meta.dirname, '..', '..', '..')

/** Pairs whose key begins so have 9 in the column that the next version adds, where that version made them; others 7. */
export const BY_NEXT = 'by-next-'

const CHANGES: Readonly<Record<string, readonly [before: string, after: string]>> = {
  'app/migrations.ts': [
    'Migrations,\n]',
    `Migrations,
  {
    name: 'invented-001',
    sql: \`
      ALTER TABLE kv ADD COLUMN invented_later INTEGER NOT NULL DEFAULT 7;
      CREATE TABLE invented (name TEXT PRIMARY KEY, value TEXT NOT NULL);
      CREATE TRIGGER kv_invented AFTER INSERT ON kv WHEN NEW.key LIKE '${BY_NEXT}%' BEGIN
        UPDATE kv SET invented_later = 9 WHERE id = NEW.id;
        INSERT OR REPLACE INTO invented VALUES (NEW.key, NEW.value);
      END;
    \`,
  },
]`,
  ],
  'cluster/tables.ts': [
    "  union('task_start', ['id']),",
    "  leader('invented', ['name']),\n  union('task_start', ['id']),",
  ],
  'cluster/migrations.ts': [
    "  {\n    // Most of them are compressed by their format.\n    name: 'cluster-002',",
    `  {
    name: 'cluster-invented',
    sql: 'CREATE TABLE invented (x int); ALTER TABLE head ADD COLUMN invented int NOT NULL DEFAULT 0;',
  },
  {
    name: 'cluster-002',`,
  ],
}

/** Copies the source to `directory` with these changes; it runs as version 99.0.0. */
export function nextVersion(directory: string): Host {
  for (const folder of ['src', 'simulator', 'config', 'templates']) {
    cpSync(join(root, folder), join(directory, folder), { recursive: true })
  }
  for (const file of ['package.json', 'tsconfig.json', 'bunfig.toml']) cpSync(join(root, file), join(directory, file))
  symlinkSync(join(root, 'node_modules'), join(directory, 'node_modules'))
  for (const [name, [before, after]] of Object.entries(CHANGES)) {
    const file = join(directory, 'src', name)
    const text = readFileSync(file, 'utf8')
    if (!text.includes(before)) throw new Error(`${name} has not the place that the next version changes`)
    writeFileSync(
      file,
      text.replace(before, () => after),
    )
  }
  return {
    command: process.execPath,
    args: ['--define', 'FOOTMAN_VERSION="99.0.0"', join(directory, 'src', 'main.ts')],
    env: {},
    path: (local) => local,
  }
}
