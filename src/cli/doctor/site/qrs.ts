/** The connection to the repository service, step by step, until it answers as the configured user. */

import { X509Certificate } from 'node:crypto'
import { isIP } from 'node:net'
import { connect, type TLSSocket } from 'node:tls'
import { isSignedBy } from '../../../qlik/qrs/certificates.ts'
import { QrsError } from '../../../qlik/qrs/errors.ts'
import { reasonOf } from '../../../qlik/qrs/failure.ts'
import type { QrsCertificates } from '../../../qlik/qrs/transport.ts'
import { openTcp, timeOver, trouble } from '../connection.ts'
import type { DoctorContext, Finding, FindingLevel, Probe } from '../types.ts'
import { nameOf } from './certificates.ts'
import { identityOf, NO_CERTIFICATES, type Site, type SiteOf } from './site.ts'

const GROUP = 'qrs'
const REPOSITORY_PORT = 4242

export function qrsProbe(sites: SiteOf): Probe {
  return {
    group: GROUP,
    title: 'Qlik Sense repository (QRS)',
    applies: ({ loaded }) => loaded.qlikConnection,
    run: async (context) => examine(sites(context), context),
  }
}

async function examine(site: Site, context: DoctorContext): Promise<readonly Finding[]> {
  const { host, port, useSSL, headers } = context.config.configQRS
  const identity = identityOf(headers.static, KEYS.user)
  if ('problem' in identity)
    return [finding('error', identity.code, site.target, identity.problem, identity.fix, KEYS.user)]
  const pems = useSSL ? await site.certificates() : null
  if (useSSL && pems === null) {
    return [finding('info', 'not-examined', site.target, NO_CERTIFICATES)]
  }
  const server = await connection({ host, port }, pems, context)
  if (server.failure) return [server.failure]
  const shown = server.certificate ? serverFindings(server.certificate, pems!, context) : []
  try {
    const { version } = await site.about()
    return [finding('ok', 'reached', site.target, `answers as ${identity.name}, version ${version}`), ...shown]
  } catch (error) {
    if (!(error instanceof QrsError)) throw error
    // That explains it.
    if (error.kind === 'unreachable' && shown.some(({ level }) => level === 'error')) return shown
    return [await refusal(error, { context, pems, user: identity.name, target: site.target }), ...shown]
  }
}

const KEYS = { host: 'configQRS.host', port: 'configQRS.port', user: 'configQRS.headers.static' } as const

function finding(
  level: FindingLevel,
  what: string,
  target: string,
  message: string,
  fix?: string,
  key: string = KEYS.host,
): Finding {
  return { level, code: `${GROUP}.${what}`, target, message, ...(fix !== undefined && { fix }), key }
}

interface Server {
  readonly failure?: Finding
  /** That of the server; null without TLS. */
  readonly certificate: X509Certificate | null
}

/** Name, port and handshake. */
async function connection(
  place: { host: string; port: number },
  pems: QrsCertificates | null,
  { timeout }: DoctorContext,
): Promise<Server> {
  const target = `${place.host}:${place.port}`
  const subject = {
    group: GROUP,
    target,
    host: place.host,
    port: place.port,
    hostKey: 'Butler.configQRS.host',
    portKey: 'Butler.configQRS.port',
    key: KEYS.host,
  }
  try {
    if (pems === null) {
      ;(await openTcp(place, timeout)).destroy()
      return { certificate: null }
    }
    const { socket, certificate } = await shakeHands(place, pems, timeout)
    socket.destroy()
    return { certificate }
  } catch (error) {
    return { failure: trouble(error, subject), certificate: null }
  }
}

/** A handshake in which nothing is refused; whether the server takes the client certificate shows later. */
async function shakeHands(
  place: { host: string; port: number },
  pems: Pick<QrsCertificates, 'ca'> & Partial<QrsCertificates>,
  timeoutMs: number,
): Promise<{ socket: TLSSocket; certificate: X509Certificate | null }> {
  const plain = await openTcp(place, timeoutMs)
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => fail(timeOver(timeoutMs, 'no TLS handshake')), timeoutMs)
    const { ca, cert, key } = pems
    const servername = isIP(place.host) === 0 ? { servername: place.host } : {}
    const socket = connect(
      { socket: plain, ca, ...(cert && { cert }), ...(key && { key }), ...servername, rejectUnauthorized: false },
      () => {
        clearTimeout(timer)
        socket.off('error', fail)
        socket.on('error', () => {})
        const { raw } = socket.getPeerCertificate()
        resolve({ socket, certificate: raw ? new X509Certificate(raw) : null })
      },
    )
    const fail = (error: Error) => {
      clearTimeout(timer)
      plain.destroy()
      reject(error)
    }
    socket.once('error', fail)
  })
}

