/** The suites of `npm test`, and the requirements of each. */
import process from 'node:process'
import { denoExecutable } from '../../test/support/deno.ts'
import { makeWindowsDrive, missingWineTools, WINE_INSTALL } from '../../test/support/wine/wine.ts'

export interface Prepared {
  /** Added to the environment of the test files. */
  readonly env: Readonly<Record<string, string>>
  /** When the suite has run. */
  readonly release?: () => Promise<void>
}

export interface SuiteTools {
  /** Path of the executable for this platform, built once; null when the build failed. */
  readonly binary: () => string | null
  /** Path of the executable for another platform; null when the build failed. */
  readonly build: (target: string) => string | null
}

export interface Suite {
  /** Folder of its files below `test/`. */
  readonly name: string
  /** Missing programs, with how to get them; null = the suite can run. */
  gap(): string | null
  /** Null when it cannot run; the reason is printed then. */
  prepare(tools: SuiteTools): Prepared | null | Promise<Prepared | null>
}

const always = (): null => null

function withBinary({ binary }: SuiteTools): Prepared | null {
  const path = binary()
  return path === null ? null : { env: { FOOTMAN_BINARY: path } }
}

export const SUITES: readonly Suite[] = [
  { name: 'unit', gap: always, prepare: () => ({ env: {} }) },
  { name: 'integration', gap: always, prepare: withBinary },
  { name: 'e2e', gap: always, prepare: withBinary },
  {
    name: 'deno',
    gap: () => (denoExecutable() ? null : `Deno for ${process.platform} ${process.arch} (npm install)`),
    prepare: () => ({ env: {} }),
  },
  {
    name: 'windows',
    gap() {
      const missing = missingWineTools()
      return missing.length === 0 ? null : `${missing.join(', ')} (${WINE_INSTALL})`
    },
    async prepare({ build }) {
      const executable = build('windows-x64')
      if (executable === null) return null
      const { env, remove } = await makeWindowsDrive(executable)
      return { env, release: remove }
    },
  },
]
