/**
 * Windows services, local and remote, read with `sc.exe`; with PowerShell where `sc.exe` cannot be started. One command
 * reads the states of all services of a host.
 */
import { CommandError, type RunCommand } from '../../platform/command.ts'
import {
  SERVICE_STATUSES,
  type ServiceAnswer,
  type ServiceInfo,
  type ServiceReader,
  type ServiceStatus,
  type StartType,
  statusOfNumber,
} from './types.ts'

export interface WindowsReaderDeps {
  readonly run: RunCommand
  /** `C:\Windows`: only programs from there are run, not those of the working directory. Absent = as PATH says. */
  readonly systemRoot?: string | undefined
}

const TIMEOUT_MS = 30_000
const NO_SUCH_SERVICE = 1060
/** The largest that Windows takes; a shorter list ends early without being an error. */
const LIST_BYTES = '262144'
const LONGEST_NAME = 256

const PROGRAMS: Readonly<Record<string, string>> = {
  'sc.exe': '\\System32\\sc.exe',
  'powershell.exe': '\\System32\\WindowsPowerShell\\v1.0\\powershell.exe',
}

export function createWindowsReader({ run: start, systemRoot }: WindowsReaderDeps): ServiceReader {
  const run: RunCommand = (program, args, options) =>
    start(systemRoot ? `${systemRoot}${PROGRAMS[program]}` : program, args, options)
  const withSc = scReader(run)
  const withPowerShell = powerShellReader(run)
  let usePowerShell = false

  async function ask<T>(question: (reader: ServiceReader) => Promise<T>): Promise<T> {
    if (usePowerShell) return question(withPowerShell)
    try {
      return await question(withSc)
    } catch (error) {
      if (!(error instanceof CommandError) || error.kind !== 'notFound') throw error
      usePowerShell = true
      return question(withPowerShell)
    }
  }

  return {
    refusal: () => null,
    states: (host, names, signal) => ask((reader) => reader.states(host, names, signal)),
    info: (host, name, signal) => ask((reader) => reader.info(host, name, signal)),
  }
}

function scReader(run: RunCommand): ServiceReader {
  async function sc(host: string, args: readonly string[], signal: AbortSignal) {
    const { code, stdout, stderr } = await run('sc.exe', [`\\\\${checkedHost(host)}`, ...args], {
      timeoutMs: TIMEOUT_MS,
      signal,
    })
    const output = `${stdout}\n${stderr}`
    return { output, failure: failureNumber(output) ?? (code === 0 ? null : (code ?? -1)) }
  }

  async function stateOf(host: string, name: string, signal: AbortSignal): Promise<ServiceAnswer> {
    const { output, failure } = await sc(host, ['query', checkedName(name)], signal)
    if (failure === NO_SUCH_SERVICE) return null
    if (failure !== null) return new Error(failureText(output))
    return parseQuery(output)[0]?.status ?? new Error(`sc.exe printed no state: ${failureText(output)}`)
  }

  return {
    refusal: () => null,
    async states(host, names, signal) {
      const { output, failure } = await sc(host, ['query', 'state=', 'all', 'bufsize=', LIST_BYTES], signal)
      const listed = new Map(parseQuery(output).map(({ name, status }) => [name.toLowerCase(), status]))
      if (listed.size === 0 && failure !== null) throw new Error(failureText(output))
      const answers = new Map<string, ServiceAnswer>()
      for (const name of names) {
        // A service that the list leaves out, because it was cut or hides it, is read by name.
        const status = listed.get(name.toLowerCase())
        answers.set(name, status ?? (await one(() => stateOf(host, name, signal))))
      }
      return answers
    },
    async info(host, name, signal) {
      const { output, failure } = await sc(host, ['qc', checkedName(name), '8192'], signal)
      const info = failure === null ? parseConfig(output) : null
      if (!info) throw new Error(failureText(output))
      return info
    },
  }
}

