/** Runs targets one after the other, each in a process of its own that is killed when one input takes too long. */
import { readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import { tempDirectory } from '../support/temp.ts'
import type { InputReport } from './inputs.ts'

/** No input takes so long on any machine, also one that is busy: a valid one of the same length takes milliseconds. */
const FROZEN_MS = 60_000
const LOOK_MS = 1000
/** Characters of an input that are printed. */
const SHOWN = 400

/** How to end what has been started, when this process is ended. */
export type Ends = Set<() => unknown>

/** Prints the findings of each target; false when there is one, or when the times of a target were not compared. */
export async function fuzzTargets(
  names: readonly string[],
  seed: number,
  { seconds, ends }: { readonly seconds: number; readonly ends: Ends },
): Promise<boolean> {
  let isGood = true
  for (const name of names) {
    const report = await runTarget(name, seed, (seconds * 1000) / names.length, ends)
    const { inputs, compared } = report
    console.log(`${name}: ${inputs} inputs, the time of ${compared} compared, ${report.failures.length} findings`)
    if (compared === 0) {
      isGood = false
      console.log(`FAILED: ${name}: times not compared`)
    }
    for (const { problem, input, seed: at, path } of report.failures) {
      isGood = false
      console.log(`\nFAILED: ${name}, seed ${at}, ${path}, ${input.length} characters: ${problem}`)
      console.log(JSON.stringify(input.length > SHOWN ? `${input.slice(0, SHOWN)}...` : input))
    }
  }
  return isGood
}

async function runTarget(name: string, seed: number, milliseconds: number, ends: Ends): Promise<InputReport> {
  await using directory = tempDirectory()
  const file = directory.join('input')
  await Bun.write(file, '')
  const { mtimeMs: made } = statSync(file)
  const program = join(import.meta.dirname, 'inputs-process.ts')
  const child = Bun.spawn(
    [process.execPath, '--no-env-file', program, name, String(seed), String(milliseconds), file],
    {
      stdout: 'pipe',
      stderr: 'pipe',
    },
  )
  const end = () => {
    child.kill('SIGKILL')
    directory.remove()
  }
  ends.add(end)
  const watch = setInterval(() => {
    // The clock of the file: the child writes each input to it, the first one when it has started.
    const { mtimeMs } = statSync(file)
    if (mtimeMs !== made && Date.now() - mtimeMs > FROZEN_MS) child.kill('SIGKILL')
  }, LOOK_MS)
  const [out, errors] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()])
  clearInterval(watch)
  ends.delete(end)
  if ((await child.exited) === 0) return JSON.parse(out)
  const problem =
    child.signalCode === 'SIGKILL'
      ? `one input took more than ${FROZEN_MS / 1000} s`
      : `the process has ended: ${errors}`
  const [, number, input = ''] = /^(\d+)\n(.*)$/s.exec(readFileSync(file, 'utf8')) ?? []
  const path = number === undefined ? 'before the first input' : `input ${number}`
  return { inputs: Number(number ?? 0), compared: 0, failures: [{ target: name, problem, input, seed, path }] }
}
