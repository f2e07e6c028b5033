/** Signatures in the format of minisign: https://jedisct1.github.io/minisign/#signature-format. */
import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  randomBytes,
  sign,
  verify,
} from 'node:crypto'

/** The letters of a file that is signed as its BLAKE2b-512 hash; keys have `Ed`. */
const HASHED = Buffer.from('ED')
const KEY = Buffer.from('Ed')
const BLAKE2B = Buffer.from('B2')
const COMMENT = 'untrusted comment: '
const TRUSTED = 'trusted comment: '

export interface SigningKey {
  /** Eight bytes, by which a verifier finds the public key. */
  readonly id: Buffer
  /** The private key of Ed25519, 32 bytes. */
  readonly seed: Buffer
  /** 32 bytes. */
  readonly publicKey: Buffer
}

export function newKey(): SigningKey {
  const { privateKey } = generateKeyPairSync('ed25519')
  return keyOf(randomBytes(8), Buffer.from(privateKey.export({ format: 'jwk' }).d!, 'base64url'))
}

function keyOf(id: Buffer, seed: Buffer): SigningKey {
  const { x } = createPublicKey(privateKeyOf(seed)).export({ format: 'jwk' })
  return { id, seed, publicKey: Buffer.from(x!, 'base64url') }
}

/** RFC 8410: the 32 bytes of a private or public key behind the name of their algorithm. */
const privateKeyOf = (seed: Buffer) =>
  createPrivateKey({
    key: Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), seed]),
    format: 'der',
    type: 'pkcs8',
  })
const publicKeyOf = (bytes: Buffer) =>
  createPublicKey({
    key: Buffer.concat([Buffer.from('302a300506032b6570032100', 'hex'), bytes]),
    format: 'der',
    type: 'spki',
  })

/** The text that `minisign -P` takes. */
export const publicKeyText = ({ id, publicKey }: SigningKey): string =>
  Buffer.concat([KEY, id, publicKey]).toString('base64')

/** The file that `minisign -p` takes. */
export const publicKeyFile = (key: SigningKey): string =>
  `${COMMENT}minisign public key ${Buffer.from(key.id).reverse().toString('hex').toUpperCase()}\n${publicKeyText(key)}\n`

/** A file as `minisign -G -W` makes it, without a password; the place of the checksum is empty, as there. */
export function secretKeyFile({ id, seed, publicKey }: SigningKey): string {
  const bytes = Buffer.concat([KEY, Buffer.alloc(2), BLAKE2B, Buffer.alloc(48), id, seed, publicKey, Buffer.alloc(32)])
  return `${COMMENT}minisign unencrypted secret key\n${bytes.toString('base64')}\n`
}

/** Reads such a file. Throws with the way to make one, for what is none and for a key with a password. */
export function readSecretKey(text: string): SigningKey {
  const bytes = Buffer.from(text.trim().split(/\r?\n/).at(-1) ?? '', 'base64')
  const make = 'make one with "npm run release -- --new-key FILE" or "minisign -G -W"'
  if (bytes.length !== 158 || !bytes.subarray(0, 2).equals(KEY) || !bytes.subarray(4, 6).equals(BLAKE2B)) {
    throw new Error(`the release key is not a secret key of minisign; ${make}`)
  }
  if (bytes.readUInt16LE(2) !== 0) throw new Error(`the release key is protected by a password; ${make}`)
  const key = keyOf(bytes.subarray(54, 62), bytes.subarray(62, 94))
  if (!key.publicKey.equals(bytes.subarray(94, 126))) throw new Error(`the release key is damaged; ${make}`)
  return key
}

const hashOf = (content: Uint8Array): Buffer => createHash('blake2b512').update(content).digest()

/** The file `<name>.minisig`. `trusted` is one line of text that the signature covers. */
export function signature(content: Uint8Array, key: SigningKey, trusted: string): string {
  const privateKey = privateKeyOf(key.seed)
  const own = sign(null, hashOf(content), privateKey)
  const whole = sign(null, Buffer.concat([own, Buffer.from(trusted)]), privateKey)
  return [
    `${COMMENT}signature of a Footman release`,
    Buffer.concat([HASHED, key.id, own]).toString('base64'),
    TRUSTED + trusted,
    whole.toString('base64'),
    '',
  ].join('\n')
}

/** The trusted comment of a signature. Throws with the reason when it is not one of `content` by the public key. */
export function verified(content: Uint8Array, minisig: string, publicKey: string): string {
  const [, ownLine = '', trustedLine = '', wholeLine = ''] = minisig.split(/\r?\n/)
  const [own, whole, key] = [ownLine, wholeLine, publicKey].map((line) => Buffer.from(line, 'base64')) as [
    Buffer,
    Buffer,
    Buffer,
  ]
  if (key.length !== 42 || !key.subarray(0, 2).equals(KEY)) throw new Error('not a public key of minisign')
  if (own.length !== 74 || !own.subarray(0, 2).equals(HASHED) || !trustedLine.startsWith(TRUSTED)) {
    throw new Error('not a signature of minisign over a hash')
  }
  if (!own.subarray(2, 10).equals(key.subarray(2, 10))) throw new Error('signed with another key')
  const signer = publicKeyOf(key.subarray(10))
  if (!verify(null, hashOf(content), signer, own.subarray(10))) throw new Error('the content was changed')
  const trusted = trustedLine.slice(TRUSTED.length)
  if (!verify(null, Buffer.concat([own.subarray(10), Buffer.from(trusted)]), signer, whole)) {
    throw new Error('the trusted comment was changed')
  }
  return trusted
}
