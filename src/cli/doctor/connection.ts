/** Connections as an examination: TCP and TLS with a time limit, and what it means when they fail. */

import { connect, isIP, type Socket } from 'node:net'
import { type ConnectionOptions, connect as connectTls, type PeerCertificate, type TLSSocket } from 'node:tls'
import { type ConnectionFailure, connectionFailure, type Peer } from '../../platform/connection-failure.ts'
import { within } from '../../platform/deadline.ts'
import type { Finding } from './types.ts'

export interface Place {
  readonly host: string
  readonly port: number
}

/** Resolves with a connected socket; rejects with the system's error, or with `ETIMEDOUT` after `timeoutMs`. */
export function openTcp({ host, port }: Place, timeoutMs: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port })
    const timer = setTimeout(() => fail(timeOver(timeoutMs, 'no answer', 'ETIMEDOUT')), timeoutMs)
    const fail = (error: Error) => {
      clearTimeout(timer)
      socket.destroy()
      reject(error)
    }
    socket.once('error', fail)
    socket.once('connect', () => {
      clearTimeout(timer)
      socket.off('error', fail)
      // Errors after the end of the examination are ignored.
      socket.on('error', () => {})
      resolve(socket)
    })
  })
}

/** `ESILENT`: the peer has accepted the connection, but sends no usable answer. */
export function timeOver(timeoutMs: number, what = 'no answer', code = 'ESILENT'): Error {
  return Object.assign(new Error(`${what} within ${timeoutMs / 1000} s`), { code })
}

/** Settles as `promise` does, or rejects with `ESILENT`. */
export function answered<T>(promise: Promise<T>, timeoutMs: number, what?: string): Promise<T> {
  return within(promise, timeoutMs, () => {
    throw timeOver(timeoutMs, what)
  })
}

/** Bytes until `done` says that they are enough; rejects when the other side closes or stays silent. */
export function readUntil(socket: Socket, done: (text: string) => boolean, timeoutMs: number): Promise<string> {
  let text = ''
  const { promise, resolve, reject } = Promise.withResolvers<string>()
  const onData = (chunk: Buffer) => {
    text += chunk.toString('latin1')
    if (done(text)) resolve(text)
    else if (text.length > MAX_ANSWER) reject(new Error('an endless answer'))
  }
  const onClose = () => reject(Object.assign(new Error('the connection was closed'), { code: 'ECONNRESET', text }))
  socket.on('data', onData)
  socket.once('close', onClose)
  return answered(promise, timeoutMs).finally(() => {
    socket.off('data', onData)
    socket.off('close', onClose)
  })
}

const MAX_ANSWER = 64 * 1024

export interface TlsSettings {
  /** PEM; absent = the public authorities. */
  readonly ca?: string | readonly string[]
  readonly cert?: string
  readonly key?: string
  /** Name that the certificate has to carry; default: the host. */
  readonly servername?: string
}

export interface TlsLook {
  /** Null when a client with these authorities accepts the certificate; else OpenSSL's or Node's code. */
  readonly refusal: string | null
  readonly certificate: {
    readonly subject: string
    readonly issuer: string
    /** Names that it is made for. */
    readonly names: string
    /** Milliseconds since 1970; null when the server shows none. */
    readonly notAfter: number | null
    readonly notBefore: number | null
  }
}

/** Shakes hands over a connected socket and closes it. Rejects when the other side speaks no TLS or refuses. */
export function lookAtTls(socket: Socket, host: string, settings: TlsSettings, timeoutMs: number): Promise<TlsLook> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => finish(() => reject(timeOver(timeoutMs, 'no TLS handshake'))), timeoutMs)
    const secure = connectTls(optionsFor(socket, host, settings), () => {
      const look = tlsLook(secure)
      finish(() => resolve(look))
    })
    const finish = (settle: () => void) => {
      clearTimeout(timer)
      secure.destroy()
      socket.destroy()
      settle()
    }
    secure.on('error', (error) => finish(() => reject(error)))
  })
}

/** The result of a handshake that accepted every certificate (`rejectUnauthorized: false`). */
export function tlsLook(socket: TLSSocket): TlsLook {
  const refusal = socket.authorized ? null : codeOf(socket.authorizationError)
  return { refusal, certificate: certificateOf(socket.getPeerCertificate()) }
}

