/** `footman key`: makes API keys and hashes existing ones. Nothing is written anywhere. */
import { stringify } from 'yaml'
import { hashOfKey, isKey, newKey } from '../http/auth/keys.ts'
import { access } from '../http/config.ts'
import type { OptionsOf } from './command.ts'
import type { KEY_CREATE } from './commands.ts'
import { type CommandIo, EXIT } from './io.ts'

/** Prints a fresh key, which is shown this once only, and its entry in the configuration. */
export function runKeyCreate(options: OptionsOf<typeof KEY_CREATE>, io: CommandIo): number {
  const { id, scope, tag, namespace, expires } = options
  const key = newKey()
  const entry = {
    id,
    hash: hashOfKey(key),
    scopes: scope,
    ...(tag && { startFilter: { tag } }),
    ...(namespace && { keyValueNamespaces: namespace }),
    ...(expires && { expires }),
  }
  const { error } = access.safeParse({ keys: [entry] })
  if (error) {
    for (const { path, message } of error.issues) io.err(`error: ${optionOf(path)} ${message}`)
    return EXIT.badInput
  }
  if (options.json) {
    io.out(JSON.stringify({ id, key, hash: entry.hash }))
    return EXIT.ok
  }
  io.out(`${key}\n`)
  io.out('# The key is shown only now. Its entry belongs below Butler.footman.access.keys:')
  io.out(stringify([entry], { lineWidth: 0 }).trimEnd())
  return EXIT.ok
}

const OPTIONS: Readonly<Record<string, string>> = { id: '--id', scopes: '--scope', expires: '--expires' }

/** `['keys', 0, 'scopes', 1]` as `--scope`. */
function optionOf(path: readonly PropertyKey[]): string {
  const name = String(path[2] ?? '')
  return OPTIONS[name] ?? name
}

/** With what editors and `echo` add. */
const MAX_LENGTH = 1024

/** Prints the hash of the key that stands on standard input. */
export async function runKeyHash(input: AsyncIterable<Uint8Array | string>, io: CommandIo): Promise<number> {
  let text = ''
  for await (const chunk of input) {
    text += typeof chunk === 'string' ? chunk : Buffer.from(chunk).toString('latin1')
    // A wrong file: it need not be read to its end.
    if (text.length > MAX_LENGTH) break
  }
  const key = text.trim()
  if (!isKey(key)) {
    io.err('error: standard input holds no key; a key is fm_ and 43 letters, digits, - or _')
    return EXIT.badInput
  }
  io.out(hashOfKey(key))
  return EXIT.ok
}
