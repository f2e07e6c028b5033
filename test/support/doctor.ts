/** `footman doctor` in this process. */
import { writeFileSync } from 'node:fs'
import { runDoctor } from '../../src/cli/doctor/index.ts'
import type { Summary } from '../../src/cli/doctor/report.ts'
import type { Finding } from '../../src/cli/doctor/types.ts'
import { isDocumented } from './doctor-codes.ts'
import { tempDirectory } from './temp.ts'

export interface Diagnosis {
  readonly code: number
  readonly findings: readonly Finding[]
  readonly summary: Summary
  readonly text: string
}

export interface DiagnosisOptions {
  readonly only?: readonly string[]
  readonly timeout?: number
  /** Default false: the site is left out. */
  readonly qsConnection?: boolean
  readonly env?: Readonly<Record<string, string>>
  readonly appender?: string
  /** Milliseconds. */
  readonly listen?: number
}

/** Runs the probes on a configuration below `Butler`. */
export async function diagnose(butler: unknown, options: DiagnosisOptions = {}): Promise<Diagnosis> {
  await using directory = tempDirectory()
  const configfile = directory.join('butler.yaml')
  // JSON is YAML.
  writeFileSync(configfile, JSON.stringify({ Butler: butler }), { mode: 0o600 })
  const { only, timeout = 5000, env = {}, qsConnection = false, appender, listen } = options
  const printed: string[] = []
  const io = { out: (text: string) => void printed.push(text), err: (text: string) => void printed.push(text) }
  const workerEntry = new URL('../../src/main.ts', import.meta.url)
  const surroundings = { env, cwd: directory.path, execPath: '/usr/bin/bun', workerEntry }
  const code = await runDoctor(
    {
      configfile,
      json: true,
      timeout,
      qsConnection,
      ...(only && { only }),
      ...(appender !== undefined && { appender }),
      ...(listen !== undefined && { listen }),
    },
    io,
    surroundings,
  )
  const text = printed.join('\n')
  const report = JSON.parse(text) as Pick<Diagnosis, 'findings' | 'summary'>
  for (const finding of report.findings) {
    if (!isDocumented(finding.code)) throw new Error(`docs/doctor.md does not know ${finding.code}`)
  }
  return { code, text, ...report }
}

/** In the order of the report. */
export const codes = ({ findings }: Diagnosis): readonly string[] => findings.map(({ code }) => code)
