/** `footman doctor`: whether everything that a configuration file names is there, answers and fits. */

import { resolve } from 'node:path'
import { type LoadResult, loadConfig } from '../../app/config/load.ts'
import { createPathResolver } from '../../config/paths.ts'
import { consequenceOf, type Problem, problemText } from '../../config/problems.ts'
import { within } from '../../platform/deadline.ts'
import { errorText } from '../../platform/errors.ts'
import { createLogMask } from '../../platform/log-mask.ts'
import { systemClock } from '../../platform/types.ts'
import { inspect } from '../check.ts'
import type { OptionsOf } from '../command.ts'
import { type CommandIo, EXIT } from '../io.ts'
import type { DOCTOR } from './command.ts'
import { PROBES } from './probes.ts'
import { humanReport, signsOf, summaryOf } from './report.ts'
import type { DoctorContext, Examined, Finding, FindingLevel, Probe } from './types.ts'

type DoctorOptions = OptionsOf<typeof DOCTOR>

interface DoctorSurroundings {
  readonly env: Readonly<Record<string, string | undefined>>
  readonly cwd: string
  readonly execPath: string
  readonly probes: readonly Probe[]
  /** See `spawnWorker`. */
  readonly workerEntry: URL
}

/** 0 = in order or warnings only; 1 = no start, or no connection to Qlik Sense, with this configuration; 3 = something else is broken. */
export async function runDoctor(
  options: DoctorOptions,
  io: CommandIo,
  surroundings: Partial<DoctorSurroundings> = {},
): Promise<number> {
  const { env = process.env, cwd = process.cwd(), execPath = process.execPath, probes = PROBES } = surroundings
  const { workerEntry } = surroundings
  const unknown = unknownGroup(options.only ?? [], probes)
  if (unknown !== null) {
    io.err(`error: --only: ${unknown}`)
    return EXIT.badInput
  }
  const { loaded, valid } = await load(options, { env, cwd })
  const paths = createPathResolver({ configDirectory: loaded.directory, cwd, execPath })
  const problems = await inspect(loaded, paths)
  const file = loaded.file ?? options.configfile ?? 'configuration'
  const chosen = (group: string) => options.only?.includes(group) ?? true
  const about = configurationFindings(problems, file).filter(({ level }) => level === 'error' || chosen(CONFIGURATION))
  const { config } = loaded
  const { timeout, appender, listen } = options
  const context = config && {
    config,
    loaded,
    paths,
    clock: systemClock,
    env,
    timeout,
    ...(appender !== undefined && { appender: resolve(cwd, appender) }),
    ...(listen !== undefined && { listenMs: listen }),
    ...(workerEntry && { workerEntry }),
  }
  const wanted = context ? probes.filter((probe) => chosen(probe.group) && probe.applies(context)) : []
  const probed = context ? await runProbes(wanted, context) : []
  const all = withoutRepetitions(about, probed, refusedKeys(loaded.problems))
  const first = { group: CONFIGURATION, title: 'Configuration', findings: all.about }
  const examined = [first, ...all.probed].filter((one) => one.findings.length > 0).map((one) => masked(one, loaded))
  const findings = examined.flatMap((one) => one.findings)
  if (options.json) io.out(JSON.stringify({ file: loaded.file, findings, summary: summaryOf(findings) }, null, 2))
  else io.out(humanReport(file, examined, signsOf(process.stdout, env)), 'as-is')
  if (!valid || problems.some(isFatal)) return EXIT.badInput
  return findings.some(({ level }) => level === 'error') ? EXIT.missing : EXIT.ok
}

/** Features without which the rest has nothing to work with. */
const NEEDED = ['Butler.configQRS', 'Butler.configEngine']

/** Whether Footman does not start with it, or starts without its connection to Qlik Sense. */
function isFatal(problem: Problem): boolean {
  const consequence = consequenceOf(problem)
  return consequence === 'forbids-start' || (consequence === 'switches-off' && NEEDED.includes(problem.feature ?? ''))
}

