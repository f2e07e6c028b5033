/** Runs probes side by side; none of them can hold up the report. */
import type { DoctorContext, Examined, Finding, Probe } from './types.ts'

/** A probe is a handful of steps, each with the time of one connection. */
const STEPS = 4

/** The findings of each probe, in the order of the probes. */
export async function runProbes(probes: readonly Probe[], context: DoctorContext): Promise<readonly Examined[]> {
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
