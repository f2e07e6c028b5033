import { afterEach, describe, expect, test } from 'bun:test'
import { mkdirSync, writeFileSync } from 'node:fs'
import { type AddressInfo, createServer, type Server } from 'node:net'
import { createServer as createTlsServer } from 'node:tls'
import { gunzipSync } from 'node:zlib'
import { SMTPServer } from 'smtp-server'
import { createEmailDestination, emailRules } from '../../../src/alerts/butler-sections/email.ts'
import { sendTestEmail } from '../../../src/alerts/destinations/email/test-email.ts'
import type { TransportTimeouts } from '../../../src/alerts/destinations/email/transport.ts'
import type { DeliveryResult, RenderInput } from '../../../src/alerts/types.ts'
import type { TaskEvent } from '../../../src/events/types.ts'
import { emailConfig, fullEvent, renderInput, STOCKHOLM, scriptLog, templateEngine } from '../../support/alerts.ts'
import { testCertificates } from '../../support/conformance/certificates.ts'
import { APP_ID, TASK_ID, taskEvent } from '../../support/events.ts'
import { startHttpSink } from '../../support/http-sink.ts'
import { type RecordingLog, recordingLog } from '../../support/recording-log.ts'
import { type SmtpSink, type SmtpSinkOptions, startSmtpSink } from '../../support/smtp-sink.ts'
import { tempDirectory } from '../../support/temp.ts'
import { until } from '../../support/wait.ts'

const FROM = 'Qlik Sense (no-reply) <qliksense-noreply@acme.example>'
const DELIVERY = '019cad24-c0ec-7b7c-b06b-c8fb46460cb1'
const never = new AbortController().signal

const cleanups: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

interface Setup {
  /** Of `reloadTaskFailure`. */
  readonly section?: object
  readonly smtp?: object
  /** `Butler.footman.email`. */
  readonly email?: object
  readonly timeouts?: TransportTimeouts
}

function settings(port: number, { section = {}, smtp = {}, email = {} }: Setup) {
  const base = { enable: true, fromAddress: FROM, recipients: ['ops@acme.example'], ...section }
  const tls = { requireTLS: false, rejectUnauthorized: false, ...(smtp as { tls?: object }).tls }
  return emailConfig(
    {
      reloadTaskFailure: base,
      reloadTaskAborted: { ...base, alertEnableByCustomProperty: { enable: false } },
      reloadTaskSuccess: base,
      smtp: { host: '127.0.0.1', port, secure: false, ...smtp, tls },
    } as never,
    email,
  )
}

function sender(port: number, setup: Setup = {}) {
  const config = settings(port, setup)
  const log = recordingLog()
  const deps = { clock: { now: Date.now }, log, engine: templateEngine(), times: STOCKHOLM, timeouts: setup.timeouts }
  const destination = createEmailDestination(deps, config)
  cleanups.push(() => destination.close?.())
  const routes = emailRules(config)
  const routeOf = (event: TaskEvent) => routes.find(({ when }) => when.outcomes.includes(event.outcome))!
  return {
    log,
    destination,
    routeOf,
    async send(event = fullEvent(), changes: Partial<RenderInput> = {}, signal = never): Promise<DeliveryResult> {
      const message = await destination.render(renderInput(routeOf(event), event, { deliveryId: DELIVERY, ...changes }))
      return (await destination.deliver([message], signal))[0]!
    },
  }
}

async function sink(options: SmtpSinkOptions = {}): Promise<SmtpSink> {
  const server = await startSmtpSink(options)
  cleanups.push(() => server.stop())
  return server
}

async function tls(implicit = false) {
  const { server } = await testCertificates()
  return { cert: server.cert.pem, key: server.key.pem, implicit }
}

const headersOf = (raw: string) =>
  raw
    .slice(0, raw.indexOf('\r\n\r\n'))
    .replace(/\r\n[ \t]+/g, ' ')
    .split('\r\n')

