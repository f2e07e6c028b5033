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

/**
 * Each trouble once: where a probe says as much about a key, at least as gravely, it says it better than the look at
 * the file; where it says less, the look at the file has told the reason.
 */
export function withoutRepetitions(
  about: readonly Finding[],
  probed: readonly Examined[],
): { readonly about: readonly Finding[]; readonly probed: readonly Examined[] } {
  const byFile = gravest(about)
  const byProbes = gravest(probed.flatMap(({ findings }) => findings))
  return {
    about: about.filter((one) => !isTrouble(one) || WEIGHT[one.level] > (byProbes.get(one.key) ?? 0)),
    probed: probed
      .map((one) => ({
        ...one,
        findings: one.findings.filter(
          (finding) => !isTrouble(finding) || WEIGHT[finding.level] >= (byFile.get(finding.key) ?? 0),
        ),
      }))
      .filter(({ findings }) => findings.length > 0),
  }
}

type Trouble = Finding & { readonly key: string }

const isTrouble = (finding: Finding): finding is Trouble =>
  finding.key !== undefined && (finding.level === 'warning' || finding.level === 'error')

function gravest(findings: readonly Finding[]): ReadonlyMap<string, number> {
  const found = new Map<string, number>()
  for (const { key, level } of findings.filter(isTrouble)) found.set(key, Math.max(found.get(key) ?? 0, WEIGHT[level]))
  return found
}
