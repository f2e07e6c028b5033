/** What `footman check` finds, as findings. */
import { type Problem, problemText } from '../../config/problems.ts'
import type { Examined, Finding, FindingLevel } from './types.ts'

export const CONFIGURATION = 'configuration'

const FIX = 'correct it; docs/configuration.md describes every key'
/** Sentences of their own tell what Footman makes of a key: that may be what is wanted. */
const NOTE = 'if that is not what you want, change it; docs/configuration.md describes every key'
const OLDER = 'nothing needs to be done; "footman migrate-config" writes the present layout'
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

function toFinding(problem: Problem): Finding {
  const { severity, path, message, hint, standalone, file, line, column } = problem
  const fix = hint ?? fixFor({ severity, message, ...(standalone && { standalone }) })
  return {
    level: severity,
    code: CODES[severity],
    target: line > 0 ? `${file}:${line}:${column}` : file,
    message: problemText(problem),
    ...(fix !== undefined && { fix }),
    ...(path !== '' && { key: keyOf(path) }),
  }
}

function fixFor({
  severity,
  message,
  standalone,
}: Pick<Problem, 'severity' | 'message' | 'standalone'>): string | undefined {
  if (severity === 'info') return undefined
  if (severity === 'error' || !standalone) return FIX
  return /DEPRECATED|is read as|no longer exists/.test(message) ? OLDER : NOTE
}

const keyOf = (path: string): string => path.replace(/^Butler\./, '')

const WEIGHT: Record<FindingLevel, number> = { ok: 0, info: 1, warning: 2, error: 3 }

/**
 * Each trouble once: where a probe says as much about a key, at least as gravely, it says it better than the look at
 * the file; where it says less, the look at the file has told the reason. A wrong value has been left out: what probes
 * find wrong in its section, they find with another one.
 */
export function withoutRepetitions(
  about: readonly Finding[],
  probed: readonly Examined[],
  wrongKeys: readonly string[] = [],
): { readonly about: readonly Finding[]; readonly probed: readonly Examined[] } {
  const sections = new Set(wrongKeys.map(sectionOf).filter((section) => section !== ''))
  const isLeftOut = (key: string) => sections.has(key) || sections.has(sectionOf(key))
  const kept = probed.map((one) => ({
    ...one,
    findings: one.findings.filter((finding) => !isTrouble(finding) || !isLeftOut(finding.key)),
  }))
  const byFile = gravest(about)
  const byProbes = gravest(kept.flatMap(({ findings }) => findings))
  return {
    about: about.filter((one) => !isTrouble(one) || WEIGHT[one.level] > (byProbes.get(one.key) ?? 0)),
    probed: kept
      .map((one) => ({
        ...one,
        findings: one.findings.filter(
          (finding) => !isTrouble(finding) || WEIGHT[finding.level] >= (byFile.get(finding.key) ?? 0),
        ),
      }))
      .filter(({ findings }) => findings.length > 0),
  }
}

/** Keys below `Butler` whose values the loader has refused. */
export const refusedKeys = (problems: readonly Problem[]): readonly string[] =>
  problems.filter(({ severity, path }) => severity === 'error' && path !== '').map(({ path }) => keyOf(path))

const sectionOf = (key: string): string => key.replace(/\.?[^.]*$/, '')

type Trouble = Finding & { readonly key: string }

const isTrouble = (finding: Finding): finding is Trouble =>
  finding.key !== undefined && (finding.level === 'warning' || finding.level === 'error')

function gravest(findings: readonly Finding[]): ReadonlyMap<string, number> {
  const found = new Map<string, number>()
  for (const { key, level } of findings.filter(isTrouble)) found.set(key, Math.max(found.get(key) ?? 0, WEIGHT[level]))
  return found
}
