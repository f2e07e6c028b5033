import { existsSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { executableName, hostTarget, TARGETS } from '../../scripts/build/targets.ts'
import { footmanBinary } from '../support/binary.ts'
import type { Measurement } from './report.ts'

const dist = join(import.meta.dirname, '..', '..', 'dist')
const megabytes = (file: string): number => statSync(file).size / 1e6

/** Megabytes, where most installations are. */
const MOST_MB = 128
const LIMITED = ['linux-x64', 'windows-x64']
const limit = (name: string) => (LIMITED.includes(name) ? { atMost: MOST_MB } : {})

/** The executable under test, and those of other platforms that `npm run build -- --all` has left in dist/. */
export function measureSize(): Measurement[] {
  const others = TARGETS.filter(({ name }) => name !== hostTarget())
    .map((target) => ({ target, file: join(dist, executableName(target)) }))
    .filter(({ file }) => existsSync(file))
  return [
    {
      name: 'size of the executable',
      value: megabytes(footmanBinary()),
      unit: 'MB',
      ...limit(hostTarget()),
      note: hostTarget(),
    },
    ...others.map(({ target, file }) => ({
      name: 'size of the executable',
      value: megabytes(file),
      unit: 'MB',
      ...limit(target.name),
      note: `${target.name}, built ${statSync(file).mtime.toISOString().slice(0, 10)}`,
    })),
  ]
}