function powerShellReader(run: RunCommand): ServiceReader {
  async function powerShell(script: string, signal: AbortSignal): Promise<DescribedService[]> {
    const whole = `$ErrorActionPreference='Stop'; [Console]::OutputEncoding=[Text.Encoding]::UTF8; ${script} | ConvertTo-Json -Compress -Depth 3`
    const args = ['-NoProfile', '-NonInteractive', '-Command', whole]
    const { code, stdout, stderr } = await run('powershell.exe', args, { timeoutMs: TIMEOUT_MS, signal })
    if (code !== 0) throw new Error(stderr.trim().split(/\r?\n/)[0] || `powershell.exe ended with ${code}`)
    return parsePowerShell(stdout)
  }
  const list = (host: string, signal: AbortSignal) =>
    powerShell(
      `Get-CimInstance Win32_Service -ComputerName ${quoted(checkedHost(host))} | Select-Object Name,DisplayName,State,StartMode,DelayedAutoStart,PathName`,
      signal,
    )

  return {
    refusal: () => null,
    async states(host, names, signal) {
      const byName = new Map((await list(host, signal)).map((service) => [service.name.toLowerCase(), service]))
      return new Map(names.map((name) => [name, byName.get(name.toLowerCase())?.status ?? null]))
    },
    async info(host, name, signal): Promise<ServiceInfo> {
      const found = (await list(host, signal)).find((service) => isSame(service.name, checkedName(name)))
      if (!found) throw new Error(`there is no service ${name}`)
      const script = `Get-Service -ComputerName ${quoted(host)} -Name ${quoted(name)} | Select-Object Name,@{n='ServicesDependedOn';e={@($_.ServicesDependedOn.Name)}}`
      const dependencies = (await powerShell(script, signal))[0]?.dependencies ?? []
      const { displayName, startType, exePath } = found
      return { displayName, startType, exePath, dependencies }
    },
  }
}

async function one(ask: () => Promise<ServiceAnswer>): Promise<ServiceAnswer> {
  try {
    return await ask()
  } catch (error) {
    if (error instanceof CommandError) throw error
    return error as Error
  }
}

/** Throws for what could be taken for something else than a host. */
function checkedHost(host: string): string {
  if (!/^[a-zA-Z0-9._-]+$/.test(host)) throw new Error('Invalid host parameter')
  return host
}

