/** The rules about who may import whom, as a function of (file, import). */
import type { Import } from './source.ts'

const FEATURES = [
  'events',
  'alerts',
  'start-task',
  'mqtt',
  'metrics',
  'kv',
  'scheduler',
  'files',
  'monitors',
  'reports',
  'apps',
  'codec',
  'messages',
  'executions',
  'safety-net',
  'self-alerts',
]

/** Height of each folder below src/; a file directly in src/ counts as the folder of its name. Imports go down or stay. */
const FLOORS: Readonly<Record<string, number>> = {
  platform: 0,
  config: 1,
  qlik: 2,
  ...Object.fromEntries(FEATURES.map((name) => [name, 3])),
  api: 4,
  console: 4,
  app: 5,
  cli: 6,
  main: 7,
}

/** The contracts of a feature, or of one of its parts. */
const TYPES = /^src\/[^/]+\/(?:[\w-]+\/)?types\.ts$/

/** Folders outside src/ whose files are embedded into the executable. */
const EMBEDDED = /^(templates|config|docs\/generated)\//

/** `src/alerts/destinations/email.ts` -> `alerts`, `src/app/app.ts` -> `app`; null outside src/. */
function folderOf(path: string): string | null {
  return /^src\/([^/.]+)/.exec(path)?.[1] ?? null
}

/** The rule that the import breaks, or null when it is allowed. */
export function brokenRule(from: string, imported: Import): string | null {
  const folder = folderOf(from)
  if (folder === null || FLOORS[folder] === undefined) return `${from} is in a folder that has no floor`
  const sectionRule = brokenSectionRule(from, imported)
  if (sectionRule) return sectionRule
  if (imported.resolved === null) return brokenRuntimeRule(folder, imported.specifier)

  const target = folderOf(imported.resolved)
  if (target === null) {
    return EMBEDDED.test(imported.resolved)
      ? null
      : 'outside src/ only templates/, config/ and docs/generated/ may be embedded'
  }
  const height = FLOORS[target]
  if (height === undefined) return `src/${target} has no floor`
  if (/^src\/qlik\/simulator\//.test(imported.resolved) && !/^src\/(qlik\/simulator|cli)\//.test(from)) {
    return 'only src/cli may import the simulator'
  }
  if (target === folder) return null
  if (from === 'src/config/schema.ts' && /^src\/[^/]+\/config\.ts$/.test(imported.resolved)) return null
  if (height < FLOORS[folder]) return null
  if (FEATURES.includes(folder) && FEATURES.includes(target)) {
    if (imported.typeOnly && TYPES.test(imported.resolved)) return null
    return `a feature may only \`import type\` from another feature's types.ts`
  }
  return `imports go down (platform, config, qlik, features, api and console, app, cli): ${target} is not below ${folder}`
}

/** `config.ts` and its parts `config-<part>.ts` in a folder on any floor but the configuration's own. */
const SECTION = /^src\/(?!config\/)([^/]+)\/config(?:-[\w-]+)?\.ts$/

/** Sections are composed into the schema, which stands on a low floor: they may stand on little themselves. */
function brokenSectionRule(from: string, { specifier, resolved }: Import): string | null {
  const folder = SECTION.exec(from)?.[1]
  if (folder === undefined) return null
  const allowed =
    specifier === 'zod' ||
    resolved === 'src/config/fields.ts' ||
    resolved?.startsWith('src/platform/') ||
    resolved?.startsWith(`src/${folder}/config-`)
  return allowed ? null : 'a config.ts may import only zod, src/platform, src/config/fields.ts and its own config-*.ts'
}

function brokenRuntimeRule(folder: string, specifier: string): string | null {
  const bound = specifier === 'bun' || specifier.startsWith('bun:') || specifier.startsWith('jsr:')
  return bound && folder !== 'platform' ? 'modules of one runtime belong into src/platform' : null
}
