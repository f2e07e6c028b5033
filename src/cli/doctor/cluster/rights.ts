/** The rights of the role of the nodes: enough, and not too many. */
import { pendingMigrations } from '../../../cluster/migrations.ts'
import { viewNamesOf } from '../../../cluster/settings.ts'
import { migrationsOf } from '../../../cluster/views.ts'
import type { Finding } from '../types.ts'
import type { Examination } from './examination.ts'

const ROLE = `SELECT rolsuper AS "is a superuser", rolcreatedb AS "may create databases", rolcreaterole AS "may create roles",
    rolreplication AS "may replicate" FROM pg_roles WHERE rolname = current_user`
const SCHEMAS = `SELECT nspname AS name, has_schema_privilege(oid, 'USAGE') AS "mayUse", has_schema_privilege(oid, 'CREATE') AS "mayCreate"
  FROM pg_namespace WHERE nspname = ANY($1)`
const MISSING = `SELECT relname AS "table", string_agg(needed, ', ') AS rights FROM pg_class
    JOIN pg_namespace ON pg_namespace.oid = relnamespace, unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']) AS needed
  WHERE nspname = $1 AND relkind IN ('r', 'p') AND NOT has_table_privilege(pg_class.oid, needed)
  GROUP BY relname ORDER BY relname`

interface SchemaRights {
  readonly name: string
  readonly mayUse: boolean
  readonly mayCreate: boolean
}

/** Nothing where all is well. */
export async function rightsFindings({ context, connection }: Examination): Promise<readonly Finding[]> {
  const section = context.config.footman.cluster
  const { schema, user } = section
  const target = `role ${user}`
  const error = (message: string, fix: string): Finding => {
    return { level: 'error', code: 'cluster.rights', target, message, fix, key: 'footman.cluster.user' }
  }
  const [role = {}] = await connection.query<Record<string, boolean>>(ROLE)
  const tooMany = Object.keys(role).filter((right) => role[right])
  const findings: Finding[] = []
  if (tooMany.length > 0) {
    const message = `${tooMany.join(', ')}, which Footman never needs`
    const fix = `ALTER ROLE ${user} NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION`
    findings.push({ level: 'warning', code: 'cluster.rights', target, message, fix, key: 'footman.cluster.user' })
  }
  const { views } = viewNamesOf(section)
  const schemas = await connection.query<SchemaRights>(SCHEMAS, [[schema, views]])
  for (const name of [schema, views]) {
    const found = schemas.find((one) => one.name === name)
    const make = 'run the SQL that "footman cluster sql" prints as an administrator of the database'
    if (!found) findings.push(error(`the schema ${name} does not exist`, make))
    else if (!found.mayUse)
      findings.push(error(`may not use the schema ${name}`, `GRANT USAGE ON SCHEMA ${name} TO ${user}`))
  }
  if (findings.some(({ level }) => level === 'error')) return findings
  const { reader } = section
  if (reader !== '' && !(await connection.query('SELECT 1 FROM pg_roles WHERE rolname = $1', [reader])).length) {
    const fix = `CREATE ROLE ${reader} LOGIN PASSWORD '...', then restart a node`
    const key = 'footman.cluster.reader'
    findings.push({
      level: 'warning',
      code: 'cluster.rights',
      target,
      message: `the role ${reader}, which is to read the views, does not exist`,
      fix,
      key,
    })
  }

  const pending = await pendingMigrations(connection, migrationsOf(viewNamesOf(section)))
  if (pending.length > 0 && !schemas.every(({ mayCreate }) => mayCreate)) {
    const message = `may not make the tables of this version (${pending.map(({ name }) => name).join(', ')})`
    const fix = 'run the SQL that "footman cluster sql --migrate" prints as the owner of the schema'
    return [...findings, error(message, fix)]
  }
  const missing = await connection.query<{ table: string; rights: string }>(MISSING, [schema])
  const [first] = missing
  if (first) {
    const others = missing.length > 1 ? `, and ${missing.length - 1} more tables` : ''
    const fix = `GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA ${schema} TO ${user}`
    findings.push(error(`lacks ${first.rights} on ${schema}.${first.table}${others}`, fix))
  }
  return findings
}
