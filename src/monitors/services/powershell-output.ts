/** What PowerShell prints about services as JSON: `Get-CimInstance Win32_Service`, `Get-Service`; one object or a list. */
import { SERVICE_STATUSES, type ServiceInfo, type ServiceStatus, type StartType, statusOfNumber } from './types.ts'

export interface DescribedService extends ServiceInfo {
  readonly name: string
  readonly status: ServiceStatus | null
}

type Json = Readonly<Record<string, unknown>>

/** Throws when it is no JSON. Nothing at all means that there is no service. */
export function parsePowerShell(output: string): DescribedService[] {
  const text = output.replace(/^\uFEFF/, '').trim()
  if (text === '') return []
  const parsed: unknown = JSON.parse(text)
  return (Array.isArray(parsed) ? parsed : [parsed]).filter(isObject).map(describe)
}

function describe(raw: Json): DescribedService {
  const name = textOf(raw.Name ?? raw.ServiceName)
  return {
    name,
    status: statusOf(raw.State ?? raw.Status),
    displayName: textOf(raw.DisplayName ?? raw.Caption) || name,
    startType: startTypeOf(raw.StartMode ?? raw.StartType, raw.DelayedAutoStart === true),
    exePath: textOf(raw.PathName ?? raw.BinaryPathName),
    dependencies: namesIn(raw.ServicesDependedOn ?? raw.RequiredServices),
  }
}

/** `4`, `"Running"`, `"Start Pending"`, `"StartPending"`. */
function statusOf(value: unknown): ServiceStatus | null {
  if (typeof value === 'number') return statusOfNumber(value)
  const wanted = plain(value)
  return SERVICE_STATUSES.find((status) => plain(status) === wanted) ?? null
}

/** In the order of the numbers of `Get-Service`. */
const START_TYPES: readonly (readonly [StartType, readonly string[]])[] = [
  ['Boot', ['boot']],
  ['System', ['system']],
  ['Automatic', ['auto', 'automatic']],
  ['Manual', ['manual']],
  ['Disabled', ['disabled']],
]

function startTypeOf(value: unknown, isDelayed: boolean): StartType {
  const word = plain(value)
  const [type] =
    (typeof value === 'number' ? START_TYPES[value] : START_TYPES.find(([, words]) => words.includes(word))) ?? []
  if (word === 'automaticdelayedstart' || (type === 'Automatic' && isDelayed)) return 'Automatic (delayed start)'
  return type ?? ''
}

function namesIn(value: unknown): string[] {
  const list = Array.isArray(value) ? value : value === null || value === undefined ? [] : [value]
  return list.map((one) => (isObject(one) ? textOf(one.Name ?? one.ServiceName) : textOf(one))).filter(Boolean)
}

const isObject = (value: unknown): value is Json => typeof value === 'object' && value !== null && !Array.isArray(value)
const textOf = (value: unknown): string => (typeof value === 'string' ? value : '')
const plain = (value: unknown): string =>
  textOf(value)
    .toLowerCase()
    .replace(/[^a-z]/g, '')
