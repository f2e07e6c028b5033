/** Mistakes that people make with Footman: `check` or `doctor` finds each of them and says what to do. */
import { describe, expect, test } from 'bun:test'
import { writeFileSync } from 'node:fs'
import { runBinary } from '../support/binary.ts'
import { CONFIG_MISTAKES } from '../support/planted/config.ts'
import { PEER_MISTAKES } from '../support/planted/peers.ts'
import { SITE_MISTAKES } from '../support/planted/site.ts'
import type { PlantedMistake } from '../support/planted/types.ts'
import { tempDirectory } from '../support/temp.ts'

/** Sinks are never behind a proxy. */
const NO_PROXY = { NO_PROXY: '127.0.0.1,localhost', no_proxy: '127.0.0.1,localhost' }

interface Found {
  readonly message: string
  readonly fix: string
}

/** Plants the mistake, runs the command, and takes the mistake away. */
async function look(mistake: PlantedMistake): Promise<{ code: number | null; found: readonly Found[] }> {
  const { command, args = [], env, plant } = mistake
  await using directory = tempDirectory()
  const steps: (() => unknown)[] = []
  try {
    const planted = await plant({ directory: directory.path, onEnd: (step) => void steps.push(step) })
    const text = typeof planted === 'string' ? planted : JSON.stringify({ Butler: planted }, null, 2)
    writeFileSync(directory.join('butler.yaml'), text, { mode: 0o600 })
    const running = runBinary([command, '-c', 'butler.yaml', '--json', ...args], {
      cwd: directory.path,
      env: { ...NO_PROXY, ...env },
    })
    const { code } = await running.ended
    return { code, found: foundIn(running.stdout.join('\n')) }
  } finally {
    for (const step of steps.reverse()) await step()
  }
}

/** Of `check` the problems, of `doctor` the findings that are not in order. */
function foundIn(text: string): readonly Found[] {
  const { problems = [], findings = [] } = JSON.parse(text) as {
    problems?: { path: string; message: string; hint?: string }[]
    findings?: { level: string; message: string; fix?: string }[]
  }
  return [
    ...problems.map(({ path, message, hint = '' }) => ({ message: `${path}: ${message}`, fix: hint })),
    ...findings.filter(({ level }) => level !== 'ok').map(({ message, fix = '' }) => ({ message, fix })),
  ]
}

for (const [title, rows] of [
  ['in the file', CONFIG_MISTAKES],
  ['on this machine and in other servers', PEER_MISTAKES],
  ['in Qlik Sense and on the way from there', SITE_MISTAKES],
] as const) {
  describe(`a mistake ${title}`, () => {
    for (const row of rows) {
      test.if(row.possible !== false)(row.name, async () => {
        const { code, found } = await look(row)
        expect(found.map(({ message }) => message).join('\n')).toMatch(row.expect.message)
        const told = found.filter(({ message }) => row.expect.message.test(message))
        // Where nothing else is to be said, what is wrong tells what to do.
        expect(told.map(({ message, fix }) => fix || message).join('\n')).toMatch(row.expect.fix)
        // Told once, not again by each part of the program.
        expect(told.length).toBe(1)
        expect(code).toBe(row.expect.code)
      })
    }
  })
}
