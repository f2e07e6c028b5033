import { describe, expect, test } from 'bun:test'
import {
  newKey,
  publicKeyFile,
  publicKeyText,
  readSecretKey,
  secretKeyFile,
  signature,
  verified,
} from '../../../scripts/release/minisign.ts'

/** A pair and a signature that minisign 0.11 made. */
const THEIRS = {
  secret: `untrusted comment: minisign encrypted secret key
RWQAAEIyAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAfUjl/1d0pMyVgzlD3QhTI2Dk7cp4veKn3o+LHPGxioq/5mcNxPYSsU9NN4+dvgvz6M5plLmQmqEqzksCQOE+mOzJbVrpAVQYAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=
`,
  publicFile: `untrusted comment: minisign public key CCA47457FFE5487D
RWR9SOX/V3SkzE9NN4+dvgvz6M5plLmQmqEqzksCQOE+mOzJbVrpAVQY
`,
  publicKey: 'RWR9SOX/V3SkzE9NN4+dvgvz6M5plLmQmqEqzksCQOE+mOzJbVrpAVQY',
  signature: `untrusted comment: signature from minisign secret key
RUR9SOX/V3SkzDaYtQGu2oLKL0sVzoGxcoMy74oELCntDlSvkReBrCnWnrJklty6Rrv+myesduCvuyW9F1ucGD6fwrlNa6wfzw8=
trusted comment: timestamp:1 file:SHA256SUMS
FEp/tVBuDCE0hklXUYl0LUkVQhCtAfrXyauoCZWZOP5b/WbF3FWFtRAMzqmok5mUdlU+KQz49c7AX2Qn92KrAw==
`,
}
const CONTENT = Buffer.from('abc  d\n')
const TRUSTED = 'timestamp:1 file:SHA256SUMS'

describe('a signature', () => {
  test('is the one that minisign makes with the same key', () => {
    const key = readSecretKey(THEIRS.secret)
    const linesOf = (text: string) => text.split('\n').slice(1)
    expect(linesOf(signature(CONTENT, key, TRUSTED))).toEqual(linesOf(THEIRS.signature))
    expect([publicKeyText(key), publicKeyFile(key)]).toEqual([THEIRS.publicKey, THEIRS.publicFile])
    expect(verified(CONTENT, THEIRS.signature, THEIRS.publicKey)).toBe(TRUSTED)
  })

  test('by a new key is verified by its public key, also when the key was in a file', () => {
    const key = readSecretKey(secretKeyFile(newKey()))
    expect(verified(CONTENT, signature(CONTENT, key, 'a'), publicKeyText(key))).toBe('a')
  })

  const key = newKey()
  const ours = signature(CONTENT, key, 'a')
  const withoutHash = ours.replace(/^RU/m, 'RW')
  test.each([
    ['other content', Buffer.from('abc  e\n'), ours, publicKeyText(key), 'the content was changed'],
    ['another key', CONTENT, ours, publicKeyText(newKey()), 'signed with another key'],
    [
      'another key with the same id',
      CONTENT,
      ours,
      publicKeyText({ ...newKey(), id: key.id }),
      'the content was changed',
    ],
    ['another comment', CONTENT, ours.replace(': a\n', ': b\n'), publicKeyText(key), 'the trusted comment was changed'],
    ['a signature without hash', CONTENT, withoutHash, publicKeyText(key), 'not a signature of minisign over a hash'],
    ['no signature', CONTENT, '', publicKeyText(key), 'not a signature of minisign over a hash'],
    ['no key', CONTENT, ours, 'abc', 'not a public key of minisign'],
  ])('with %s is refused', (_, content, minisig, publicKey, reason) => {
    expect(() => verified(content, minisig, publicKey)).toThrow(reason)
  })
})

describe('a secret key', () => {
  const bytes = Buffer.from(THEIRS.secret.split('\n')[1]!, 'base64')
  const changed = (at: number, value: number) => {
    const copy = Buffer.from(bytes)
    copy[at] = value
    return copy.toString('base64')
  }
  test.each([
    ['with a password', changed(2, 0x53), 'protected by a password'],
    ['with another public half', changed(100, bytes[100]! ^ 1), 'damaged'],
    ['of another kind', changed(0, 0x46), 'not a secret key of minisign'],
    ['that is a public key', THEIRS.publicFile, 'not a secret key of minisign'],
    ['that is a path without a file', '/nowhere/release.key', 'not a secret key of minisign'],
    ['that is empty', '', 'not a secret key of minisign'],
  ])('%s is refused with the way to make one', (_, text, reason) => {
    expect(() => readSecretKey(text)).toThrow(reason)
    expect(() => readSecretKey(text)).toThrow('--new-key')
  })
})
