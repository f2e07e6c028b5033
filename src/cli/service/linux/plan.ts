/** Installing and removing a systemd service. */
import { access, readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { RunCommand } from '../../../platform/command.ts'
import { EXIT } from '../../io.ts'
import { type Plan, ServiceError, type ServiceFacts, type Step } from '../types.ts'
import { CREDENTIALS, UNIT_MARK, unitText } from './unit.ts'

export const UNIT_DIRECTORY = '/etc/systemd/system'
/** Databases may be brought up to date first. */
const START_TIMEOUT_MS = 5 * 60_000
const STOP_TIMEOUT_MS = 3 * 60_000
const PROBE_TIMEOUT_MS = 10_000

export interface SystemdSettings {
  readonly user: string
  readonly directory: string
  readonly start: boolean
}

const command = (file: string, args: readonly string[], timeoutMs?: number): Step => ({
  ...{ kind: 'command', file, args },
  ...(timeoutMs !== undefined && { timeoutMs }),
})

/** Looks at accounts and folders; changes nothing. */
export async function planInstall(run: RunCommand, facts: ServiceFacts, settings: SystemdSettings): Promise<Plan> {
  const { user, start } = settings
  refuseProgram(facts.command[0])
  const path = unitPath(settings.directory, facts.name)
  await refuseForeign(path)
  const unit = `${facts.name}.service`
  const [encrypted, missing] = await credentialPlaces(facts)
  const own = [facts.dataDirectory, ...(facts.logDirectory === null ? [] : [facts.logDirectory])]
  const folders = await Promise.all(own.map((folder) => claim(folder, user)))
  const steps: Step[] = [
    ...(await accountSteps(run, user, facts.dataDirectory)),
    ...folders.flatMap((folder) => folder.steps),
    { kind: 'file', path, content: `${unitText(facts, { user, encrypted })}\n` },
    command('systemctl', ['daemon-reload']),
    command('systemctl', ['enable', unit]),
    ...accessChecks(facts, user),
    ...(start ? [command('systemctl', ['restart', unit], START_TIMEOUT_MS)] : []),
  ]
  return { steps, hints: [...folders.flatMap(({ hints }) => hints), ...credentialHints(missing)] }
}

/** Rejects with exit code 3 when there is no such service. */
export async function planUninstall(name: string, directory: string): Promise<Plan> {
  const path = unitPath(directory, name)
  if ((await refuseForeign(path)) === 'missing') {
    throw new ServiceError(`service ${name}: not installed: there is no ${path}`, EXIT.missing)
  }
  const unit = `${name}.service`
  return {
    steps: [
      { ...command('systemctl', ['disable', '--now', unit], STOP_TIMEOUT_MS) },
      { kind: 'remove', path },
      command('systemctl', ['daemon-reload']),
      { kind: 'command', file: 'systemctl', args: ['reset-failed', unit], mayFail: true },
    ],
    hints: ['Configuration, data, logs and the account are still there.'],
  }
}

/** Systemd starts nothing of such a name. */
function refuseProgram(program: string): void {
  if (!/["'\\]|\p{Cc}/u.test(program)) return
  throw new ServiceError(
    `${program}: systemd runs no program whose path has quotes, backslashes or control characters. Move it.`,
    EXIT.badInput,
  )
}

const unitPath = (directory: string, name: string): string => join(directory, `${name}.service`)

async function refuseForeign(path: string): Promise<'missing' | 'ours'> {
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null
    throw new ServiceError(`${path}: ${error.message}`, EXIT.unreachable)
  })
  if (text === null) return 'missing'
  if (text.startsWith(UNIT_MARK)) return 'ours'
  throw new ServiceError(
    `${path}: was not written by Footman and is left alone. Take another --name, or move that file away first.`,
    EXIT.unreachable,
  )
}

async function accountSteps(run: RunCommand, user: string, home: string): Promise<Step[]> {
  const found = await run('id', ['-u', user], { timeoutMs: PROBE_TIMEOUT_MS }).catch(() => null)
  if (found?.code === 0) return []
  const nobody = ['--system', '--user-group', '--no-create-home', '--shell', '/usr/sbin/nologin']
  return [command('useradd', [...nobody, '--home-dir', home, '--comment', 'Footman for Qlik Sense', user])]
}

/** Folders that others use as well are never given away. */
const SHARED = /^\/(etc|usr|var|opt|srv|home|root|tmp|mnt|media)?(\/(log|lib|tmp|local|cache|spool))?$/
const OURS = /^(footman\.(db|lock)|journal\.db|butler\.\d{4}-\d{2}-\d{2}.*\.log$|\.[0-9a-f]{40}-audit\.json$)/

/** A folder becomes the account's when it is new, empty or filled by Footman. */
async function claim(folder: string, user: string): Promise<{ steps: Step[]; hints: string[] }> {
  const entries = await readdir(folder).catch((error: NodeJS.ErrnoException) =>
    error.code === 'ENOENT' ? null : ['?'],
  )
  if (entries === null) {
    return { steps: [command('install', ['-d', '-m', '0750', '-o', user, '-g', user, folder])], hints: [] }
  }
  const isOurs = entries.length === 0 || entries.some((entry) => OURS.test(entry))
  if (isOurs && !SHARED.test(folder)) return { steps: [command('chown', ['-RH', `${user}:`, folder])], hints: [] }
  const hint = `${folder} holds files of others and keeps its owner. Let the service write there:\n  setfacl -m u:${user}:rwx ${folder}`
  return { steps: [], hints: [hint] }
}

/** What the account cannot reach, told before the service starts and fails. */
function accessChecks({ readable, writable }: ServiceFacts, user: string): Step[] {
  const check = (test: '-r' | '-w', path: string, warning: string): Step => ({
    ...{ kind: 'check', file: 'runuser', args: ['-u', user, '--', 'test', test, path] },
    warning,
  })
  return [
    ...readable.map((path) =>
      check('-r', path, `${user} cannot read ${path}: chgrp ${user} the file and chmod g+r it; its folders need g+x`),
    ),
    ...writable.map((path) =>
      check('-w', path, `${user} cannot write in ${path}: setfacl -m u:${user}:rwx, if features of Footman need it`),
    ),
  ]
}

const exists = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  )

/** Names of those that lie encrypted here, and of those of which nothing lies here. */
async function credentialPlaces({ credentials }: ServiceFacts): Promise<[encrypted: string[], missing: string[]]> {
  const found = await Promise.all(
    credentials.map(async (name) => ({
      name,
      isEncrypted: await exists(`${CREDENTIALS}.encrypted/${name}`),
      isPlain: await exists(`${CREDENTIALS}/${name}`),
    })),
  )
  return [
    found.filter(({ isEncrypted }) => isEncrypted).map(({ name }) => name),
    found.filter(({ isEncrypted, isPlain }) => !isEncrypted && !isPlain).map(({ name }) => name),
  ]
}

function credentialHints(missing: readonly string[]): string[] {
  if (missing.length === 0) return []
  const lines = missing.map((name) => `  ${CREDENTIALS}/${name}, or encrypted: footman credential set ${name}`)
  return [['The service does not start without these credentials, one file each:', ...lines].join('\n')]
}
