/** Installing and removing a systemd service. */
import { access, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { RunCommand } from '../../../platform/command.ts'
import { EXIT } from '../../io.ts'
import { type Plan, ServiceError, type ServiceFacts, type Step } from '../types.ts'
import { openFolders, ownFolders, programCheck, readRights, scheduleRights, wayIn, writeChecks } from './rights.ts'
import { CREDENTIALS, UNIT_MARK, unitText } from './unit.ts'

export const UNIT_DIRECTORY = '/etc/systemd/system'
/** Databases may be brought up to date first: as long as Footman asks systemd to wait, and a little more. */
const START_TIMEOUT_MS = 16 * 60_000
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
  const { facts: opened, hints } = await openFolders(facts)
  const isNew = !(await hasAccount(run, user))
  const rights = { user, way: await wayIn(run, user, isNew) }
  const steps: Step[] = [
    ...(isNew ? [accountStep(user, facts.dataDirectory)] : []),
    ...once([
      ...(await ownFolders(facts, rights)),
      ...(await readRights(facts, rights)),
      ...(await scheduleRights(opened, rights)),
    ]),
    programCheck(facts, user),
    ...writeChecks(opened, user),
    { kind: 'file', path, content: `${unitText(opened, { user, encrypted })}\n` },
    command('systemctl', ['daemon-reload']),
    command('systemctl', ['enable', unit]),
    ...(start ? [restart(facts.name, unit)] : []),
  ]
  return { steps, hints: [...hints, ...credentialHints(missing)] }
}

/** Files that lie together need the same folders. */
const once = (steps: readonly Step[]): Step[] => [
  ...new Map(steps.map((step) => [JSON.stringify(step), step])).values(),
]

const restart = (name: string, unit: string): Step => ({
  ...{ kind: 'command', file: 'systemctl', args: ['restart', unit], timeoutMs: START_TIMEOUT_MS },
  help: `The service is installed and does not start. What it says: journalctl -u ${name} -n 50. Afterwards call this again, or: systemctl restart ${name}`,
})

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

const hasAccount = async (run: RunCommand, user: string): Promise<boolean> =>
  (await run('id', ['-u', user], { timeoutMs: PROBE_TIMEOUT_MS }).catch(() => null))?.code === 0

function accountStep(user: string, home: string): Step {
  const nobody = ['--system', '--user-group', '--no-create-home', '--shell', '/usr/sbin/nologin']
  return command('useradd', [...nobody, '--home-dir', home, '--comment', 'Footman for Qlik Sense', user])
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