/** Compares the certificate of the server with root.pem and with the configured host. */
function serverFindings(
  server: X509Certificate,
  pems: QrsCertificates,
  { config: { configQRS, cert }, clock }: DoctorContext,
): Finding[] {
  const { host, port, rejectUnauthorized } = configQRS
  const target = `${host}:${port}`
  const level = rejectUnauthorized ? 'error' : 'warning'
  const until = Date.parse(server.validTo)
  const authority = authorityOf(pems.ca)
  const findings: Finding[] = []
  if (authority && !isSignedBy(server, authority)) {
    const message = `the server's certificate is signed by "${nameOf(server.issuer)}", ${cert.clientCertCA} holds "${nameOf(authority.subject)}": the files are not of this site, or the port is not that of the repository`
    const fix = `export the certificates in the QMC of the site that ${host} belongs to, and put them where Butler.cert points`
    findings.push(finding(level, 'server-authority', target, message, fix, 'cert.clientCertCA'))
  }
  if (until < clock.now()) {
    const message = `the server's certificate ended on ${new Date(until).toISOString().slice(0, 10)}`
    const fix = 'renew the certificates of the site in the QMC, or correct the clock of this machine'
    findings.push(finding(level, 'server-expired', target, message, fix))
  }
  if (rejectUnauthorized && !isMadeFor(server, host)) {
    const message = `the server's certificate is made for ${server.subjectAltName ?? nameOf(server.subject)}, not for ${host}`
    const fix = 'set Butler.configQRS.host to a name in the certificate, or rejectUnauthorized to false'
    findings.push(finding('error', 'server-name', target, message, fix))
  }
  return findings
}

const isMadeFor = (server: X509Certificate, host: string): boolean =>
  (isIP(host) === 0 ? server.checkHost(host) : server.checkIP(host)) !== undefined

function authorityOf(pem: string): X509Certificate | null {
  try {
    return new X509Certificate(pem)
  } catch {
    return null
  }
}

interface Attempt {
  readonly context: DoctorContext
  readonly pems: QrsCertificates | null
  readonly user: string
  readonly target: string
}

/** The reason why `/qrs/about` was not answered. */
async function refusal(error: QrsError, { context, pems, user, target }: Attempt): Promise<Finding> {
  const { host, port } = context.config.configQRS
  const { kind, status } = error
  const isStranger = kind === 'notJson' || kind === 'shape' || (kind === 'status' && status !== 503)
  if (isStranger && (pems === null || (await asksForNoCertificate({ host, port }, pems, context.timeout)))) {
    const what = kind === 'status' ? `answers ${status}` : 'answers with something that is no answer of QRS'
    const message = `this is not the repository but a web server, most likely the Qlik Sense proxy: it asks for no client certificate and ${what}`
    const fix = `set Butler.configQRS.port to ${REPOSITORY_PORT}, the port of the repository service (443 and 4244 belong to the proxy), and open it in the firewall of ${host}`
    return finding('error', 'proxy', target, message, fix, KEYS.port)
  }
  if (kind === 'status' && status === 403) return refusedUser(error, user, target)
  if (kind === 'status' && status === 503) {
    const fix = 'wait until the Qlik Sense Repository Service has started'
    return finding('error', 'starting', target, 'QRS answers 503: it is starting, or stopped', fix)
  }
  if (kind === 'timeout') {
    const message = `QRS takes the connection, but does not answer within ${context.timeout / 1000} s`
    const fix = 'see on the server whether the Qlik Sense Repository Service hangs or is overloaded; see its log'
    return finding('error', 'silent', target, message, fix)
  }
  if (kind === 'unreachable') {
    const message = `QRS closes the connection after the handshake: it does not accept the client certificate (${reasonOf(error)})`
    const fix = `export the certificates in the QMC of the site that ${host} belongs to, and put them where Butler.cert points; if they were renewed on the server, export them again`
    return finding('error', 'client-certificate', target, message, fix, 'cert.clientCert')
  }
  const fix = 'see in the log of the Qlik Sense Repository Service what happened'
  return finding('error', 'answer', target, `no usable answer: ${reasonOf(error)}`, fix)
}

function refusedUser(error: QrsError, user: string, target: string): Finding {
  if (/XSRF/i.test(error.body)) {
    const fix = 'let nothing between Footman and QRS change addresses or headers'
    return finding('error', 'xsrf', target, 'QRS answers 403: the check against forged requests failed', fix)
  }
  const message = `QRS answers 403: the site does not know ${user}, or it is blocked or inactive`
  const fix =
    'set X-Qlik-User in Butler.configQRS.headers.static to UserDirectory=Internal;UserId=sa_repository, or to a user that the QMC lists with an administrator role'
  return finding('error', 'user', target, message, fix, KEYS.user)
}

/** True when the port answers HTTP to a client without a certificate, which QRS never does. */
async function asksForNoCertificate(
  place: { host: string; port: number },
  { ca }: QrsCertificates,
  timeoutMs: number,
): Promise<boolean> {
  const { socket } = await shakeHands(place, { ca }, timeoutMs).catch(() => ({ socket: null }))
  if (!socket) return false
  const { promise, resolve } = Promise.withResolvers<boolean>()
  const timer = setTimeout(() => resolve(false), timeoutMs)
  socket.once('data', (chunk: Buffer) => resolve(chunk.toString('latin1').startsWith('HTTP/')))
  socket.once('close', () => resolve(false))
  socket.write(`GET /qrs/about HTTP/1.1\r\nHost: ${place.host}\r\nConnection: close\r\n\r\n`)
  return promise.finally(() => {
    clearTimeout(timer)
    socket.destroy()
  })
}
