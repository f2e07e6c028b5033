/** Mistakes that people make with Footman: `check` or `doctor` finds each of them and says what to do. */
import { describe, expect, test } from 'bun:test'
import { writeFileSync } from 'node:fs'
import { runBinary } from '../support/binary.ts'
import { CONFIG_MISTAKES } from '../support/planted/config.ts'
import { NINE_MISTAKES, type NineRow } from '../support/planted/nine.ts'
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

describe('the log of the start, check and doctor', () => {
  const COLUMNS = ['start', 'check', 'doctor'] as const
  for (const row of NINE_MISTAKES) {
    for (const column of COLUMNS) {
      const said = row[column]
      const name = `${row.name}: ${column}${typeof said === 'string' ? ` cannot see it, as ${said}` : ''}`
      test(name, async () => {
        const text = await output(row, column)
        if (typeof said === 'string') return expect(text).toMatch(/: valid, 0 errors, 0 warnings$/)
        for (const pattern of said) expect(text).toMatch(pattern)
        expect(text).not.toContain('EADDRINUSE')
      }, 90_000)
    }
  }

  /** All that the command prints, without its line breaks; of the start, until it has said the first text of the row. */
  async function output(row: NineRow, column: (typeof COLUMNS)[number]): Promise<string> {
    await using directory = tempDirectory()
    const steps: (() => unknown)[] = []
    try {
      const planted = await row.plant({ directory: directory.path, onEnd: (step) => void steps.push(step) })
      const text = typeof planted === 'string' ? planted : JSON.stringify({ Butler: planted }, null, 2)
      writeFileSync(directory.join('butler.yaml'), text, { mode: 0o600 })
      const command = column === 'start' ? 'run' : column
      await using running = runBinary([command, '-c', 'butler.yaml', ...(row.args ?? [])], {
        cwd: directory.path,
        env: NO_PROXY,
      })
      if (column === 'start') await Promise.race([running.waitForLine(row.start[0], 15_000), running.ended])
      else await running.ended
      return [...running.stdout, ...running.stderr].join(' ').replace(/\s+/g, ' ').trim()
    } finally {
      for (const step of steps.reverse()) await step()
    }
  }
})