describe('a mail about a failed reload', () => {
  test('has the promised headers and both parts', async () => {
    const server = await sink()
    expect(await sender(server.port).send()).toEqual({ outcome: 'delivered', detail: expect.stringContaining('250') })
    const [mail] = server.mails
    expect(mail!.envelope).toEqual({ from: 'qliksense-noreply@acme.example', to: ['ops@acme.example'] })
    const headers = headersOf(mail!.raw)
    for (const header of [
      'From: Qlik Sense <qliksense-noreply@acme.example>',
      'To: ops@acme.example',
      `Message-ID: <${DELIVERY}@acme.example>`,
      'X-Priority: 1 (Highest)',
      'X-Msmail-Priority: High',
      'Importance: High',
      'Auto-Submitted: auto-generated',
      `X-Butler-Task-Id: ${TASK_ID}`,
      'X-Butler-Event: reloadTaskFailure',
      'MIME-Version: 1.0',
    ]) {
      expect(headers.map((line) => line.toLowerCase())).toContain(header.toLowerCase())
    }
    expect(headers.some((header) => header.startsWith('Content-Type: multipart/alternative;'))).toBe(true)
    const { subject, html, text } = mail!.parsed
    expect(subject).toBe('Qlik Sense reload failed: "Sales DW - hourly"')
    for (const body of [html!, text!]) {
      expect(body).toContain('Sales DW - hourly')
      expect(body).toContain('qs-sched-2')
      expect(body).toContain('FinishedFail (8)')
      expect(body).toContain('4 min 12 s')
    }
    expect(text).toContain("Error: Field 'Amount' not found")
    expect(html).toContain(`href="https://qs.acme.example/sense/app/${APP_ID}"`)
    // Nothing is fetched from elsewhere when the mail is opened.
    expect(html).not.toMatch(/<img|<link|\ssrc=|url\(/i)
  })

  test.each([
    ['low', ['X-Priority: 5 (Lowest)', 'X-Msmail-Priority: Low', 'Importance: Low']],
    ['normal', []],
  ])('priority %s', async (priority, expected) => {
    const server = await sink()
    await sender(server.port, { section: { priority } }).send()
    const found = headersOf(server.mails[0]!.raw).filter((header) => /priority|importance/i.test(header))
    expect(found).toEqual([...expected])
  })

  test('shows any name as it is', async () => {
    const server = await sink()
    const name = 'A "B" & <C> \\D ünï'
    await sender(server.port).send(fullEvent({ taskName: name }))
    const { subject, text, html } = server.mails[0]!.parsed
    expect(subject).toBe(`Qlik Sense reload failed: "${name}"`)
    expect(text).toContain(name)
    expect(html).toContain('A &quot;B&quot; &amp; &lt;C&gt; \\D ünï')
    expect(html).not.toContain('<C>')
  })

  test('cannot be given a second recipient or header by a task name', async () => {
    const server = await sink()
    await sender(server.port).send(fullEvent({ taskName: 'x\r\nBcc: evil@x.io\r\nX-Evil: 1' }))
    const [mail] = server.mails
    expect(mail!.envelope.to).toEqual(['ops@acme.example'])
    expect(headersOf(mail!.raw).filter((header) => /^(bcc|x-evil)/i.test(header))).toEqual([])
  })

  test('is sent with what the datagram tells, and says what is missing', async () => {
    const server = await sink()
    await sender(server.port).send(taskEvent({ missingParts: ['task', 'app', 'execution', 'scriptLog'] }))
    const { text, html } = server.mails[0]!.parsed
    const names = 'task details (tags, custom properties, next run), app details, '
    const rest = 'result of the execution (node, times, history), script log'
    expect(text).toContain(`Not available: ${names}${rest}. Qlik Sense did not answer before this mail had to leave.`)
    expect(html).toContain('<b>Not available:</b>')
    expect(text).toContain('Max retries reached')
  })

  test('names the alerts that were held back', async () => {
    const server = await sink()
    await sender(server.port).send(fullEvent(), { suppressed: 9 })
    expect(server.mails[0]!.parsed.text).toContain('9 earlier alerts about this were held back')
    expect(server.mails[0]!.parsed.html).toContain('<b>9</b> earlier alerts about this were held back')
  })

  test('of a test is marked as one', async () => {
    const server = await sink()
    await sender(server.port).send(fullEvent({ test: true }))
    expect(server.mails[0]!.parsed.subject).toBe('[TEST] Qlik Sense reload failed: "Sales DW - hourly"')
  })

  test.each([
    ['aborted', 'Qlik Sense reload aborted: "Sales DW - hourly"', 'ACME\\\\anna'],
    ['success', '✅ Qlik Sense reload success: "Sales DW - hourly"', 'ACME\\anna'],
    ['failed', 'Qlik Sense reload failed: "Sales DW - hourly"', 'ACME\\anna'],
  ] as const)('and one about outcome %s', async (outcome, subject, user) => {
    const server = await sink()
    await sender(server.port).send(fullEvent({ outcome, user: 'ACME\\\\anna' }))
    expect(server.mails[0]!.parsed.subject).toBe(subject)
    expect(server.mails[0]!.parsed.text).toContain(` ${user}\n`)
  })

  test('five thousand lines of script log are cut to the wanted ones', async () => {
    const server = await sink()
    const lines = Array.from({ length: 5000 }, (_, i) => `line ${i}\t"C:\\new\\temp"`)
    await sender(server.port).send(fullEvent({ scriptLog: scriptLog(lines) }))
    const { text } = server.mails[0]!.parsed
    expect(text).toContain('line 14\t"C:\\new\\temp"\n')
    expect(text).not.toContain('line 15\t')
    expect(text).toContain('line 4985\t"C:\\new\\temp"\n')
    expect(text).toContain('The script log has 5,000 rows')
  })
})

describe('the script log as an attachment', () => {
  test('plain', async () => {
    const server = await sink()
    await sender(server.port, { email: { attachScriptLog: true } }).send(
      fullEvent({ scriptLog: scriptLog(['a', 'b']) }),
    )
    const { attachments } = server.mails[0]!.parsed
    expect(attachments).toMatchObject([
      { filename: `2025-10-14_09-28-43_appId=${APP_ID}_taskId=${TASK_ID}.log`, mimeType: 'text/plain' },
    ])
    expect(new TextDecoder().decode(attachments[0]!.content as ArrayBuffer)).toBe('a\r\nb')
    expect(server.mails[0]!.raw).toContain('multipart/mixed')
  })

  test('compressed above 5 MiB', async () => {
    const server = await sink()
    const line = 'x'.repeat(1024 * 1024)
    const log = scriptLog([line, line, line, line, line, 'end'])
    const section = { headScriptLogLines: 0, tailScriptLogLines: 1 }
    await sender(server.port, { section, email: { attachScriptLog: true } }).send(fullEvent({ scriptLog: log }))
    const [attachment] = server.mails[0]!.parsed.attachments
    expect(attachment!.filename).toEndWith('.log.gz')
    expect(gunzipSync(new Uint8Array(attachment!.content as ArrayBuffer)).toString()).toBe(log.lines.join('\r\n'))
  })
})

describe('templates of the user', () => {
  async function sendWith(files: Record<string, string>, section: object): Promise<[SmtpSink, RecordingLog]> {
    const directory = tempDirectory()
    cleanups.push(() => directory.remove())
    mkdirSync(directory.join('partials'))
    for (const [name, text] of Object.entries(files)) writeFileSync(directory.join(name), text)
    const server = await sink()
    const { send, log } = sender(server.port, { section: { bodyFileDirectory: directory.path, ...section } })
    await send()
    return [server, log]
  }

  test('Handlebars with a partial and the suffix -qseow; the text part is made from it', async () => {
    const files = {
      'failed-reload-qseow.handlebars': '<h1>{{taskName}}</h1>\n{{#each taskTags}}\n<p>{{> tag}}</p>\n{{/each}}',
      'partials/tag.handlebars': 'Tag <b>{{this}}</b>',
    }
    const [server] = await sendWith(files, {})
    expect(server.mails[0]!.parsed.html).toContain('<h1>Sales DW - hourly</h1>\n<p>Tag <b>hourly-reload</b></p>')
    expect(server.mails[0]!.parsed.text?.trim()).toBe('Sales DW - hourly\nTag hourly-reload')
  })

  test('Eta with its own text part', async () => {
    const files = { 'my.eta': '<p><%= it.taskName %></p>', 'my.txt.eta': 'Oh no, <%= it.taskName %>' }
    const [server] = await sendWith(files, { htmlTemplateFile: 'my', subject: 'No: <%= it.appName %>' })
    expect(server.mails[0]!.parsed).toMatchObject({ subject: 'No: Sales DW', html: '<p>Sales DW - hourly</p>\n' })
    expect(server.mails[0]!.parsed.text).toBe('Oh no, Sales DW - hourly\n')
  })

  test('what must be said is added where the template does not say it', async () => {
    const directory = tempDirectory()
    cleanups.push(() => directory.remove())
    writeFileSync(directory.join('m.handlebars'), '<html><body><h1>{{taskName}}</h1></body></html>')
    writeFileSync(
      directory.join('own.handlebars'),
      '{{suppressedCount}} {{#each missingParts}}{{this}}{{/each}} {{retryAttempt}} {{chain.downstream.[0].name}}',
    )
    const server = await sink()
    for (const htmlTemplateFile of ['m', 'own']) {
      const { send } = sender(server.port, { section: { bodyFileDirectory: directory.path, htmlTemplateFile } })
      const retry = { attempt: 2, max: 3, nextAt: null, refused: null }
      const downstream = [{ id: 'd', name: 'A & B', usualStart: null }]
      const note = { chain: { root: { id: 'r', name: 'R' }, downstream } }
      await send(fullEvent({ scriptLog: null, missingParts: ['scriptLog'], retry }), { suppressed: 9, note })
    }
    const [plain, own] = server.mails.map(({ parsed }) => parsed)
    for (const body of [plain!.html!, plain!.text!]) {
      expect(body).toContain('9 earlier alerts about this were held back by the rate limit since the last mail.')
      expect(body).toContain('Not available: script log. Qlik Sense did not answer before this mail had to leave.')
      expect(body).toContain('Retries: This was try 2 of 3. No further try is made.')
      expect(body).toMatch(/One task will not run because it waits for this one: A (&|&amp;) B/)
    }
    expect(plain!.html!.trim()).toEndWith('</p></body></html>')
    expect(own!.html!.trim()).toBe('9 scriptLog 2 A &amp; B')
  })

  test('a missing file: the built-in mail and one warning', async () => {
    const [server, log] = await sendWith({}, { htmlTemplateFile: 'gone' })
    expect(server.mails[0]!.parsed.html).toContain('Reload failed')
    expect(log.of('warn')).toEqual([expect.stringContaining('no template "gone"')])
  })

  test.each([
    ['the body is malformed', { 'm.handlebars': 'a\n{{#if x}}' }, {}, 'm.handlebars:2:10: a block is not closed'],
    ['the body uses an unknown helper', { 'm.handlebars': '{{shout taskName}}' }, {}, 'unknown helper "shout"'],
    ['an Eta body throws', { 'm.eta': '\n<%= it.a.b %>' }, {}, 'm.eta:2: '],
    [
      'the subject is malformed',
      {},
      { subject: 'a {{#if}} b' },
      'Butler.emailNotification.reloadTaskFailure.subject:1:',
    ],
  ])('when %s a plain text mail says so', async (_, files, section, problem) => {
    const [server, log] = await sendWith(files as Record<string, string>, { htmlTemplateFile: 'm', ...section })
    const { subject, html, text } = server.mails[0]!.parsed
    expect(subject).toContain('Sales DW - hourly')
    expect(html).toBeUndefined()
    expect(text).toContain("Error: Field 'Amount' not found")
    expect(text).toContain('\nTemplate error: ')
    expect(text).toContain(problem)
    expect(log.of('error')[0]).toContain(problem)
  })
})

describe('test mode', () => {
  test('everything goes to one address', async () => {
    const server = await sink()
    const recipients = ['a@acme.example', 'b@acme.example', 'c@acme.example']
    const email = { testMode: { enable: true, address: 'test@acme.example' } }
    const { routeOf, send, log } = sender(server.port, { section: { recipients }, email })
    const event = fullEvent()
    const plan = routeOf(event).plan(event)
    expect(plan.map(({ target }) => target)).toEqual(recipients)
    for (const { target } of plan) await send(event, { target })
    expect(server.mails.map(({ envelope }) => envelope.to)).toEqual(recipients.map(() => ['test@acme.example']))
    expect(server.mails.map(({ parsed }) => parsed.subject)).toEqual(
      recipients.map((to) => `${to}: Qlik Sense reload failed: "Sales DW - hourly"`),
    )
    expect(server.mails.every(({ raw }) => !/^(cc|bcc):/im.test(raw))).toBe(true)
    expect(log.of('warn')).toEqual([expect.stringContaining('every mail goes to test@acme.example only')])
  })
})

describe('test mode without a usable address', () => {
  test('sends nothing to anybody', async () => {
    const server = await sink()
    const result = await sender(server.port, { email: { testMode: { enable: true, address: '' } } }).send()
    expect(result).toMatchObject({ outcome: 'retry', slow: true })
    expect(server.connections).toBe(0)
  })
})

describe('the mail server', () => {
  test.each([
    ['a temporary refusal of the recipient', { rcptTo: 450 }, { outcome: 'retry' }],
    ['a temporary refusal of the message', { data: 451 }, { outcome: 'retry' }],
    ['a temporary refusal of the sender', { mailFrom: 421 }, { outcome: 'retry' }],
    ['a temporary refusal to talk', { connect: 421 }, { outcome: 'retry' }],
    ['a refusal of the recipient', { rcptTo: 550 }, { outcome: 'rejected' }],
    ['a refusal of the message', { data: 554 }, { outcome: 'rejected' }],
    ['a refusal of the sender', { mailFrom: 550 }, { outcome: 'retry', slow: true }],
    ['a refusal to talk', { connect: 554 }, { outcome: 'retry', slow: true }],
  ] as const)('%s', async (_, answer, expected) => {
    const server = await sink()
    server.answer(answer)
    const result = await sender(server.port).send()
    expect(result).toMatchObject(expected)
    expect(result.detail).toContain(String(Object.values(answer)[0]))
  })

  test('down, three attempts, up again: one mail, the same Message-ID', async () => {
    const server = await sink()
    const { send } = sender(server.port)
    await server.down()
    for (let attempt = 0; attempt < 3; attempt++) {
      expect(await send()).toMatchObject({
        outcome: 'retry',
        detail: expect.stringContaining('refused the connection'),
      })
    }
    await server.up()
    expect(await send()).toMatchObject({ outcome: 'delivered' })
    expect(server.mails.map(({ parsed }) => parsed.messageId)).toEqual([`<${DELIVERY}@acme.example>`])
  })

  test('restarted between two mails', async () => {
    const server = await sink()
    const { send } = sender(server.port)
    await send()
    await server.down()
    await server.up()
    const result = await send()
    const last = result.outcome === 'delivered' ? result : await send()
    expect(last).toMatchObject({ outcome: 'delivered' })
    expect(server.mails).toHaveLength(2)
  })

  test('accepts connections and says nothing', async () => {
    const silent: Server = createServer(() => {})
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve))
    cleanups.push(() => silent.close())
    const { port } = silent.address() as { port: number }
    const { send } = sender(port, { timeouts: { connectMs: 200, greetingMs: 200 } })
    expect(await send()).toMatchObject({ outcome: 'retry', detail: expect.stringContaining('does not answer in time') })
  })

  test('takes a message and never answers', async () => {
    const server = await sink()
    server.answer({ hang: true })
    const { send } = sender(server.port, { timeouts: { silenceMs: 300 } })
    expect(await send()).toMatchObject({ outcome: 'retry' })
  })

  test('sending stops when the signal says so', async () => {
    const server = await sink()
    server.answer({ hang: true })
    const controller = new AbortController()
    const sending = sender(server.port).send(fullEvent(), {}, controller.signal)
    await until(() => server.connections > 0)
    controller.abort()
    expect(await sending).toEqual({ outcome: 'retry', detail: 'not finished in time' })
  })

  test('many recipients share few connections', async () => {
    const server = await sink()
    const recipients = Array.from({ length: 30 }, (_, i) => `r${i}@acme.example`)
    const { destination, routeOf } = sender(server.port, { section: { recipients } })
    const event = fullEvent()
    const messages = await Promise.all(
      recipients.map((target, i) =>
        destination.render(renderInput(routeOf(event), event, { target, deliveryId: `d${i}` })),
      ),
    )
    const results = await destination.deliver(messages, never)
    expect(results.every(({ outcome }) => outcome === 'delivered')).toBe(true)
    expect(server.mails.map(({ envelope }) => envelope.to[0]).sort()).toEqual([...recipients].sort())
    expect(server.connections).toBeLessThanOrEqual(4)
  })

  test('one refused recipient harms nobody else', async () => {
    const server = await sink()
    server.answer({ rcptTo: { 'b@acme.example': 550 } })
    const { destination, routeOf } = sender(server.port)
    const event = fullEvent()
    const targets = ['a@acme.example', 'b@acme.example', 'c@acme.example']
    const messages = await Promise.all(
      targets.map((target) => destination.render(renderInput(routeOf(event), event, { target }))),
    )
    const results = await destination.deliver(messages, never)
    expect(results.map(({ outcome }) => outcome)).toEqual(['delivered', 'rejected', 'delivered'])
  })
})

