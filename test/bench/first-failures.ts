import { measureMassFailures } from '../support/mass-failure.ts'
import type { Measurement } from './report.ts'

const COUNT = 10_000

/** Failures of tasks that Footman has never met, beside as many of tasks that it knows. `directory` is an empty folder. */
export async function measureFirstFailures(directory: string): Promise<Measurement[]> {
  const { known, unknown } = await measureMassFailures(directory, COUNT)
  const name = `first failures of ${COUNT} tasks`
  return [
    { name: `${name}: lost`, value: COUNT - unknown.alerts, unit: 'alerts', atMost: 0 },
    { name: `${name}: request for them to last delivery`, value: unknown.ms / 1000, unit: 's' },
    { name: `${name}: times as long as those of known tasks`, value: unknown.ms / known.ms, unit: 'x', atMost: 1.3 },
    { name: `${name}: requests to the repository`, value: unknown.requests, unit: '', atMost: 600 },
  ]
}
