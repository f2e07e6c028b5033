/**
 * The process that runs one target: `TARGET SEED MILLISECONDS FILE`. It writes each input to the file before it runs it, below
 * its number, so that an input that never ends is known. Prints the report as JSON.
 */
import { ftruncateSync, openSync, writeSync } from 'node:fs'
import process from 'node:process'
import { fuzzInputs } from './inputs.ts'
import { TARGETS } from './targets.ts'

const [, , name, seed, milliseconds, file = ''] = process.argv
const target = TARGETS.find((one) => one.name === name)
if (!target) throw new Error(`there is no target ${name}`)
const current = openSync(file, 'w')
const report = await fuzzInputs(target, {
  seed: Number(seed),
  milliseconds: Number(milliseconds),
  onInput(input, number) {
    ftruncateSync(current)
    writeSync(current, `${number}\n${input}`, 0)
  },
})
console.log(JSON.stringify(report))