describe('login', () => {
  const login = { user: 'butler', password: 's3cret-word' }

  test('with the configured name', async () => {
    const server = await sink({ login, tls: await tls() })
    await sender(server.port, { smtp: { auth: { enable: true, ...login } } }).send()
    expect(server.mails[0]!.user).toBe('butler')
  })

  test('refused: tried again slowly, the password stays unsaid', async () => {
    const server = await sink({ login })
    const { send, log } = sender(server.port, { smtp: { auth: { enable: true, ...login, password: 'wrong-word' } } })
    const result = await send()
    expect(result).toMatchObject({ outcome: 'retry', slow: true, detail: expect.stringContaining('535') })
    expect(JSON.stringify([result, log.lines])).not.toContain('wrong-word')
  })
})

describe('OAuth 2', () => {
  async function mailServer(accepted: string) {
    const users: string[] = []
    const server = new SMTPServer({
      authMethods: ['XOAUTH2'],
      disabledCommands: ['STARTTLS'],
      allowInsecureAuth: true,
      closeTimeout: 1,
      onAuth: (auth, _session, done) => {
        if (auth.accessToken !== accepted) return done(null, { data: { status: '401', schemes: 'bearer' } } as never)
        users.push(auth.username ?? '')
        done(null, { user: auth.username })
      },
      onData: (stream, _session, done) => void stream.resume().on('end', () => done(null, 'accepted')),
    })
    server.on('error', () => {})
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    cleanups.push(() => new Promise<void>((resolve) => server.close(resolve)))
    return { users, port: (server.server.address() as AddressInfo).port }
  }

  async function tokenServer() {
    const server = await startHttpSink()
    cleanups.push(() => server.stop())
    server.answer({ body: JSON.stringify({ access_token: 'good-token', expires_in: 3600 }) })
    return server
  }

  const oauth2 = (url: string, more = {}) => ({
    oauth2: {
      user: 'box@acme.example',
      tokenUrl: `${url}/token`,
      clientId: 'id',
      clientSecret: 'client-secret',
      ...more,
    },
  })

  test.each([
    [
      { scope: 'smtp/.default' },
      'grant_type=client_credentials&client_id=id&client_secret=client-secret&scope=smtp%2F.default',
    ],
    [{ refreshToken: 'r1' }, 'grant_type=refresh_token&refresh_token=r1&client_id=id&client_secret=client-secret'],
  ])('logs in with a token that is asked for once: %p', async (more, form) => {
    const [tokens, server] = [await tokenServer(), await mailServer('good-token')]
    const { send } = sender(server.port, { email: oauth2(tokens.url, more) })
    expect(await send()).toMatchObject({ outcome: 'delivered' })
    expect(await send()).toMatchObject({ outcome: 'delivered' })
    expect(new Set(server.users)).toEqual(new Set(['box@acme.example']))
    expect(tokens.requests.map(({ body }) => body)).toEqual([form])
  })

  test('a refused token is tried again slowly', async () => {
    const [tokens, server] = [await tokenServer(), await mailServer('another')]
    expect(await sender(server.port, { email: oauth2(tokens.url) }).send()).toMatchObject({
      outcome: 'retry',
      slow: true,
    })
  })

  test('a token server that is down or refuses is tried again, its secret stays unsaid', async () => {
    const [tokens, server] = [await tokenServer(), await mailServer('good-token')]
    const { send } = sender(server.port, { email: oauth2(tokens.url) })
    tokens.answer({ status: 400, body: '{"error":"invalid_client"}' })
    const refused = await send()
    expect(refused).toMatchObject({ outcome: 'retry', detail: expect.stringContaining('invalid_client') })
    await tokens.down()
    const down = await send()
    expect(down).toMatchObject({ outcome: 'retry' })
    expect(JSON.stringify([refused, down])).not.toContain('client-secret')
  })
})

