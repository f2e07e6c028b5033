/** The process that has a port of this machine. */
import { execFile } from 'node:child_process'
import { readdir, readFile, readlink } from 'node:fs/promises'
import { isIP } from 'node:net'
import { promisify } from 'node:util'
import { plainAddress } from './addresses.ts'

export type PortProtocol = 'tcp' | 'udp'

export interface PortOwner {
  /** Number of the process; null when this account may not see it. */
  readonly process: number | null
  /** Name of the program; '' when this account may not see it. */
  readonly name: string
}

const run = promisify(execFile)
const PATIENCE_MS = 5000

/** A port on some addresses of this machine. */
interface OwnPort {
  readonly port: number
  readonly addresses: readonly string[]
}

/** `footman (process 4711)`. */
export const ownerText = (owner: PortOwner | null): string =>
  owner?.process ? `${owner.name || 'a program'} (process ${owner.process})` : 'another program'

/** Null when no other process blocks the port, or the system does not report it. */
export async function portOwner(protocol: PortProtocol, place: OwnPort): Promise<PortOwner | null> {
  try {
    if (process.platform === 'linux') {
      const owner = await onLinux(protocol, place)
      // Without a process it may have been closed since, as the socket of the look at messages is: then it is gone now.
      return owner?.process === null ? await onLinux(protocol, place) : owner
    }
    if (process.platform === 'win32') return await onWindows(protocol, place)
    return null
  } catch {
    return null
  }
}

async function onLinux(protocol: PortProtocol, place: OwnPort): Promise<PortOwner | null> {
  const tables = await Promise.all(
    ['', '6'].map((version) => readFile(`/proc/net/${protocol}${version}`, 'utf8').catch(() => '')),
  )
  const inodes = tables.flatMap((table) => socketsOn(table, protocol, place))
  if (inodes.length === 0) return null
  const wanted = new Set(inodes.map((inode) => `socket:[${inode}]`))
  for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
    if (!(await holdsOne(pid, wanted))) continue
    const name = await readFile(`/proc/${pid}/comm`, 'utf8').catch(() => '')
    return { process: Number(pid), name: name.trim() }
  }
  return { process: null, name: '' }
}

async function holdsOne(pid: string, wanted: ReadonlySet<string>): Promise<boolean> {
  const files = await readdir(`/proc/${pid}/fd`).catch(() => [])
  const links = await Promise.all(files.map((file) => readlink(`/proc/${pid}/fd/${file}`).catch(() => '')))
  return links.some((link) => wanted.has(link))
}

const LISTENING = '0A'

/** The inodes of a table of `/proc/net`: of TCP those that listen. */
export function socketsOn(table: string, protocol: PortProtocol, place: OwnPort): readonly string[] {
  const hex = place.port.toString(16).toUpperCase().padStart(4, '0')
  return table
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter(
      ([, local = '', , state]) =>
        local.endsWith(`:${hex}`) &&
        (protocol === 'udp' || state === LISTENING) &&
        isInTheWay(addressOf(local.slice(0, -hex.length - 1)), place),
    )
    .map((columns) => columns[9] ?? '')
}

async function onWindows(protocol: PortProtocol, place: OwnPort): Promise<PortOwner | null> {
  const { stdout } = await run('netstat', ['-ano', '-p', protocol], { timeout: PATIENCE_MS, windowsHide: true })
  const pid = processOn(stdout, protocol, place)
  if (pid === null) return null
  const list = await run('tasklist', ['/FI', `PID eq ${pid}`, '/FO', 'CSV', '/NH'], {
    timeout: PATIENCE_MS,
    windowsHide: true,
  }).catch(() => ({ stdout: '' }))
  return { process: pid, name: /^"([^"]+)"/.exec(list.stdout.trim())?.[1] ?? '' }
}

/** From the list of `netstat -ano`, whose words are in the language of Windows: a listening socket has no peer. */
export function processOn(list: string, protocol: PortProtocol, place: OwnPort): number | null {
  const line = list
    .split(/\r?\n/)
    .map((text) => text.trim().split(/\s+/))
    .find(
      ([kind = '', local = '', peer = '']) =>
        kind.toLowerCase() === protocol &&
        local.endsWith(`:${place.port}`) &&
        isInTheWay(local.slice(0, local.lastIndexOf(':')).replace(/^\[(.*?)(%.*)?\]$/, '$1'), place) &&
        /^(\*:\*|.*:0)$/.test(peer),
    )
  const pid = Number(line?.at(-1))
  return Number.isInteger(pid) && pid > 0 ? pid : null
}

const ALL = ['0.0.0.0', '::']

/** True when the listener has an address in common; the same port on another address is free. */
function isInTheWay(address: string, { addresses }: OwnPort): boolean {
  if (ALL.includes(address) || addresses.some((own) => ALL.includes(own))) return true
  return addresses.some((own) => canonical(own) === canonical(address))
}

const canonical = (address: string): string =>
  isIP(address) === 6 ? plainAddress(new URL(`http://[${address}]`).hostname.slice(1, -1)) : address

/** `0100007F` is 127.0.0.1: words of four bytes, the last byte first. */
function addressOf(hex: string): string {
  const bytes = (hex.match(/.{8}/g) ?? []).flatMap((word) => (word.match(/../g) ?? []).reverse())
  const isFour = bytes.length === 4 || bytes.slice(0, 12).join('') === `${'0'.repeat(20)}FFFF`
  if (isFour)
    return bytes
      .slice(-4)
      .map((byte) => Number.parseInt(byte, 16))
      .join('.')
  const groups = bytes.join('').match(/.{4}/g) ?? []
  return new URL(`http://[${groups.join(':')}]`).hostname.slice(1, -1)
}
