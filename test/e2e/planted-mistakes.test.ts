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
  readonly code: string
  readonly key: string
  readonly message: string
  readonly fix: string
}

/** Plants the mistake, runs the command, and takes the mistake away. */
async function look({ command, plant }: PlantedMistake): Promise<{ exit: number | null; found: readonly Found[] }> {
  await using directory = tempDirectory()
  const { config, args = [], lift } = await plant(directory)
  try {
    const text = typeof config === 'string' ? config : JSON.stringify({ Butler: config }, null, 2)
    writeFileSync(directory.join('butler.yaml'), text, { mode: 0o600 })
    const running = runBinary([command, '-c', 'butler.yaml', '--json', ...args], { cwd: directory.path, env: NO_PROXY })
    const { code } = await running.ended
    return { exit: code, found: foundIn(running.stdout.join('\n')) }
  } finally {
    await lift?.()
  }
}

/** Of `check` the problems, of `doctor` the findings that are not in order. */
function foundIn(text: string): readonly Found[] {
  const { problems = [], findings = [] } = JSON.parse(text) as {
    problems?: { path: string; message: string; hint?: string }[]
    findings?: { level: string; code: string; key?: string; message: string; fix?: string }[]
  }
  const told = problems.map(({ path, message, hint = '' }) => ({
    ...{ code: '', key: path.replace(/^Butler\./, ''), fix: hint },
    message: `${path}: ${message}`,
  }))
  const wrong = findings.filter(({ level }) => level !== 'ok')
  return [...told, ...wrong.map(({ code, key = '', message, fix = '' }) => ({ code, key, message, fix }))]
}

for (const [title, rows] of [
  ['in the file', CONFIG_MISTAKES],
  ['on this machine and in other servers', PEER_MISTAKES],
  ['in Qlik Sense and on the way from there', SITE_MISTAKES],
] as const) {
  describe(`a mistake ${title}`, () => {
    for (const row of rows) {
      test.if(row.possible !== false)(row.name, async () => {
        const { exit, found } = await look(row)
        expect(found.map(({ message }) => message).join('\n')).toMatch(row.expect.message)
        const told = found.filter(({ message }) => row.expect.message.test(message))
        expect(told.map(({ message, fix }) => `${message} ${fix}`).join('\n')).toMatch(row.expect.fix)
        // Told once, not again by each part of the program.
        expect(told.length).toBe(1)
        if (row.expect.code !== undefined) expect(told[0]!.code).toBe(row.expect.code)
        if (row.expect.key !== undefined) expect(told[0]!.key).toEndWith(row.expect.key)
        expect(exit).toBe(row.expect.exit)
      })
    }
  })
}