/** Nothing goes through a shell, so only what cannot be an argument, or could be taken for a host, is refused. */
function checkedName(name: string): string {
  if (name === '' || name.length > LONGEST_NAME || /["\r\n\0]|^\\\\/.test(name)) {
    throw new Error('Service name is invalid')
  }
  return name
}

const quoted = (text: string): string => `'${text.replaceAll("'", "''")}'`
const isSame = (a: string, b: string): boolean => a.toLowerCase() === b.toLowerCase()

// Output of `sc.exe`. Labels are translated on localised Windows, so values are found by position and by number: a
// service begins with a line that is not indented, its values follow as indented `label : value` lines.

interface ListedService {
  readonly name: string
  /** Null when the number is not known. */
  readonly status: ServiceStatus | null
}

interface Block {
  /** Values of the lines that are not indented: name, and display name in lists. */
  readonly heads: string[]
  /** Values of the indented lines, each with its continuation lines. */
  readonly values: string[][]
}

/** Position of the values below a service. */
const STATE = 1
const CONFIG = { startType: 1, path: 3, displayName: 6, dependencies: 7 } as const

const SC_START_TYPES: readonly StartType[] = ['Boot', 'System', 'Automatic', 'Manual', 'Disabled']

/** `sc query`, of one service or of all. */
export function parseQuery(output: string): ListedService[] {
  return blocksOf(output).flatMap(({ heads, values }) => {
    const [name] = heads
    return name && values.length > STATE ? [{ name, status: statusOfNumber(numberIn(values[STATE]![0])) }] : []
  })
}

/** `sc qc`; null when it is no description of a service. */
export function parseConfig(output: string): ServiceInfo | null {
  const values = blocksOf(output)[0]?.values
  if (!values || values.length <= CONFIG.dependencies) return null
  const at = (index: number) => values[index]?.[0] ?? ''
  return {
    displayName: at(CONFIG.displayName),
    startType: startTypeOfSc(at(CONFIG.startType)),
    exePath: at(CONFIG.path),
    dependencies: values[CONFIG.dependencies]!.filter((name) => name !== ''),
  }
}

/** The number of a failure, like 1060 for a service that does not exist; null when nothing failed. */
export function failureNumber(output: string): number | null {
  const line = output.split(/\r?\n/).find((text) => text.startsWith('[SC]') && /\d+\s*[:.]*\s*$/.test(text))
  const number = /(\d+)\s*[:.]*\s*$/.exec(line ?? '')?.[1]
  return number === undefined ? null : Number(number)
}

/** Why `sc` failed, in its own words: the line with the number and the sentence below it. */
export function failureText(output: string): string {
  const lines = output.split(/\r?\n/).map((line) => line.trim())
  return lines
    .filter((line) => line !== '')
    .slice(0, 2)
    .join(' ')
}

function blocksOf(output: string): Block[] {
  const blocks: Block[] = []
  for (const line of output.split(/\r?\n/)) {
    const [, indent, label, value] = /^(\s*)([^:]*?)\s*:(.*)$/.exec(line) ?? []
    if (label === undefined || line.startsWith('[SC]')) continue
    const text = value!.trim()
    const block = blocks.at(-1)
    if (indent === '') {
      if (!block || block.values.length > 0) blocks.push({ heads: [text], values: [] })
      else block.heads.push(text)
    } else if (label !== '') block?.values.push([text])
    else block?.values.at(-1)?.push(text)
  }
  return blocks
}

const numberIn = (text: string | undefined): number => Number(/^\s*(\d+)/.exec(text ?? '')?.[1] ?? Number.NaN)

function startTypeOfSc(text: string): StartType {
  const type = SC_START_TYPES[numberIn(text)] ?? ''
  // The flag stands in brackets after the word; it is the only one there is.
  return type === 'Automatic' && /\(.+\)/.test(text) ? 'Automatic (delayed start)' : type
}

// Output of PowerShell about services, as JSON: `Get-CimInstance Win32_Service`, `Get-Service`; one object or a list.

interface DescribedService extends ServiceInfo {
  readonly name: string
  readonly status: ServiceStatus | null
}

type Json = Readonly<Record<string, unknown>>

/** Throws when it is no JSON. Nothing at all means that there is no service. */
export function parsePowerShell(output: string): DescribedService[] {
  const text = output.replace(/^\uFEFF/, '').trim()
  if (text === '') return []
  const parsed: unknown = JSON.parse(text)
  return (Array.isArray(parsed) ? parsed : [parsed]).filter(isObject).map(describedService)
}

function describedService(raw: Json): DescribedService {
  const name = stringOf(raw.Name ?? raw.ServiceName)
  return {
    name,
    status: statusOfPowerShell(raw.State ?? raw.Status),
    displayName: stringOf(raw.DisplayName ?? raw.Caption) || name,
    startType: startTypeOfPowerShell(raw.StartMode ?? raw.StartType, raw.DelayedAutoStart === true),
    exePath: stringOf(raw.PathName ?? raw.BinaryPathName),
    dependencies: namesIn(raw.ServicesDependedOn ?? raw.RequiredServices),
  }
}

/** `4`, `"Running"`, `"Start Pending"`, `"StartPending"`. */
function statusOfPowerShell(value: unknown): ServiceStatus | null {
  if (typeof value === 'number') return statusOfNumber(value)
  const wanted = lettersOf(value)
  return SERVICE_STATUSES.find((status) => lettersOf(status) === wanted) ?? null
}

/** In the order of the numbers of `Get-Service`. */
const POWERSHELL_START_TYPES: readonly (readonly [StartType, readonly string[]])[] = [
  ['Boot', ['boot']],
  ['System', ['system']],
  ['Automatic', ['auto', 'automatic']],
  ['Manual', ['manual']],
  ['Disabled', ['disabled']],
]

function startTypeOfPowerShell(value: unknown, isDelayed: boolean): StartType {
  const word = lettersOf(value)
  const [type] =
    (typeof value === 'number'
      ? POWERSHELL_START_TYPES[value]
      : POWERSHELL_START_TYPES.find(([, words]) => words.includes(word))) ?? []
  if (word === 'automaticdelayedstart' || (type === 'Automatic' && isDelayed)) return 'Automatic (delayed start)'
  return type ?? ''
}

function namesIn(value: unknown): string[] {
  const list = Array.isArray(value) ? value : value === null || value === undefined ? [] : [value]
  return list.map((one) => (isObject(one) ? stringOf(one.Name ?? one.ServiceName) : stringOf(one))).filter(Boolean)
}

const isObject = (value: unknown): value is Json => typeof value === 'object' && value !== null && !Array.isArray(value)
const stringOf = (value: unknown): string => (typeof value === 'string' ? value : '')
const lettersOf = (value: unknown): string =>
  stringOf(value)
    .toLowerCase()
    .replace(/[^a-z]/g, '')