function optionsFor(socket: Socket, host: string, { servername, ca, cert, key }: TlsSettings): ConnectionOptions {
  const name = servername ?? host
  return {
    socket,
    host,
    ...(isIP(name) === 0 && { servername: name }),
    ...(ca !== undefined && { ca: [...(typeof ca === 'string' ? [ca] : ca)] }),
    ...(cert !== undefined && { cert }),
    ...(key !== undefined && { key }),
    // To be judged by us, with words.
    rejectUnauthorized: false,
  }
}

function codeOf(error: unknown): string {
  if (typeof error === 'string') return error
  return (error as NodeJS.ErrnoException | null)?.code ?? String((error as Error | null)?.message ?? 'not verified')
}

function certificateOf(peer: PeerCertificate): TlsLook['certificate'] {
  const time = (text: string | undefined) => (text ? Date.parse(text) : null)
  return {
    subject: nameOf(peer.subject),
    issuer: nameOf(peer.issuer),
    names: peer.subjectaltname ?? '',
    notAfter: time(peer.valid_to),
    notBefore: time(peer.valid_from),
  }
}

function nameOf(name: PeerCertificate['subject'] | undefined): string {
  const value = name?.CN ?? name?.O ?? ''
  return Array.isArray(value) ? value.join(', ') : value
}

interface CertificateSubject {
  readonly group: string
  readonly target: string
  /** Host, or the name that is asked for instead. */
  readonly name: string
  readonly key: string
  /** False where the settings accept every certificate. */
  readonly verified: boolean
  /** Fix for an unknown authority: `set Butler.x.caFile to ...`. */
  readonly authority: string
  readonly now: number
}

const DAY_MS = 86_400_000
const WARN_DAYS = 30

/** Nothing for a certificate that is accepted and lasts. */
export function certificateFindings(look: TlsLook, subject: CertificateSubject): Finding[] {
  const { group, target, key, verified, now } = subject
  const { notAfter } = look.certificate
  if (look.refusal !== null) {
    const { message, fix } = refusalOf(look, subject)
    if (verified) return [{ level: 'error', code: `${group}.certificate`, target, message, fix, key }]
    const text = `${message}; accepted, as the settings say not to look`
    return [{ level: 'info', code: `${group}.certificate-not-verified`, target, message: text, key }]
  }
  if (notAfter === null || notAfter - now > WARN_DAYS * DAY_MS) return []
  const days = Math.max(0, Math.floor((notAfter - now) / DAY_MS))
  const message = `the certificate of the server ends on ${dateOf(notAfter)}, in ${days} days`
  const fix = 'renew it on the server'
  return [{ level: 'warning', code: `${group}.certificate-ending`, target, message, fix, key }]
}

function refusalOf({ refusal, certificate }: TlsLook, { name, authority, now }: CertificateSubject) {
  const { notAfter, notBefore, names, subject, issuer } = certificate
  if (notAfter !== null && notAfter < now) {
    const message = `the certificate of the server has expired on ${dateOf(notAfter)}`
    return { message, fix: 'renew it on the server; if it is valid there, correct the clock of this machine' }
  }
  if (notBefore !== null && notBefore > now) {
    const message = `the certificate of the server is valid from ${dateOf(notBefore)} only`
    return { message, fix: 'correct the clock of this machine, or that of the server' }
  }
  if (refusal === 'ERR_TLS_CERT_ALTNAME_INVALID') {
    const message = `the certificate is made for ${names || subject}, not for ${name}`
    return { message, fix: 'use a name that is in the certificate, or have one made for this name' }
  }
  const by = subject === issuer ? 'by itself' : `by "${issuer}"`
  return { message: `the certificate is signed ${by}, which is not trusted (${refusal})`, fix: authority }
}

const dateOf = (time: number): string => new Date(time).toISOString().slice(0, 10)

/** A server that the doctor connects to, and its names in findings. */
export interface Subject extends Peer {
  /** First part of the code. */
  readonly group: string
  readonly target: string
  /** Key below `Butler`. */
  readonly key: string
  /** Another fix for a server that cannot be reached. */
  readonly detour?: string
}

/** The finding for an error of connecting or of the handshake. */
export function trouble(error: unknown, subject: Subject): Finding {
  const { group, target, key } = subject
  const { kind, reason, hint } = connectionFailure(error, subject)
  const detour = subject.detour && DISTANT.includes(kind) ? `; ${subject.detour}` : ''
  return { level: 'error', code: `${group}.${kind}`, target, message: reason, fix: `${hint}${detour}`, key }
}

/** No server was reached at all. */
const DISTANT: readonly ConnectionFailure['kind'][] = ['name', 'no-answer', 'unreachable']
