import { afterEach, describe, expect, test } from 'bun:test'
import { existsSync, writeFileSync } from 'node:fs'
import process from 'node:process'
import nodemailer from 'nodemailer'
import { runBinary, runToEnd } from '../../support/binary.ts'
import { type HttpSink, startHttpSink } from '../../support/http-sink.ts'
import { freeTcpPort, freeUdpPort } from '../../support/ports.ts'
import { type SmtpSink, type SmtpSinkOptions, startSmtpSink } from '../../support/smtp-sink.ts'
import { tempDirectory } from '../../support/temp.ts'
import { atMost, until, within } from '../../support/wait.ts'

describe('HTTP sink', () => {
  let sink: HttpSink
  afterEach(() => sink.stop())

  test('records requests and answers as told', async () => {
    sink = await startHttpSink()
    sink.answerOnce({ status: 503, headers: { 'retry-after': '7' }, body: 'busy' })
    const first = await fetch(`${sink.url}/hook?a=1`, { method: 'POST', body: '{"å":1}', headers: { 'x-one': '1' } })
    expect([first.status, first.headers.get('retry-after'), await first.text()]).toEqual([503, '7', 'busy'])
    expect((await fetch(sink.url)).status).toBe(200)
    expect(sink.requests).toHaveLength(2)
    expect(sink.requests[0]).toMatchObject({ method: 'POST', url: '/hook?a=1', body: '{"å":1}' })
    expect(sink.requests[0]?.headers['x-one']).toBe('1')
  })

  test('goes down and comes up on the same port', async () => {
    sink = await startHttpSink()
    const { port } = sink
    await fetch(sink.url)
    await sink.down()
    await expect(fetch(sink.url)).rejects.toThrow()
    await sink.up()
    expect(sink.port).toBe(port)
    await fetch(sink.url)
    expect(await sink.received(2)).toHaveLength(2)
  })

  test('hangs and resets', async () => {
    sink = await startHttpSink()
    sink.answerOnce({ hang: true }, { reset: true })
    await expect(fetch(sink.url, { signal: AbortSignal.timeout(50) })).rejects.toThrow()
    await expect(fetch(sink.url)).rejects.toThrow()
    expect(sink.requests).toHaveLength(2)
  })
})

describe('SMTP sink', () => {
  let sink: SmtpSink
  afterEach(() => sink.stop())

  const send = async (options: { auth?: { user: string; pass: string } } = {}) => {
    const transport = nodemailer.createTransport({ host: '127.0.0.1', port: sink.port, ...options })
    try {
      return await transport.sendMail({ from: 'a@test', to: ['b@test', 'c@test'], subject: 'Grüße', text: 'body' })
    } finally {
      transport.close()
    }
  }
  const start = async (options?: SmtpSinkOptions) => {
    sink = await startSmtpSink(options)
  }

  test('keeps what it is sent', async () => {
    await start()
    await send()
    const [mail] = await sink.received(1)
    expect(mail?.envelope).toEqual({ from: 'a@test', to: ['b@test', 'c@test'] })
    expect(mail?.parsed.subject).toBe('Grüße')
    expect(mail?.parsed.text?.trim()).toBe('body')
  })

  test('refuses at every stage with the given code', async () => {
    await start()
    for (const how of [{ mailFrom: 451 }, { rcptTo: 550 }, { data: 452 }, { connect: 421 }]) {
      sink.answer(how)
      await expect(send()).rejects.toMatchObject({ responseCode: Object.values(how)[0] })
    }
    sink.answer({ rcptTo: { 'c@test': 550 } })
    expect((await send()).rejected).toEqual(['c@test'])
    expect(sink.mails).toHaveLength(1)
  })

  test('asks for a login', async () => {
    await start({ login: { user: 'u', password: 'p' } })
    await expect(send({ auth: { user: 'u', pass: 'wrong' } })).rejects.toMatchObject({ responseCode: 535 })
    await send({ auth: { user: 'u', pass: 'p' } })
    expect(sink.mails[0]?.user).toBe('u')
  })

  test('goes down and comes up on the same port', async () => {
    await start()
    await sink.down()
    await expect(send()).rejects.toMatchObject({ code: 'ESOCKET' })
    await sink.up()
    await send()
    expect(sink.mails).toHaveLength(1)
  })
})

describe('processes', () => {
  const bun = { command: process.execPath }

  test('waits for lines, stops and reports the exit code', async () => {
    const script = `process.on('SIGTERM', () => process.exit(4)); setInterval(() => {}, 1000); console.log('port 17')`
    await using running = runBinary(['-e', script], bun)
    expect((await running.waitForLine(/port (\d+)/))[1]).toBe('17')
    expect(await running.stop()).toBe(4)
  })

  test('says what was printed when the line never comes', async () => {
    await using running = runBinary(['-e', `console.log('only this')`], bun)
    await expect(running.waitForLine(/something else/)).rejects.toThrow(/exit code 0[\s\S]*only this/)
  })

  test('kills without mercy', async () => {
    await using running = runBinary(['-e', `setInterval(() => {}, 1000); console.log('up')`], bun)
    await running.waitForLine(/up/)
    await running.kill9()
    expect(await running.ended).toEqual({ code: null, signal: 'SIGKILL' })
  })

  test('runs to the end', async () => {
    expect(await runToEnd(['-e', `console.error('no'); process.exit(2)`], bun)).toEqual({
      code: 2,
      stdout: '',
      stderr: 'no',
    })
  })
})

describe('small helpers', () => {
  test('temporary directories vanish', async () => {
    let path = ''
    {
      await using temp = tempDirectory()
      path = temp.path
      writeFileSync(temp.join('a.txt'), 'a')
      expect(existsSync(path)).toBe(true)
    }
    expect(existsSync(path)).toBe(false)
  })

  test('ports are given out', async () => {
    expect(await freeTcpPort()).toBeGreaterThan(1023)
    expect(await freeUdpPort()).toBeGreaterThan(1023)
  })

  test('until gives up with the reason', async () => {
    let count = 0
    expect(await until(() => ++count > 3 && count)).toBe(4)
    await expect(until(() => false, { timeout: 20, what: 'rain', state: () => ({ sky: 'blue' }) })).rejects.toThrow(
      `waited ${atMost(20)} ms in vain for rain; state: {"sky":"blue"}`,
    )
    await expect(
      until(
        () => {
          throw new Error('no cloud')
        },
        { timeout: 20, what: 'rain' },
      ),
    ).rejects.toThrow('last error: Error: no cloud')
    await expect(within(new Promise(() => {}), 20, 'godot')).rejects.toThrow('in vain for godot')
  })
})
