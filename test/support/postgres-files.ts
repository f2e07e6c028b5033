/** Data directories of PostgreSQL 15 for tests: made once, copied for each server. */
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import { repositoryRoot } from './source.ts'
import { fastParent } from './temp.ts'

/** Debian keeps the programs of each version apart, and none of them on PATH. */
const DEBIAN = '/usr/lib/postgresql'
/** The server refuses to run as root: user and group that own nothing on any Linux. */
const UNPRIVILEGED = ['--reuid', '65534', '--regid', '65534', '--clear-groups']
const OWNER = '65534:65534'

/** The account that creates databases and roles. */
export const SUPERUSER = { user: 'postgres', password: 'geheim-postgres' } as const
/** The account of Footman. */
export const ROLE = { user: 'footman', password: 'geheim-footman', database: 'footman' } as const

/** An administrator runs these statements once, in the database `postgres`. */
const SERVER_SQL = [
  `SET password_encryption = 'scram-sha-256'`,
  `CREATE ROLE ${ROLE.user} LOGIN PASSWORD '${ROLE.password}' NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION CONNECTION LIMIT 100`,
  `CREATE DATABASE ${ROLE.database} OWNER postgres`,
]
/** Then inside the new database. */
const DATABASE_SQL = [
  `REVOKE ALL ON DATABASE ${ROLE.database} FROM PUBLIC`,
  'REVOKE ALL ON SCHEMA public FROM PUBLIC',
  `GRANT CONNECT ON DATABASE ${ROLE.database} TO ${ROLE.user}`,
  `CREATE SCHEMA footman AUTHORIZATION ${ROLE.user}`,
  `CREATE SCHEMA footman_qlik AUTHORIZATION ${ROLE.user}`,
]

/** Folder of `postgres`, `initdb` and the others, of the newest version that is installed; null when there is none. */
export function postgresPrograms(): string | null {
  if (!existsSync(DEBIAN)) return null
  const versions = readdirSync(DEBIAN).sort((a, b) => Number(b) - Number(a))
  const folders = versions.map((version) => join(DEBIAN, version, 'bin'))
  return folders.find((folder) => existsSync(join(folder, 'initdb'))) ?? null
}

/** Command and arguments that run one of the programs as an account that the server accepts. */
export function asOwner(program: string, args: readonly string[]): readonly [command: string, args: readonly string[]] {
  const path = join(postgresPrograms() ?? '', program)
  return process.getuid?.() === 0 ? ['setpriv', [...UNPRIVILEGED, path, ...args]] : [path, args]
}

/** Runs one of the programs to its end; throws with its output when it fails. */
export function runProgram(program: string, args: readonly string[], env: Readonly<Record<string, string>> = {}): void {
  const [command, all] = asOwner(program, args)
  // A directory that every account may enter.
  const result = spawnSync(command, [...all], { env: { ...process.env, ...env }, cwd: '/', encoding: 'utf8' })
  if (result.status !== 0) throw new Error(`${program} failed: ${result.stdout}${result.stderr}`)
}

/** Gives a directory and all in it to the account of the server. */
export function giveToOwner(directory: string): void {
  if (process.getuid?.() === 0) spawnSync('chown', ['-R', OWNER, directory])
}

/** A fresh directory that the server may use. */
export function serverDirectory(): string {
  const directory = mkdtempSync(join(fastParent(), 'footman-postgres-'))
  giveToOwner(directory)
  return directory
}

/** A temporary server on the data of a directory: `postgres --single` takes one statement a line. */
function singleUser(data: string, database: string, statements: readonly string[]): void {
  const [command, args] = asOwner('postgres', ['--single', '-j', '-D', data, database])
  const input = statements.map((statement) => `${statement};\n\n`).join('')
  const result = spawnSync(command, [...args], { cwd: '/', input, encoding: 'utf8' })
  if (result.status !== 0 || /ERROR|FATAL/.test(result.stderr)) throw new Error(`postgres failed: ${result.stderr}`)
}

/** Makes the data directory `data`, which must not exist, with role, database and schemas of Footman. */
export function copyTemplate(data: string): void {
  copyData(templateDirectory(), data)
  giveToOwner(data)
}

/** Copies a data directory whose server does not run; `to` must not exist. */
export function copyData(from: string, to: string): void {
  if (spawnSync('cp', ['-a', '--reflink=auto', from, to]).status === 0) return
  cpSync(from, to, { recursive: true, preserveTimestamps: true })
}

/** `initdb` takes seconds: the result is kept beside the results of the tests. */
function templateDirectory(): string {
  const programs = postgresPrograms()
  if (!programs) throw new Error('PostgreSQL is not installed')
  const results = join(repositoryRoot, 'test-results')
  const content = JSON.stringify([programs, SUPERUSER, SERVER_SQL, DATABASE_SQL])
  const template = join(results, `postgres-template-${createHash('sha256').update(content).digest('hex').slice(0, 12)}`)
  if (existsSync(template)) return template
  const work = serverDirectory()
  try {
    const data = join(work, 'data')
    const passwords = join(work, 'password')
    writeFileSync(passwords, SUPERUSER.password)
    const login = ['-U', SUPERUSER.user, '-A', 'scram-sha-256', `--pwfile=${passwords}`]
    runProgram('initdb', ['-D', data, ...login, '-E', 'UTF8', '--no-locale', '-N', '--wal-segsize=4'])
    singleUser(data, 'postgres', SERVER_SQL)
    singleUser(data, ROLE.database, DATABASE_SQL)
    mkdirSync(results, { recursive: true })
    const copy = mkdtempSync(join(results, 'postgres-new-'))
    spawnSync('cp', ['-a', data, join(copy, 'data')])
    try {
      renameSync(join(copy, 'data'), template)
    } catch (error) {
      // Another test process was faster.
      if (!existsSync(template)) throw error
    } finally {
      rmSync(copy, { recursive: true, force: true })
    }
    return template
  } finally {
    rmSync(work, { recursive: true, force: true })
  }
}
