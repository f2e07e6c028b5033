/** The rules of imports between rooms, as a function of (file, import). */
import type { Import } from './source.ts'

const FEATURES = ['alerts', 'tasks', 'reports', 'kv', 'files', 'apps', 'monitors', 'metrics', 'settings']

/** Height of each room below src/, and of the simulator beside it; `src/main.ts` counts as a room of its own. Imports go down or stay in the room. */
const FLOORS: Readonly<Record<string, number>> = {
  platform: 0,
  config: 1,
  http: 2,
  qlik: 2,
  cluster: 1.5,
  simulator: 0.5,
  mqtt: 3,
  events: 4,
  ...Object.fromEntries(FEATURES.map((name) => [name, 5])),
  console: 6,
  app: 7,
  cli: 8,
  main: 9,
}

/** The types of a feature, or of one of its parts, and the shapes of what it takes and answers. */
const TYPES = /^src\/[^/]+\/(?:[\w-]+\/)*(?:types|contract)\.ts$/

/** Folders outside src/ whose files are embedded into the executable. */
const EMBEDDED = /^(templates|config|docs\/generated)\//

/** `src/alerts/destinations/email.ts` -> `alerts`, `src/main.ts` -> `main`; null outside src/ and the simulator. */
function folderOf(path: string): string | null {
  return /^(?:src\/([^/.]+)|(simulator)\/)/.exec(path)?.slice(1).find(Boolean) ?? null
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
  if (target === folder) return null
  if (target === 'simulator' && !from.startsWith('src/cli/demo/')) return 'only src/cli/demo may import the simulator'
  if (height < FLOORS[folder]) return null
  if (FEATURES.includes(folder) && FEATURES.includes(target)) {
    if (imported.typeOnly && TYPES.test(imported.resolved)) return null
    return `a feature may only \`import type\` from another feature's types.ts or contract.ts`
  }
  return `imports go down (${Object.keys(FLOORS).join(', ')}): ${target} is not below ${folder}`
}

/** `config.ts` and its parts `config-<part>.ts` in a room on any floor but the configuration's own. */
const SECTION = /^src\/(?!config\/)([^/]+(?:\/[^/]+)?)\/config(?:-[\w-]+)?\.ts$/

/** The schema of the file is composed of the sections: every command loads them, so they import little themselves. */
function brokenSectionRule(from: string, { specifier, resolved }: Import): string | null {
  const folder = SECTION.exec(from)?.[1]
  if (folder === undefined) return null
  // The settings of a type of destination stand in its file, beside the code that uses them.
  if (from === 'src/alerts/config-destinations.ts' && resolved?.startsWith('src/alerts/destinations/')) return null
  const allowed =
    specifier === 'zod' ||
    resolved === 'src/config/fields.ts' ||
    resolved === 'src/events/kinds.ts' ||
    resolved?.startsWith('src/platform/') ||
    resolved?.startsWith(`src/${folder}/config-`)
  return allowed
    ? null
    : 'a config.ts may import only zod, src/platform, src/config/fields.ts, src/events/kinds.ts and its own config-*.ts'
}

function brokenRuntimeRule(folder: string, specifier: string): string | null {
  const bound = specifier === 'bun' || specifier.startsWith('bun:') || specifier.startsWith('jsr:')
  return bound && folder !== 'platform' ? 'modules of one runtime belong into src/platform' : null
}

/** The circles of files, each as a sorted list of paths; imports of types count too. */
export function circles(imports: ReadonlyMap<string, readonly string[]>): string[][] {
  const order = new Map<string, number>()
  const lowest = new Map<string, number>()
  const open: string[] = []
  const found: string[][] = []

  // Tarjan's strongly connected components.
  function visit(path: string): void {
    const own = order.size
    order.set(path, own)
    lowest.set(path, own)
    open.push(path)
    for (const target of imports.get(path) ?? []) {
      if (!imports.has(target)) continue
      if (!order.has(target)) visit(target)
      if (open.includes(target)) lowest.set(path, Math.min(lowest.get(path) ?? own, lowest.get(target) ?? own))
    }
    if (lowest.get(path) === own) {
      const members = open.splice(open.indexOf(path))
      if (members.length > 1) found.push(members.sort())
    }
  }

  for (const path of imports.keys()) if (!order.has(path)) visit(path)
  return found
}
