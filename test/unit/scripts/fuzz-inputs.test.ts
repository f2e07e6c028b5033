/** The fuzzers of inputs: what they find in readers with known mistakes, and a few inputs for each real one. */
import { describe, expect, test } from 'bun:test'
import { fuzzInputs } from '../../fuzz/inputs.ts'
import { growing } from '../../fuzz/mutations.ts'
import { superlinear, type Target } from '../../fuzz/oracles.ts'
import { TARGETS } from '../../fuzz/targets.ts'

const target = (run: Target['run'], declares: Target['declares'] = () => false): Target => ({
  name: 'x',
  seeds: ['{"a": 1}', '[1, 2]'],
  tokens: ['{', '"'],
  most: 65_536,
  run,
  declares,
})
const FEW = { seed: 5, inputs: 150, times: false }

describe('errors', () => {
  test('one that is not declared is found, with the smallest input that leads to it', async () => {
    const { failures } = await fuzzInputs(
      target((text) => JSON.parse(text)),
      FEW,
    )
    expect(failures).toHaveLength(1)
    expect(failures[0]?.problem).toStartWith('SyntaxError')
    expect(failures[0]!.input.length).toBeLessThan(12)
  })

  test('the same seed finds the same input, and another one its own', async () => {
    const inputsOf = async (seed: number) => {
      const all: string[] = []
      await fuzzInputs(
        target(() => undefined),
        { ...FEW, seed, onInput: (input) => void all.push(input) },
      )
      return all
    }
    const [first, again, other] = [await inputsOf(5), await inputsOf(5), await inputsOf(6)]
    expect(first).toHaveLength(150)
    expect(again).toEqual(first)
    expect(other).not.toEqual(first)
  })

  test('declared ones are none', async () => {
    const { inputs, failures } = await fuzzInputs(
      target(
        (text) => JSON.parse(text),
        (error) => error instanceof SyntaxError,
      ),
      FEW,
    )
    expect([inputs, failures]).toEqual([150, []])
  })
})

test('times are compared also when all time went into the errors', async () => {
  const { compared } = await fuzzInputs(
    target(() => undefined),
    { seed: 5, milliseconds: 0 },
  )
  expect(compared).toBeGreaterThan(0)
})

describe('time in proportion to the length, by an invented clock', () => {
  const bad = growing('x!!y', [1, 2])
  const good = growing('abc', [0, 1])
  test.each([
    ['linear', 1, 1, null],
    ['linear, and slow', 1, 30, null],
    ['as the square', 2, 1, 2],
    ['as the third power', 3, 1, 3],
  ])('%s', async (_, power, factor, expected) => {
    const time = async (text: string) => {
      const unit = text.length / 65_536
      return text.includes('!') ? 100 * factor * unit ** power : unit
    }
    const found = await superlinear(time, bad, [good])
    expect(found && Math.round(found.power)).toBe(expected)
  })

  test('an input that is as slow as a valid one is no finding', async () => {
    expect(await superlinear(async (text) => 100 * (text.length / 65_536) ** 2, bad, [good])).toBeNull()
  })

  test('one slow run among quick ones is no finding', async () => {
    let runs = 0
    expect(await superlinear(async () => (runs++ === 0 ? 500 : 0.1), bad, [good])).toBeNull()
  })
})

test.each(TARGETS.map((one) => [one.name, one] as const))(
  '%s: valid and changed inputs end in no other error than the declared ones',
  async (_, real) => {
    for (const seed of real.seeds) await real.run(seed)
    const inputs = real.name.startsWith('office') ? 12 : 150
    const { failures } = await fuzzInputs(real, { seed: 11, inputs, times: false })
    expect(failures).toEqual([])
  },
  60_000,
)
