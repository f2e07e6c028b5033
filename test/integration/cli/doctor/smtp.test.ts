import { describe, expect, test } from 'bun:test'
import { type AddressInfo, createServer } from 'node:net'
import { certificatePair } from '../../../support/certificates.ts'
import { codes, diagnose } from '../../../support/doctor.ts'
import { freeTcpPort } from '../../../support/ports.ts'
import { startSmtpSink } from '../../../support/smtp-sink.ts'

const only = ['smtp']

function mail(port: number, smtp: Record<string, unknown> = {}) {
  return {
    emailNotification: {
      enable: true,
      smtp: { host: '127.0.0.1', port, tls: { requireTLS: false }, ...smtp },
    },
  }
}

describe('a mail server that', () => {
  test('answers is in order', async () => {
    await using sink = await startSmtpSink()
    const found = await diagnose(mail(sink.port), { only })
    expect(codes(found)).toEqual(['smtp.unencrypted', 'smtp.ready'])
    expect(found.code).toBe(0)
    expect(sink.mails).toEqual([])
  })

  test('is not there is named with its port', async () => {
    const port = await freeTcpPort()
    const found = await diagnose(mail(port), { only })
    expect(found.code).toBe(3)
    expect(found.findings).toEqual([
      expect.objectContaining({
        code: 'smtp.refused',
        target: `127.0.0.1:${port}`,
        fix: expect.stringContaining('Butler.emailNotification.smtp.port'),
      }),
    ])
  })

  test('says nothing is given up', async () => {
    const silent = createServer((socket) => void socket.on('error', () => {}))
    await new Promise<void>((done) => silent.listen(0, '127.0.0.1', done))
    try {
      const { port } = silent.address() as AddressInfo
      expect(codes(await diagnose(mail(port), { only, timeout: 1500 }))).toEqual(['smtp.silent'])
    } finally {
      silent.close()
    }
  })

  test('turns this machine away', async () => {
    await using sink = await startSmtpSink()
    sink.answer({ connect: 554 })
    const { findings } = await diagnose(mail(sink.port), { only })
    expect(findings).toEqual([
      expect.objectContaining({ code: 'smtp.turned-away', message: expect.stringContaining('554') }),
    ])
  })

  test('refuses the login, and the password is not shown', async () => {
    await using sink = await startSmtpSink({ login: { user: 'footman', password: 'right-password' } })
    const auth = { enable: true, user: 'footman', password: 'wrong-password' }
    const found = await diagnose(mail(sink.port, { auth }), { only })
    expect(codes(found)).toEqual(['smtp.unencrypted', 'smtp.login'])
    expect(found.findings[1]!.fix).toContain('Butler.emailNotification.smtp.auth')
    expect(found.text).not.toContain('wrong-password')
    const right = await diagnose(mail(sink.port, { auth: { ...auth, password: 'right-password' } }), { only })
    expect(codes(right)).toEqual(['smtp.unencrypted', 'smtp.ready'])
    expect(right.findings[0]!.message).toContain('mails, and the password, travel unencrypted')
  })
})

describe('TLS', () => {
  test('secure: true where the server speaks plain SMTP', async () => {
    await using sink = await startSmtpSink()
    const { findings } = await diagnose(mail(sink.port, { secure: true }), { only })
    expect(findings).toEqual([
      expect.objectContaining({
        code: 'smtp.tls-mode',
        key: 'emailNotification.smtp.secure',
        fix: expect.stringContaining('set Butler.emailNotification.smtp.secure to false'),
      }),
    ])
  })

  test('secure: false where the server expects TLS', async () => {
    const tls = { ...(await certificatePair('127.0.0.1')), implicit: true }
    await using sink = await startSmtpSink({ tls })
    const { findings } = await diagnose(mail(sink.port, { secure: false }), { only, timeout: 3000 })
    expect(findings).toEqual([
      expect.objectContaining({
        code: 'smtp.tls-mode',
        fix: expect.stringContaining('set Butler.emailNotification.smtp.secure to true'),
      }),
    ])
  })

  test('no STARTTLS although it is demanded', async () => {
    await using sink = await startSmtpSink()
    const strict = { ...mail(sink.port, { tls: { requireTLS: true } }), footman: { compatibility: 'strict' } }
    const found = await diagnose(strict, { only })
    expect(codes(found)).toEqual(['smtp.no-starttls'])
  })

  test('a certificate that nobody knows, with STARTTLS', async () => {
    await using sink = await startSmtpSink({ tls: await certificatePair('127.0.0.1') })
    const strict = await diagnose(mail(sink.port), { only })
    expect(strict.findings).toEqual([
      expect.objectContaining({ code: 'smtp.certificate', fix: expect.stringContaining('NODE_EXTRA_CA_CERTS') }),
    ])
    const trusting = await diagnose(mail(sink.port, { tls: { rejectUnauthorized: false } }), { only })
    expect(codes(trusting)).toEqual(['smtp.certificate-not-verified', 'smtp.ready'])
  })
})
