/** The Qlik Sense site as the probes look at it: one client, and every question asked once for all of them. */

import { createSecureContext } from 'node:tls'
import type { Config } from '../../../app/schema.ts'
import { parseOutsideJson } from '../../../platform/json.ts'
import { SILENT } from '../../../platform/types.ts'
import { type CertificatePaths, readCertificates } from '../../../qlik/qrs/certificates.ts'
import { createQrsClient } from '../../../qlik/qrs/client.ts'
import { createCustomPropertyClient, type PropertyDefinition } from '../../../qlik/qrs/custom-properties.ts'
import { QrsError } from '../../../qlik/qrs/errors.ts'
import { reasonOf } from '../../../qlik/qrs/failure.ts'
import { createQrsTransport, type QrsCertificates, type QrsTransport } from '../../../qlik/qrs/transport.ts'
import type { ExecutionReader, QrsClient, QrsTask, SiteReader } from '../../../qlik/qrs/types.ts'
import type { DoctorContext, Finding, Probe } from '../types.ts'

/** The answer of `/qrs/about`. */
export interface About {
  /** `31.60.3.0` */
  readonly version: string
  /** The clock of the server, milliseconds since 1970 (whole seconds); null when the answer has no time. */
  readonly serverTime: number | null
  /** When that was, by the clock here. */
  readonly at: number
}

/** Answers are asked for at the first use; every question rejects with a `QrsError`. */
export interface Site {
  /** `host:port` */
  readonly target: string
  readonly paths: CertificatePaths
  /** Null when they cannot be read, or no connection can be made with them. */
  certificates(): Promise<QrsCertificates | null>
  transport(): Promise<QrsTransport>
  client(): Promise<QrsClient & SiteReader & Pick<ExecutionReader, 'executionSession'>>
  about(): Promise<About>
  tasks(): Promise<readonly QrsTask[]>
  /** True for the first caller: the reason for an unreachable site is reported once. */
  firstSilence(): boolean
  /** Elements of `<path>/full`. */
  list(path: string, filter?: string): Promise<readonly Json[]>
  properties(names: readonly string[]): Promise<readonly PropertyDefinition[]>
}

/** Why nothing can be asked. */
export const NO_CERTIFICATES = 'nothing of the site was examined, as the certificates cannot be used'

export type Json = Readonly<Record<string, unknown>>
export type SiteOf = (context: DoctorContext) => Site

/** The same site for all probes of one examination. */
export function createSites(): SiteOf {
  const sites = new WeakMap<DoctorContext, Site>()
  return (context) => {
    const known = sites.get(context)
    if (known) return known
    const site = createSite(context)
    sites.set(context, site)
    return site
  }
}

function createSite({ config, paths, clock, timeout }: DoctorContext): Site {
  const { configQRS } = config
  const files = certificatePaths(config, (path) => paths.input(path, 'program'))
  const certificates = once(() => readCertificates(files).then(usable, () => null))
  const transport = once(async () => {
    const pems = await certificates()
    const { host, port, useSSL, headers, rejectUnauthorized } = configQRS
    const settings = { host, port, useSSL, headers: headers.static, rejectUnauthorized }
    return createQrsTransport({ log: SILENT }, { ...settings, certificates: () => pems, timeoutMs: timeout })
  })
  const client = once(async () =>
    createQrsClient(
      { log: SILENT, transport: await transport() },
      { ...configQRS, headers: configQRS.headers.static, certificates: () => null },
    ),
  )

  async function list(path: string, filter?: string): Promise<readonly Json[]> {
    const request = { path: `${path}/full`, ...(filter !== undefined && { query: { filter } }) }
    const { value } = await (await transport()).json(request)
    if (!Array.isArray(value)) throw (await transport()).unusable(request, 'a list was expected')
    return value.filter(isObject)
  }

  let isSilent = false

  return {
    firstSilence() {
      const isFirst = !isSilent
      isSilent = true
      return isFirst
    },
    target: `${configQRS.host}:${configQRS.port}`,
    paths: files,
    certificates,
    transport,
    client,
    list,
    about: once(async () => aboutOf(await transport(), clock.now)),
    tasks: once(async () => (await client()).allTasks()),
    properties: async (names) =>
      names.length === 0 ? [] : createCustomPropertyClient({ transport: await transport() }).definitions(names),
  }
}

async function aboutOf(transport: QrsTransport, now: () => number): Promise<About> {
  const request = { path: 'about', noRetry: true }
  const before = now()
  const response = await transport.request(request)
  const after = now()
  const body = parsed(response.text())
  if (typeof body?.buildVersion !== 'string') throw transport.unusable(request, 'an answer of QRS was expected')
  const serverTime = Date.parse(response.headers.date ?? '')
  return {
    version: body.buildVersion,
    serverTime: Number.isNaN(serverTime) ? null : serverTime,
    at: Math.round((before + after) / 2),
  }
}

