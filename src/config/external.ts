/** Values that come from outside the file: `custom-environment-variables.yaml` and `${env:NAME}` in texts. */
import { readFile } from 'node:fs/promises'
import { dirname, isAbsolute, join, resolve } from 'node:path'
import { lenientText, unicodeText } from '../platform/encodings.ts'
import { errorText } from '../platform/errors.ts'
import { isCredentialName, type ProtectedValues, protectedValuesOf } from '../platform/protected-values.ts'
import type { Environment } from './find.ts'
import type { Place, ProblemList } from './problems.ts'
import { type MapNode, type Path, pathText, type ScalarNode, scalars, setAt, type TreeNode } from './tree.ts'
import { readYaml } from './yaml.ts'

/** Beside the configuration. */
export const MAPPING_FILE = 'custom-environment-variables.yaml'

/**
 * Merges the environment variables that `custom-environment-variables.yaml` beside the configuration names. It was the
 * only way to keep secrets out of Butler's file. Variables that are not set or empty change nothing.
 */
export async function applyMappingFile(
  root: MapNode,
  file: string,
  env: Environment,
  problems: ProblemList,
): Promise<void> {
  const path = join(dirname(file), MAPPING_FILE)
  const text = await readFile(path).then(
    (bytes) => lenientText(bytes).text,
    () => null,
  )
  if (text === null) return
  const mapping = readYaml(text, path, problems)
  if (!mapping) return
  let used = 0
  for (const { variable, path: target, at } of mappings(mapping, [])) {
    const value = env[variable]
    if (value === undefined || value === '') continue
    setAt(root, target, { kind: 'scalar', value, at, external: true }, at)
    used++
  }
  problems.add({
    severity: 'info',
    path: '',
    message: `CONFIG: ${used} value${used === 1 ? '' : 's'} taken from the environment by ${path}`,
    standalone: true,
    ...mapping.at,
  })
}

function* mappings(node: TreeNode, path: Path): Generator<{ variable: string; path: Path; at: Place }> {
  if (node.kind === 'scalar' && typeof node.value === 'string') yield { variable: node.value, path, at: node.at }
  if (node.kind !== 'map') return
  const name = node.entries.get('__name')?.node
  if (name) yield* mappings(name, path)
  else for (const [key, entry] of node.entries) yield* mappings(entry.node, [...path, key])
}

/** A text that is taken from outside the configuration when it is used: `${env:NAME}`. */
export const PLACEHOLDER = /\$\{(env|file|credential):([^}]*)\}/g

type Source = 'env' | 'file' | 'credential'
type Resolved =
  | { readonly ok: true; readonly value: string }
  | { readonly ok: false; readonly message: string; readonly hint: string }

interface References {
  readonly env: Environment
  readonly directory: string
  readonly needed: boolean
}

/**
 * Replaces `${env:NAME}`, `${file:/path}` and `${credential:NAME}` in every text. Returns the values, which are
 * secrets by intention. A reference that cannot be resolved is an error that names key and line, or stays as it is where the
 * values are not `needed`.
 */
export async function resolvePlaceholders(
  root: TreeNode,
  context: References,
  problems: ProblemList,
): Promise<string[]> {
  const values: string[] = []
  for (const { node, path } of [...scalars(root)]) {
    if (typeof node.value !== 'string' || !node.value.includes('${')) continue
    const replaced = await replaceIn(node, path, context, problems, values)
    if (replaced !== null) Object.assign(node, { value: replaced, external: true, written: node.value })
  }
  return values
}

async function replaceIn(
  node: ScalarNode,
  path: Path,
  context: References,
  problems: ProblemList,
  values: string[],
): Promise<string | null> {
  const text = String(node.value)
  let result = ''
  let end = 0
  for (const match of text.matchAll(PLACEHOLDER)) {
    const resolved = await resolveOne(match[1] as Source, match[2]!.trim(), context)
    if (!resolved.ok) {
      const { message, hint } = resolved
      if (context.needed) problems.add({ severity: 'error', path: pathText(path), message, hint, ...node.at })
      // The key counts as set, so that no second problem follows from this one.
      return null
    }
    values.push(resolved.value)
    result += text.slice(end, match.index) + resolved.value
    end = match.index + match[0].length
  }
  return end === 0 ? null : result + text.slice(end)
}

