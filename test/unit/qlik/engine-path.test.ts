import { expect, test } from 'bun:test'
import { enginePath } from '../../../src/qlik/engine/client.ts'
import type { EngineAddress } from '../../../src/qlik/engine/types.ts'

const cases: readonly [address: EngineAddress, path: string][] = [
  [{ app: null }, '/'],
  [{}, '/app/engineData'],
  [{ identity: 'one' }, '/app/engineData/identity/one'],
  [{ app: 'a1000000-0000-4000-8000-000000000002' }, '/app/a1000000-0000-4000-8000-000000000002'],
  [{ app: 'a b/c', identity: 'd/e' }, '/app/a%20b%2Fc/identity/d%2Fe'],
]
for (const [address, path] of cases) {
  test(`${JSON.stringify(address)} is ${path}`, () => {
    expect(enginePath(address)).toBe(path)
  })
}