function certificatePaths({ cert }: Config, input: (path: string) => string): CertificatePaths {
  const { clientCert, clientCertKey, clientCertCA } = cert
  return { clientCert: input(clientCert), clientCertKey: input(clientCertKey), clientCertCA: input(clientCertCA) }
}

/** Null for a malformed key, or that of another certificate; `certificatesProbe` reports the reason. */
function usable(pems: QrsCertificates): QrsCertificates | null {
  try {
    createSecureContext({ ...pems })
    return pems
  } catch {
    return null
  }
}

function once<T>(ask: () => Promise<T>): () => Promise<T> {
  let answer: Promise<T> | undefined
  return () => {
    answer ??= ask()
    return answer
  }
}

function parsed(text: string): Json | null {
  try {
    const value = parseOutsideJson(text)
    return isObject(value) ? value : null
  } catch {
    return null
  }
}

const isObject = (value: unknown): value is Json => typeof value === 'object' && value !== null && !Array.isArray(value)

export interface SiteProbe {
  readonly group: string
  readonly title: string
  /** Beside the connection to Qlik Sense being wanted; default true. */
  applies?(context: DoctorContext): boolean
  run(site: Site, context: DoctorContext): Promise<readonly Finding[]>
}

/** A probe that runs only with a connection to Qlik Sense. While QRS does not answer, `qrsProbe` reports the reason. */
export function siteProbe(sites: SiteOf, { group, title, applies = () => true, run }: SiteProbe): Probe {
  return {
    group,
    title,
    applies: (context) => context.loaded.qlikConnection && applies(context),
    async run(context) {
      const site = sites(context)
      const silent = (message: string): readonly Finding[] =>
        site.firstSilence() ? [{ level: 'info', code: `${group}.not-examined`, target: site.target, message }] : []
      if (context.config.configQRS.useSSL && !(await site.certificates())) return silent(NO_CERTIFICATES)
      let isKnown = false
      try {
        await site.about()
        isKnown = true
        return await run(site, context)
      } catch (error) {
        if (!(error instanceof QrsError)) throw error
        // A user who is refused everything has no single right that is missing.
        if (isKnown && error.missingRight !== null) return [refusedFinding(group, site, error)]
        return silent(
          `neither this nor anything else on the site was examined, as Qlik Sense did not answer: ${reasonOf(error)}`,
        )
      }
    },
  }
}

/** QRS answers, and refuses a question of the probe. */
export function refusedFinding(
  group: string,
  site: Pick<Site, 'target'>,
  error: QrsError,
  what = 'was not examined',
): Finding {
  return {
    level: 'error',
    code: `${group}.no-right`,
    target: site.target,
    message: `${what}: ${reasonOf(error)}`,
    fix: 'add that security rule in the QMC, give the user the role ContentAdmin, or use sa_repository in Butler.configQRS.headers.static',
    key: 'configQRS.headers.static',
  }
}

/** `1 task`, `3 tasks`. */
export const plural = (count: number, what: string): string => `${count} ${what}${count === 1 ? '' : 's'}`

/** The first few in quotes, and how many more there are. */
export function some(names: readonly string[], most = 3): string {
  const shown = names.slice(0, most).map((name) => `"${name}"`)
  return names.length > most ? `${shown.join(', ')} and ${names.length - most} more` : shown.join(', ')
}

export type Identity =
  | { readonly directory: string; readonly userId: string /** `DIR\id` */; readonly name: string }
  | { readonly code: string; readonly problem: string; readonly fix: string }

/** The user that the configured headers name; or what is wrong with them. `key` is that of the headers. */
export function identityOf(
  headers: readonly { readonly name: string; readonly value: string }[],
  key: string,
): Identity {
  const fix = `write {name: X-Qlik-User, value: UserDirectory=Internal;UserId=sa_repository} into Butler.${key}`
  const header = headers.find(({ name }) => name.toLowerCase() === 'x-qlik-user')
  if (!header)
    return { code: 'user-missing', problem: 'no X-Qlik-User is sent, and Qlik Sense refuses such calls', fix }
  const match = /^\s*UserDirectory\s*=\s*([^;=]+?)\s*;\s*UserId\s*=\s*([^;]+?)\s*;?\s*$/i.exec(decoded(header.value))
  if (!match) {
    const problem = `X-Qlik-User is "${header.value}", which is not of the form UserDirectory=...;UserId=...`
    return { code: 'user-malformed', problem, fix }
  }
  const [, directory = '', userId = ''] = match
  return { directory, userId, name: `${directory}\\${userId}` }
}

function decoded(value: string): string {
  try {
    return decodeURIComponent(value)
  } catch {
    return value
  }
}
