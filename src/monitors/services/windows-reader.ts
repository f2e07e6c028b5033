/**
 * Windows services, local and remote, read with `sc.exe`; with PowerShell where `sc.exe` cannot be started. One command
 * tells the states of all services of a host.
 */
import { CommandError, type RunCommand } from '../../platform/command.ts'
import { type DescribedService, parsePowerShell } from './powershell-output.ts'
import { failureNumber, failureText, parseConfig, parseQuery } from './sc-output.ts'
import type { ServiceAnswer, ServiceInfo, ServiceReader } from './types.ts'

export interface WindowsReaderDeps {
  readonly run: RunCommand
  /** `C:\Windows`: only programs from there are run, whatever lies in the working directory. Absent = as PATH says. */
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
    return parseQuery(output)[0]?.status ?? new Error(`sc.exe told no state: ${failureText(output)}`)
  }

  return {
    refusal: () => null,
    async states(host, names, signal) {
      const { output, failure } = await sc(host, ['query', 'state=', 'all', 'bufsize=', LIST_BYTES], signal)
      const listed = new Map(parseQuery(output).map(({ name, status }) => [name.toLowerCase(), status]))
      if (listed.size === 0 && failure !== null) throw new Error(failureText(output))
      const answers = new Map<string, ServiceAnswer>()
      for (const name of names) {
        // What the list leaves out, because it was cut or hides it, is asked for by name.
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