describe('TLS', () => {
  test('asks for the configured server name', async () => {
    const { server } = await testCertificates()
    const names: unknown[] = []
    const listener = createTlsServer({ cert: server.cert.pem, key: server.key.pem }, (socket) => {
      names.push((socket as { servername?: unknown }).servername)
      socket.destroy()
    })
    await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve))
    cleanups.push(() => listener.close())
    const { port } = listener.address() as AddressInfo
    await sender(port, { smtp: { secure: true, tls: { serverName: 'qs-central' } } }).send()
    expect(names).toEqual(['qs-central'])
  })

  test('is used when offered', async () => {
    const server = await sink({ tls: await tls() })
    await sender(server.port).send()
    expect(server.mails[0]!.secure).toBe(true)
  })

  test('from the start with secure', async () => {
    const server = await sink({ tls: await tls(true) })
    await sender(server.port, { smtp: { secure: true } }).send()
    expect(server.mails[0]!.secure).toBe(true)
  })

  test('is not used with ignoreTLS', async () => {
    const server = await sink({ tls: await tls() })
    await sender(server.port, { smtp: { tls: { ignoreTLS: true } } }).send()
    expect(server.mails[0]!.secure).toBe(false)
  })

  test.each([{ requireTLS: true }, { requireTLS: true, ignoreTLS: true }])(
    'that is required but not offered stops login and mail: %p',
    async (keys) => {
      const login = { user: 'butler', password: 's3cret-word' }
      const server = await sink({ login })
      const result = await sender(server.port, { smtp: { tls: keys, auth: { enable: true, ...login } } }).send()
      expect(result).toMatchObject({ outcome: 'retry', slow: true, detail: expect.stringContaining('requireTLS') })
      expect(server.mails).toEqual([])
    },
  )

  test('a certificate that cannot be verified', async () => {
    const server = await sink({ tls: await tls() })
    const result = await sender(server.port, { smtp: { tls: { rejectUnauthorized: true } } }).send()
    expect(result).toMatchObject({ outcome: 'retry' })
    expect(server.mails).toEqual([])
  })
})

