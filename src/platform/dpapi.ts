/**
 * The data protection of Windows (DPAPI): CryptProtectData and CryptUnprotectData of crypt32.dll, called by Bun directly
 * and by other runtimes through PowerShell.
 */
import { spawn } from 'node:child_process'
import process from 'node:process'
import { systemProgram } from './command.ts'

export interface DataProtection {
  /** Both reject when Windows refuses. `entropy` must be the same for both. */
  protect(plain: Uint8Array, entropy: Uint8Array): Promise<Uint8Array>
  unprotect(sealed: Uint8Array, entropy: Uint8Array): Promise<Uint8Array>
}

/** Null on systems other than Windows. */
export function createDataProtection(platform: NodeJS.Platform = process.platform): DataProtection | null {
  if (platform !== 'win32') return null
  return process.versions.bun === undefined ? throughPowerShell() : throughLibrary()
}

const UI_FORBIDDEN = 0x1
const LOCAL_MACHINE = 0x4
const SEAL = UI_FORBIDDEN | LOCAL_MACHINE
const REFUSED = 'Windows cannot read the protected value: it belongs to another computer, or the file is damaged'

function throughLibrary(): DataProtection {
  async function call(name: 'CryptProtectData' | 'CryptUnprotectData', data: Uint8Array, entropy: Uint8Array) {
    const { dlopen, ptr, toArrayBuffer } = await import('bun:ffi')
    const signature = { args: ['ptr', 'ptr', 'ptr', 'ptr', 'ptr', 'u32', 'ptr'], returns: 'i32' } as const
    const crypt = dlopen('crypt32.dll', { CryptProtectData: signature, CryptUnprotectData: signature })
    const kernel = dlopen('kernel32.dll', { LocalFree: { args: ['u64'], returns: 'u64' } })
    /** `DATA_BLOB`: a length, padded to eight bytes, and a pointer. */
    const blob = (bytes: Uint8Array) => BigUint64Array.of(BigInt(bytes.length), BigInt(ptr(bytes)))
    const [input, salt, output] = [blob(data), blob(entropy), new BigUint64Array(2)]
    const flags = name === 'CryptProtectData' ? SEAL : UI_FORBIDDEN
    const done = crypt.symbols[name](ptr(input), null, ptr(salt), null, null, flags, ptr(output))
    if (done === 0) return null
    const address = Number(output[1]) as Parameters<typeof toArrayBuffer>[0]
    const memory = new Uint8Array(toArrayBuffer(address, 0, Number(output[0]! & 0xffff_ffffn)))
    const copy = memory.slice()
    memory.fill(0)
    kernel.symbols.LocalFree(output[1]!)
    return copy
  }

  return {
    async protect(plain, entropy) {
      const sealed = await call('CryptProtectData', plain, entropy)
      if (!sealed) throw new Error('Windows cannot protect the value (CryptProtectData failed)')
      return sealed
    },
    async unprotect(sealed, entropy) {
      const plain = sealed.length === 0 ? null : await call('CryptUnprotectData', sealed, entropy)
      if (!plain) throw new Error(REFUSED)
      return plain
    },
  }
}

const POWERSHELL_TIMEOUT_MS = 30_000

/** Data and entropy go through standard input, as Base64, one a line: the arguments of a process can be seen by others. */
const SCRIPT = (method: string) =>
  [
    '$ErrorActionPreference="Stop"',
    'Add-Type -AssemblyName System.Security',
    '$d=[Convert]::FromBase64String([Console]::In.ReadLine())',
    '$e=[Convert]::FromBase64String([Console]::In.ReadLine())',
    `$r=[Security.Cryptography.ProtectedData]::${method}($d,$e,"LocalMachine")`,
    '[Console]::Out.Write([Convert]::ToBase64String($r))',
  ].join(';')

function throughPowerShell(): DataProtection {
  const base64 = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64')

  async function call(method: 'Protect' | 'Unprotect', data: Uint8Array, entropy: Uint8Array): Promise<Uint8Array> {
    const args = ['-NoLogo', '-NoProfile', '-NonInteractive', '-Command', SCRIPT(method)]
    const answer = await withInput('powershell.exe', args, `${base64(data)}\n${base64(entropy)}\n`)
    return new Uint8Array(Buffer.from(answer.trim(), 'base64'))
  }

  return {
    protect: (plain, entropy) => call('Protect', plain, entropy),
    unprotect: (sealed, entropy) =>
      call('Unprotect', sealed, entropy).catch((cause: unknown) => {
        throw new Error(REFUSED, { cause })
      }),
  }
}

/** The standard output of the program; rejects unless it exits with 0. */
function withInput(command: string, args: readonly string[], input: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(systemProgram(command), args, { windowsHide: true, timeout: POWERSHELL_TIMEOUT_MS })
    const output: string[] = []
    child.stdout.setEncoding('utf8').on('data', (text: string) => output.push(text))
    child.stderr.resume()
    child.stdin.on('error', () => {})
    child.on('error', (error) => reject(new Error(`${command} cannot be started: ${error.message}`)))
    child.on('close', (code) => {
      if (code === 0) resolve(output.join(''))
      else reject(new Error(`${command} ended with ${code}`))
    })
    child.stdin.end(input)
  })
}
