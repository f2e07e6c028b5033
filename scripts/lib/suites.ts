/** The suites of `npm test`, and the requirements of each. */
import process from 'node:process'
import { denoExecutable } from '../../test/support/deno.ts'
import type { Need } from '../../test/support/servers.ts'

export interface Suite {
  /** Folder of its files below `test/`. */
  readonly name: string
  /** Programs that each of its files needs. */
  readonly needs: readonly Need[]
  /** The job that makes what its files run: the executable for this machine, or a Windows drive with the one for Windows. */
  readonly after?: 'executable' | 'windows drive'
  /** Why this machine can never run it; null = it can. */
  readonly gap?: () => string | null
}

export const SUITES: readonly Suite[] = [
  { name: 'unit', needs: [] },
  { name: 'integration', needs: [], after: 'executable' },
  { name: 'e2e', needs: [], after: 'executable' },
  {
    name: 'deno',
    needs: [],
    gap: () => (denoExecutable() ? null : `Deno for ${process.platform} ${process.arch} (npm install)`),
  },
  {
    name: 'windows',
    needs: ['wine', 'x86_64-w64-mingw32-gcc'],
    after: 'windows drive',
    gap: () => (process.platform === 'linux' && process.arch === 'x64' ? null : 'Linux x64'),
  },
]
