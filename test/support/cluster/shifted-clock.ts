/** A process whose clocks are wrong, on Linux with glibc and a C compiler. */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, renameSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import { program } from '../servers.ts'
import { repositoryRoot } from '../source.ts'

const SOURCE = join(import.meta.dirname, 'shifted-clock.c')

/**
 * Additions to the environment of a process whose wall clock is to be ahead by so many seconds, and whose monotonic clock
 * stands still while the file exists.
 */
export function shiftedClock(seconds: number, standstillFile?: string): Readonly<Record<string, string>> {
  if (seconds === 0 && standstillFile === undefined) return {}
  return {
    LD_PRELOAD: library(),
    CLOCK_SHIFT_SECONDS: String(seconds),
    ...(standstillFile !== undefined && { CLOCK_STANDSTILL_FILE: standstillFile }),
  }
}

function library(): string {
  const results = join(repositoryRoot, 'test-results')
  const file = join(results, `shifted-clock-${Bun.hash(readFileSync(SOURCE)).toString(16)}.so`)
  if (existsSync(file)) return file
  mkdirSync(results, { recursive: true })
  const made = `${file}.${process.pid}`
  const result = spawnSync(program('gcc'), ['-shared', '-fPIC', '-O1', '-o', made, SOURCE, '-ldl'], {
    encoding: 'utf8',
  })
  if (result.status !== 0) throw new Error(`gcc failed: ${result.stderr}`)
  renameSync(made, file)
  return file
}
