/** `footman version`: what this executable is, for support and inventories. */

import process from 'node:process'
import { COMMIT, COMMIT_TIME, TARGET, VERSION } from '../platform/version.ts'
import { type CommandIo, EXIT } from './io.ts'

interface BuildInformation {
  readonly version: string
  readonly commit: string
  /** ISO time; null when it is not known. */
  readonly commitTime: string | null
  /** Platform of the build, `source` when it is not compiled. */
  readonly target: string
  /** `Bun 1.4.5`. */
  readonly runtime: string
  /** Platform and architecture that it runs on now. */
  readonly platform: string
}

function runtime(): string {
  const { bun, deno } = process.versions as Readonly<Record<string, string | undefined>>
  if (deno) return `Deno ${deno}`
  return bun ? `Bun ${bun}` : `Node.js ${process.versions.node}`
}

function buildInformation(): BuildInformation {
  return {
    version: VERSION,
    commit: COMMIT,
    commitTime: COMMIT_TIME,
    target: TARGET,
    runtime: runtime(),
    platform: `${process.platform} ${process.arch}`,
  }
}

export function runVersion({ json }: { readonly json?: boolean }, io: CommandIo): number {
  const info = buildInformation()
  if (json) {
    io.out(JSON.stringify(info, null, 2))
    return EXIT.ok
  }
  io.out(`Footman ${info.version}`)
  io.out(`commit    ${info.commit}${info.commitTime ? `, ${info.commitTime}` : ''}`)
  io.out(`built for ${info.target}`)
  io.out(`runs on   ${info.platform}, ${info.runtime}`)
  return EXIT.ok
}
