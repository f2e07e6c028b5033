/** What `footman check` finds, as findings. */
import type { Problem } from '../../config/problems.ts'
import type { Examined, Finding, FindingLevel } from './types.ts'

export const CONFIGURATION = 'configuration'

const FIX = 'correct it; docs/configuration.md describes every key'
const CODES = {
  error: 'configuration.error',
  warning: 'configuration.warning',
  info: 'configuration.note',
} as const satisfies Record<Problem['severity'], string>

/** One finding per problem, or one that all is well. */
export function configurationFindings(problems: readonly Problem[], file: string): readonly Finding[] {
  const findings = problems.map(toFinding)
  if (problems.some(({ severity }) => severity !== 'info')) return findings
  return [{ level: 'ok', code: 'configuration.valid', target: file, message: 'no errors, no warnings' }, ...findings]
}

function toFinding({ severity, path, message, hint, standalone, file, line, column }: Problem): Finding {
  const fix = hint ?? (severity === 'info' ? undefined : FIX)
  return {
    level: severity,
    code: CODES[severity],
    target: line > 0 ? `${file}:${line}:${column}` : file,
    message: path === '' || standalone ? message : `${path}: ${message}`,
    ...(fix !== undefined && { fix }),
    ...(path !== '' && { key: keyOf(path) }),
  }
}

const keyOf = (path: string): string => path.replace(/^Butler\./, '')

const WEIGHT: Record<FindingLevel, number> = { ok: 0, info: 1, warning: 2, error: 3 }

/** Without what a problem of the configuration already says about the same key, at least as gravely. */
export function withoutRepetitions(examined: readonly Examined[], problems: readonly Problem[]): readonly Examined[] {
  const told = new Map<string, number>()
  for (const { path, severity } of problems) {
    told.set(keyOf(path), Math.max(told.get(keyOf(path)) ?? 0, WEIGHT[severity]))
  }
  const isNew = ({ key, level }: Finding) =>
    key === undefined || level === 'ok' || level === 'info' || WEIGHT[level] > (told.get(key) ?? 0)
  return examined
    .map((one) => ({ ...one, findings: one.findings.filter(isNew) }))
    .filter(({ findings }) => findings.length > 0)
}