describe('the mail that tests the settings', () => {
  const config = (port: number, email = {}) => settings(port, { email })

  test('is accepted', async () => {
    const server = await sink()
    const result = await sendTestEmail(config(server.port), { to: 'me@acme.example' })
    expect(result).toEqual({ accepted: true, answer: expect.stringContaining('250') })
    const [mail] = server.mails
    expect(mail!.parsed).toMatchObject({
      subject: 'Test email from Butler for Qlik Sense',
      from: { name: 'Qlik Sense', address: 'qliksense-noreply@acme.example' },
    })
    expect(headersOf(mail!.raw)).toContain('Content-Type: text/plain; charset=utf-8')
  })

  test('from another sender, and redirected by test mode', async () => {
    const server = await sink()
    const email = { testMode: { enable: true, address: 'test@acme.example' } }
    await sendTestEmail(config(server.port, email), { to: 'me@acme.example', from: 'it@acme.example' })
    expect(server.mails[0]!.envelope).toEqual({ from: 'it@acme.example', to: ['test@acme.example'] })
    expect(server.mails[0]!.parsed.subject).toStartWith('me@acme.example: ')
  })

  test('is refused', async () => {
    const server = await sink()
    server.answer({ rcptTo: 550 })
    const result = await sendTestEmail(config(server.port), { to: 'me@acme.example' })
    expect(result).toEqual({ accepted: false, answer: expect.stringContaining('550') })
    await server.down()
    expect((await sendTestEmail(config(server.port), { to: 'me@acme.example' })).accepted).toBe(false)
    expect((await sendTestEmail(config(server.port), { to: 'nonsense' })).answer).toContain('not a valid')
  })
})
