import { type MassFailure, measureMassFailures } from '../support/mass-failure.ts'
import type { Measurement } from './report.ts'

const COUNT = 10_000

/** Failures of tasks that Footman has never met, beside as many of tasks that it knows. `directory` is an empty folder. */
export async function measureFirstFailures(directory: string): Promise<Measurement[]> {
  const { first, known, unknown } = await measureMassFailures(directory, COUNT)
  const rows = (name: string, { alerts, ms, requests }: MassFailure): Measurement[] => [
    { name: `${name}: lost`, value: COUNT - alerts, unit: 'alerts', atMost: 0 },
    { name: `${name}: request for them to last delivery`, value: ms / 1000, unit: 's' },
    { name: `${name}: times as long as those of known tasks`, value: ms / known.ms, unit: 'x', atMost: 1.3 },
    { name: `${name}: requests to the repository`, value: requests, unit: '', atMost: 600 },
  ]
  return [
    ...rows(`failures of ${COUNT} tasks right after the first start`, first),
    ...rows(`first failures of ${COUNT} tasks`, unknown),
  ]
}
