/** Checks of metrics and of expressions by Prometheus's own tool. */
import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { program } from './servers.ts'
import { tempDirectory } from './temp.ts'

function promtool(args: readonly string[], input = ''): { readonly code: number | null; readonly lines: string[] } {
  const { status, stdout, stderr } = spawnSync(program('promtool'), args, { input, encoding: 'utf8', timeout: 30_000 })
  return { code: status, lines: `${stdout}\n${stderr}`.split('\n').filter((line) => line.trim() !== '') }
}

/** It wants all times in seconds; licences are counted in days wherever Qlik shows them. */
const KNOWN = 'footman_license_days_remaining use base unit "seconds" instead of "days"'

/** Its warnings about the text of a scrape. */
export const metricsWarnings = (text: string): string[] =>
  promtool(['check', 'metrics'], text).lines.filter((line) => line !== KNOWN)

/** Why an expression cannot be used, with its text; empty = all can. */
export function expressionFaults(expressions: readonly string[]): string[] {
  const directory = tempDirectory()
  try {
    const file = directory.join('rules.yaml')
    const rules = expressions.map((expr, index) => ({ record: `dashboard:expression_${index}`, expr }))
    // JSON is YAML.
    writeFileSync(file, JSON.stringify({ groups: [{ name: 'dashboards', rules }] }))
    const { code, lines } = promtool(['check', 'rules', file])
    return code === 0 ? [] : lines
  } finally {
    directory.remove()
  }
}