function unknownGroup(only: readonly string[], probes: readonly Probe[]): string | null {
  const groups = [...new Set([CONFIGURATION, ...probes.map(({ group }) => group)])]
  const unknown = only.find((group) => !groups.includes(group))
  return unknown === undefined ? null : `there is no group "${unknown}"; the groups are ${groups.join(', ')}`
}

/** Reads the file. With errors in it, the probes run with a configuration without the wrong values. */
async function load(
  { configfile, qsConnection }: DoctorOptions,
  { env, cwd }: Pick<DoctorSurroundings, 'env' | 'cwd'>,
): Promise<{ loaded: LoadResult; valid: boolean }> {
  const file = configfile ?? env.FOOTMAN_CONFIGFILE
  const read = (skipVerification: boolean) =>
    loadConfig({
      ...(file ? { file } : {}),
      env,
      cwd,
      overrides: { qlikConnection: qsConnection, skipVerification },
    })
  const strict = await read(false)
  if (strict.config) return { loaded: strict, valid: true }
  return { loaded: { ...(await read(true)), problems: strict.problems }, valid: false }
}

function masked(examined: Examined, { secrets, hosts }: LoadResult): Examined {
  const { text } = createLogMask(
    () => secrets,
    () => hosts,
  )
  const findings = examined.findings.map((finding) => ({
    ...finding,
    target: text(finding.target),
    message: text(finding.message),
    ...(finding.fix !== undefined && { fix: text(finding.fix) }),
  }))
  return { ...examined, findings }
}

/** A probe is a handful of steps, each with the time of one connection. */
const STEPS = 4

/** The findings of each probe, in the order of the probes. */
async function runProbes(probes: readonly Probe[], context: DoctorContext): Promise<readonly Examined[]> {
  return Promise.all(
    probes.map(async (probe) => ({
      group: probe.group,
      title: probe.title,
      findings: await findingsOf(probe, context),
    })),
  )
}

async function findingsOf(probe: Probe, context: DoctorContext): Promise<readonly Finding[]> {
  const limit = context.timeout * STEPS + (context.listenMs ?? 0)
  try {
    return await within(probe.run(context), limit, () => [timeOver(probe, limit)])
  } catch (error) {
    return [broken(probe, error)]
  }
}

const timeOver = ({ group, title }: Probe, limit: number): Finding => ({
  level: 'error',
  code: `${group}.time-over`,
  target: title,
  message: `not finished after ${limit / 1000} s`,
  fix: 'look for a firewall that drops packets silently, or give --timeout more time',
})

const broken = ({ group, title }: Probe, error: unknown): Finding => ({
  level: 'error',
  code: `${group}.not-examined`,
  target: title,
  message: `could not be examined: ${errorText(error)}`,
  fix: 'this is an error in Footman: please report it with this line',
})

// ------------------------------------------------------------------- the problems of `footman check`, as findings

const CONFIGURATION = 'configuration'

const FIX = 'correct it; docs/configuration.md describes every key'
/** For problems that describe how Footman uses a key, which may be intended. */
const NOTE = 'if that is not what you want, change it; docs/configuration.md describes every key'
const OLDER = 'nothing needs to be done; "footman migrate-config" writes the present layout'
const CODES = {
  error: 'configuration.error',
  warning: 'configuration.warning',
  info: 'configuration.note',
} as const satisfies Record<Problem['severity'], string>

/** One finding per problem, or one that all is well. */
function configurationFindings(problems: readonly Problem[], file: string): readonly Finding[] {
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
 * Removes findings that repeat each other. For the same key the finding of a probe replaces a problem of the file of the
 * same or a lower level, and a problem of the file replaces a finding of a lower level. Findings about the section of a
 * wrong value are removed, as the probes ran without that value.
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
const refusedKeys = (problems: readonly Problem[]): readonly string[] =>
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
