/**
 * Self-tests of the UDP input: `footman doctor` sends a datagram with a token that the running Footman has just handed
 * out. Any other datagram of this form is a message of an unknown type.
 */
import { randomBytes } from 'node:crypto'
import type { Clock } from '../../platform/types.ts'

const TYPE = '/footman-self-test/'
const LENGTH = TYPE.length + 1 + 32

/** `token` is 32 hexadecimal digits. */
export const selfTestDatagram = (token: string): string => `${TYPE};${token}`

/** The token of a self-test; null for any other datagram. Cheap: it runs for every datagram while a test is under way. */
export function selfTestToken(raw: Uint8Array): string | null {
  if (raw.byteLength !== LENGTH || raw[1] !== TYPE.charCodeAt(1)) return null
  const text = new TextDecoder().decode(raw)
  return text.startsWith(`${TYPE};`) && /^[0-9a-f]{32}$/.test(text.slice(-32)) ? text.slice(-32) : null
}

// The tokens that were handed out, and which of them have arrived.

export interface SelfTest {
  readonly token: string
  /** Milliseconds since 1970; a datagram that arrives later is an ordinary one. */
  readonly expiresAt: number
  /** Null until the datagram has arrived. */
  readonly arrived: { readonly sender: string; readonly at: number } | null
}

export interface SelfTests {
  /** Hands out a token, once the input awaits it. The oldest of too many is forgotten. */
  begin(): Promise<SelfTest>
  /** Null for a token that was not handed out, or is forgotten. */
  find(token: string): SelfTest | null
  arrived(token: string, sender: string): void
}

const VALID_MS = 60_000
const KEPT = 20

/** `expect` gets the tokens that are awaited whenever they change, and resolves when the input knows them. */
export function createSelfTests(deps: {
  readonly clock: Clock
  readonly expect: (tokens: readonly string[]) => Promise<void>
}): SelfTests {
  const { clock } = deps
  const tests = new Map<string, SelfTest>()

  function awaited(): string[] {
    const now = clock.now()
    return [...tests.values()].filter((test) => !test.arrived && test.expiresAt > now).map(({ token }) => token)
  }

  return {
    async begin() {
      const test = { token: randomBytes(16).toString('hex'), expiresAt: clock.now() + VALID_MS, arrived: null }
      tests.set(test.token, test)
      const oldest = tests.size > KEPT ? tests.keys().next().value : undefined
      if (oldest !== undefined) tests.delete(oldest)
      // A datagram is faster than a message to another thread.
      await deps.expect(awaited())
      return test
    },
    find: (token) => tests.get(token) ?? null,
    arrived(token, sender) {
      const test = tests.get(token)
      if (!test || test.arrived || test.expiresAt <= clock.now()) return
      tests.set(token, { ...test, arrived: { sender, at: clock.now() } })
      void deps.expect(awaited())
    },
  }
}