async function resolveOne(
  source: Source,
  name: string,
  { env, directory }: { readonly env: Environment; readonly directory: string },
): Promise<Resolved> {
  if (name === '')
    return { ok: false, message: `the placeholder \${${source}:} names nothing`, hint: `write \${${source}:NAME}` }
  if (source === 'env') return fromEnvironment(name, env)
  if (source === 'file') return fromFile(isAbsolute(name) ? name : resolve(directory, name))
  return fromCredentials(name, env)
}

function fromEnvironment(name: string, env: Environment): Resolved {
  const value = env[name]
  if (value !== undefined) return { ok: true, value }
  return {
    ok: false,
    message: `the environment variable ${name} is not set`,
    hint: 'set it for the account of the service',
  }
}

async function fromFile(path: string): Promise<Resolved> {
  try {
    const text = unicodeText(await readFile(path))?.text
    if (text === undefined) {
      return { ok: false, message: `the file ${path} is not UTF-8`, hint: 'save it with the encoding UTF-8' }
    }
    // Editors end a file with a line break, which belongs to no secret.
    return { ok: true, value: text.replace(/\r?\n$/, '') }
  } catch (error) {
    const reason = (error as NodeJS.ErrnoException).code ?? errorText(error)
    return {
      ok: false,
      message: `the file ${path} cannot be read (${reason})`,
      hint: 'check the path and its permissions',
    }
  }
}

/** systemd hands credentials over as files of a folder; Windows keeps them encrypted. */
async function fromCredentials(name: string, env: Environment): Promise<Resolved> {
  const hint = `"footman credential set ${name}" explains how to set it`
  if (!isCredentialName(name)) {
    return { ok: false, message: `"${name}" is not the name of a credential`, hint: 'use letters, digits, . _ and -' }
  }
  const folder = env.CREDENTIALS_DIRECTORY
  if (folder) {
    const read = await fromFile(join(folder, name))
    return read.ok ? read : { ...read, hint }
  }
  const values = protectedValuesOf(env)
  if (values) return fromProtectedValues(name, values)
  return { ok: false, message: `the credential ${name} is not there: CREDENTIALS_DIRECTORY is not set`, hint }
}

async function fromProtectedValues(name: string, values: ProtectedValues): Promise<Resolved> {
  try {
    const value = await values.get(name)
    if (value !== null) return { ok: true, value }
    const message = `the credential ${name} is not there (looked in ${values.directory})`
    return { ok: false, message, hint: `set it with: footman credential set ${name}` }
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    const isForbidden = code === 'EPERM' || code === 'EACCES'
    return {
      ok: false,
      message: `the credential ${name} cannot be read (${code ?? message})`,
      hint: isForbidden
        ? `let the account of the service read it: footman credential set ${name} --account ACCOUNT`
        : `set it again on this computer: footman credential set ${name}`,
    }
  }
}

/** The files that texts of the file name as `${file:PATH}`, absolute. */
export function filesIn(root: TreeNode, directory: string): string[] {
  const names = placeholdersIn(root, 'file').map(({ name }) => resolve(directory, name))
  return [...new Set(names)]
}

/** The credentials that texts of the file name, with the keys that need them. */
export function credentialsIn(root: TreeNode): Map<string, string[]> {
  const used = new Map<string, string[]>()
  for (const { name, path } of placeholdersIn(root, 'credential')) {
    used.set(name, [...(used.get(name) ?? []), pathText(path)])
  }
  return used
}

function placeholdersIn(root: TreeNode, wanted: Source): { readonly name: string; readonly path: Path }[] {
  return [...scalars(root)].flatMap(({ node, path }) =>
    [...String(node.value).matchAll(PLACEHOLDER)]
      .filter(([, source, name = '']) => source === wanted && name.trim() !== '')
      .map(([, , name = '']) => ({ name: name.trim(), path })),
  )
}
