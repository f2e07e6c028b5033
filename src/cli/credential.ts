/** `footman credential`: secrets that Windows keeps encrypted, and the way to others. Values are never shown. */

import { readdir, readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { credentialsIn } from '../config/external.ts'
import { createProblemList } from '../config/problems.ts'
import { readYaml } from '../config/yaml.ts'
import { lenientText } from '../platform/encodings.ts'
import { isCredentialName, type ProtectedValues } from '../platform/protected-values.ts'
import { type CommandIo, EXIT } from './io.ts'
import { createPrompt, standardInput } from './prompt.ts'
import { table } from './table.ts'

interface CredentialDeps {
  readonly io: CommandIo
  /** Null where the system keeps none. */
  readonly values: ProtectedValues | null
  readonly env: Readonly<Record<string, string | undefined>>
  readonly cwd: string
}

/** `readValue` is asked only when the value can be kept. 0 = set; 1 = it cannot be set like this. */
export async function runCredentialSet(
  name: string,
  accounts: readonly string[],
  { io, values }: CredentialDeps,
  readValue: () => Promise<string>,
): Promise<number> {
  const refuse = refusal(`credential set ${name}`, io)
  if (!isCredentialName(name)) return refuse('a name has letters, digits, "." "_" and "-", at most 100')
  if (!values) {
    io.err(`error: credential set ${name}: Footman keeps no secrets itself on this system: use one of these ways`)
    io.out(credentialInstructions(name))
    return EXIT.badInput
  }
  const value = await readValue()
  if (value === '') return refuse('no value was given: type it, or write it to standard input')
  try {
    await values.set(name, value, accounts)
  } catch (error) {
    return refuse(`${reasonOf(error)}: ${helpFor(error, accounts)}`)
  }
  io.out(`${name} is set. In the configuration: \${credential:${name}}`)
  io.out(
    accounts.length > 0
      ? `It can be read by ${accounts.join(', ')}, the system and administrators.`
      : 'It can be read by the system and administrators. For a service: --account "NT SERVICE\\Footman", or its account.',
  )
  io.out('A running Footman takes it over with: footman reload')
  return EXIT.ok
}

/** Windows reports errors in its own language: the code or the message is the only information. */
function reasonOf(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException
  return code === 'EPERM' || code === 'EACCES' ? 'access is denied' : message.split('\n')[0]!.slice(0, 200)
}

function helpFor(error: unknown, accounts: readonly string[]): string {
  const { code } = error as NodeJS.ErrnoException
  if (code === 'EPERM' || code === 'EACCES') return 'open the command prompt as administrator'
  return accounts.length > 0
    ? `see that ${accounts.join(', ')} is an account that this computer knows`
    : 'open the command prompt as administrator'
}

/** 0 = removed, 3 = there was none. */
export async function runCredentialRemove(name: string, { io, values }: CredentialDeps): Promise<number> {
  const refuse = refusal(`credential remove ${name}`, io)
  if (!isCredentialName(name)) return refuse('that is not the name of a credential')
  if (!values) return refuse('Footman keeps no secrets itself on this system: remove it where it was made')
  try {
    if (await values.remove(name)) {
      io.out(`${name} is removed`)
      return EXIT.ok
    }
  } catch (error) {
    return refuse(`${reasonOf(error)}: ${helpFor(error, [])}`)
  }
  io.err(`error: credential remove ${name}: there is none of that name: footman credential list shows them`)
  return EXIT.missing
}

interface Listed {
  readonly name: string
  /** ISO 8601; null when the secret does not exist or the time is unknown. */
  readonly setAt: string | null
  readonly present: boolean
  /** Keys of the configuration. */
  readonly usedBy: readonly string[]
}

/** 0, or 3 when the configuration names one that is not there. */
export async function runCredentialList(
  { configfile, json }: { readonly configfile?: string; readonly json?: boolean },
  deps: CredentialDeps,
): Promise<number> {
  const { io, cwd, env } = deps
  const file = configfile ?? env.FOOTMAN_CONFIGFILE
  const used = file === undefined ? new Map<string, string[]>() : await usedIn(resolve(cwd, file))
  if (!used) {
    io.err(`error: credential list: ${file} cannot be read: the reason: footman check -c ${file}`)
    return EXIT.badInput
  }
  const there = await thereAre(deps)
  const names = [...new Set([...there.keys(), ...used.keys()])].sort()
  const listed = names.map(
    (name): Listed => ({
      name,
      setAt: there.get(name) ?? null,
      present: there.has(name),
      usedBy: used.get(name) ?? [],
    }),
  )
  if (json) io.out(JSON.stringify(listed, null, 2))
  else io.out(listed.length > 0 ? listTable(listed) : 'There are no credentials.')
  return listed.every(({ present }) => present) ? EXIT.ok : EXIT.missing
}

/** Names with the time of their setting. */
async function thereAre({ values, env }: CredentialDeps): Promise<Map<string, string | null>> {
  if (env.CREDENTIALS_DIRECTORY) {
    const names = await readdir(env.CREDENTIALS_DIRECTORY).catch(() => [])
    return new Map(names.map((name) => [name, null]))
  }
  const kept = (await values?.list()) ?? []
  return new Map(kept.map(({ name, setAt }) => [name, new Date(setAt).toISOString()]))
}

async function usedIn(file: string): Promise<Map<string, string[]> | null> {
  const bytes = await readFile(file).catch(() => null)
  const tree = bytes && readYaml(lenientText(bytes).text, file, createProblemList())
  return tree ? credentialsIn(tree) : null
}

function listTable(listed: readonly Listed[]): string {
  const rows = listed.map(({ name, setAt, present, usedBy }) => [
    name,
    present ? (setAt ?? 'there') : 'not there',
    usedBy.join(', '),
  ])
  return table([['NAME', 'SET', 'USED BY'], ...rows])
}

const refusal = (command: string, io: CommandIo) => (why: string) => {
  io.err(`error: ${command}: ${why}`)
  return EXIT.badInput
}

/** How secrets are kept where Footman does not keep them itself. */
function credentialInstructions(name: string): string {
  return `With systemd 250 or later, encrypted for this computer:

  mkdir -p -m 700 /etc/credstore.encrypted
  systemd-ask-password -n "${name}:" | systemd-creds encrypt --name=${name} - /etc/credstore.encrypted/${name}

  and in the unit (systemctl edit footman, then systemctl restart footman):

  [Service]
  LoadCredentialEncrypted=${name}:/etc/credstore.encrypted/${name}

  In the configuration: \${credential:${name}}

Anywhere else, a file that only the account of the service may read:

  (umask 077; cat > /etc/footman/${name})    # type the value, then Enter and Ctrl-D
  chown footman /etc/footman/${name}

  In the configuration: \${file:/etc/footman/${name}}`
}

/** A certificate chain is the largest of what is meant. */
const MAX_BYTES = 64 * 1024

/** '' when nothing was given. Rejects when the two answers differ, or the input is too long or no text. */
export async function readSecret(isTerminal: boolean): Promise<string> {
  if (!isTerminal) return readAll()
  const prompt = createPrompt()
  try {
    const value = await prompt.askHidden('Value (not shown): ')
    if (value !== '' && (await prompt.askHidden('Once more: ')) !== value) throw new Error('the two values differ')
    return value
  } finally {
    prompt.close()
  }
}

/** All of the input without the line break at its end, which `echo` and editors add. */
async function readAll(): Promise<string> {
  const chunks: Uint8Array[] = []
  let bytes = 0
  for await (const chunk of standardInput()) {
    bytes += chunk.length
    if (bytes > MAX_BYTES) throw new Error('the value is longer than 64 KB')
    chunks.push(chunk)
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(chunks)).replace(/\r?\n$/, '')
  } catch {
    throw new Error('the value is no text in UTF-8')
  }
}
