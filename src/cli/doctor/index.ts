/** `footman doctor`: whether everything that a configuration file names is there, answers and fits. */

import { resolve } from 'node:path'
import { type LoadResult, loadConfig } from '../../app/config/load.ts'
import { createPathResolver } from '../../config/paths.ts'
import { consequenceOf, type Problem } from '../../config/problems.ts'
import { createLogMask } from '../../platform/log-mask.ts'
import { systemClock } from '../../platform/types.ts'
import { inspect } from '../inspection.ts'
import { type CommandIo, EXIT } from '../io.ts'
import { CONFIGURATION, configurationFindings, refusedKeys, withoutRepetitions } from './configuration.ts'
import { PROBES } from './probes.ts'
import { humanReport, signsOf, summaryOf } from './report.ts'
import type { DoctorContext, Examined, Finding, Probe } from './types.ts'

interface DoctorOptions {
  readonly configfile?: string
  readonly json?: boolean
  /** Groups; absent = all. */
  readonly only?: readonly string[]
  /** False with --no-qs-connection. */
  readonly qsConnection?: boolean
  /** Milliseconds that one connection may take. */
  readonly timeout: number
  /** A log appender file to examine. */
  readonly appender?: string
  /** Milliseconds for which to listen for messages. */
  readonly listen?: number
}

interface DoctorSurroundings {
  readonly env: Readonly<Record<string, string | undefined>>
  readonly cwd: string
  readonly execPath: string
  readonly probes: readonly Probe[]
}

/** 0 = in order or warnings only; 1 = no start, or no connection to Qlik Sense, with this configuration; 3 = something else is broken. */
export async function runDoctor(
  options: DoctorOptions,
  io: CommandIo,
  surroundings: Partial<DoctorSurroundings> = {},
): Promise<number> {
  const { env = process.env, cwd = process.cwd(), execPath = process.execPath, probes = PROBES } = surroundings
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
    ...{ config, loaded, paths, clock: systemClock, env, timeout },
    ...(appender !== undefined && { appender: resolve(cwd, appender) }),
    ...(listen !== undefined && { listenMs: listen }),
  }
  const wanted = context ? probes.filter((probe) => chosen(probe.group) && probe.applies(context)) : []
  const probed = context ? await runProbes(wanted, context) : []
  const all = withoutRepetitions(about, probed, refusedKeys(loaded.problems))
  const first = { group: CONFIGURATION, title: 'Configuration', findings: all.about }
  const examined = [first, ...all.probed]
    .filter((one) => one.findings.length > 0)
    .map((one) => masked(one, loaded.secrets))
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

/** What is wrong with one key is no reason to look at nothing else: wrong values are then left out. */
async function load(
  { configfile, qsConnection }: DoctorOptions,
  { env, cwd }: Pick<DoctorSurroundings, 'env' | 'cwd'>,
): Promise<{ loaded: LoadResult; valid: boolean }> {
  const file = configfile ?? env.FOOTMAN_CONFIGFILE
  const read = (skipVerification: boolean) =>
    loadConfig({
      ...(file ? { file } : {}),
      ...{ env, cwd, overrides: { qlikConnection: qsConnection !== false, skipVerification } },
    })
  const strict = await read(false)
  if (strict.config) return { loaded: strict, valid: true }
  return { loaded: { ...(await read(true)), problems: strict.problems }, valid: false }
}

function masked(examined: Examined, secrets: readonly string[]): Examined {
  const { text } = createLogMask(() => secrets)
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
  const { promise: late, resolve } = Promise.withResolvers<readonly Finding[]>()
  const timer = setTimeout(() => resolve([timeOver(probe, limit)]), limit)
  try {
    return await Promise.race([probe.run(context), late])
  } catch (error) {
    return [broken(probe, error)]
  } finally {
    clearTimeout(timer)
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
  message: `could not be examined: ${error instanceof Error ? error.message : String(error)}`,
  fix: 'this is an error in Footman: please report it with this line',
})
