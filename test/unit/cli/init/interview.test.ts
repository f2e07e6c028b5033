/** The questions of `footman init`. */
import { describe, expect, test } from 'bun:test'
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { PassThrough } from 'node:stream'
import { parse } from 'yaml'
import { nextFree } from '../../../../src/cli/init/answers.ts'
import { runInit } from '../../../../src/cli/init/index.ts'
import { createPrompt } from '../../../../src/cli/prompt.ts'
import { tempDirectory } from '../../../support/temp.ts'

/** Answers typed line by line; what comes back is everything that the person sees. */
async function typed(lines: readonly string[], given = {}, options = {}, there: Record<string, string> = {}) {
  await using directory = tempDirectory()
  for (const [name, text] of Object.entries(there)) {
    mkdirSync(dirname(directory.join(name)), { recursive: true })
    writeFileSync(directory.join(name), text)
  }
  const input = new PassThrough()
  const output = new PassThrough()
  const said: string[] = []
  const seen: Buffer[] = []
  output.on('data', (chunk: Buffer) => seen.push(chunk))
  input.end(lines.map((line) => `${line}\n`).join(''))
  const code = await runInit(
    given,
    { output: 'config/footman.yaml', ...options },
    { out: (text) => said.push(text), err: (text) => said.push(text) },
    {
      env: {},
      cwd: directory.path,
      execPath: '/usr/bin/footman',
      platform: 'linux' as const,
      isFree: async (protocol, port) => protocol === 'TCP' || port !== 9998,
      openPrompt: () => createPrompt({ input, output }),
    },
  )
  const files = readdirSync(directory.path, { recursive: true }) as string[]
  const written = files.includes('config/footman.yaml')
  return {
    code,
    files,
    butler: written ? parse(readFileSync(directory.join('config', 'footman.yaml'), 'utf8')).Butler : null,
    seen: Buffer.concat(seen).toString(),
    said: said.join('\n'),
  }
}

describe('the next steps', () => {
  const GIVEN = { qsHost: 'qs1.acme.example', footmanHost: '10.1.2.3' }
  const steps = async (given: object, there: readonly string[]) => {
    const files = Object.fromEntries(there.map((name) => [`own/${name}`, 'pem']))
    const { code, said } = await typed([], { ...GIVEN, ...given }, { yes: true }, files)
    expect(code).toBe(0)
    return said.slice(said.indexOf('Next:')).split('\n')
  }

  test('begin with the certificates while they are missing', async () => {
    const [, first] = await steps({}, [])
    expect(first).toMatch(
      /^ {2}1\. Copy client\.pem, client_key\.pem and root\.pem into .*certificate \(README\.txt there explains how to get them\)\.$/,
    )
  })

  test('name the certificates that a given folder lacks, and none when it has them all', async () => {
    const own = { certificates: 'own' }
    expect((await steps(own, ['client.pem']))[1]).toMatch(/^ {2}1\. Copy client_key\.pem and root\.pem into .*own\.$/)
    const complete = await steps(own, ['client.pem', 'client_key.pem', 'root.pem'])
    expect(complete[1]).toMatch(/^ {2}1\. Copy .*footman-log-appender|^ {2}1\. Copy .*\.xml/)
    expect(complete.join('\n')).not.toContain('client.pem')
  })
})

describe('the interview', () => {
  test('asks what is needed, offers defaults, and asks again after a wrong answer', async () => {
    const { code, butler, said, seen } = await typed([
      'https://qs1',
      '',
      'qs1.acme.example', // wrong, needed, right
      '10.1.2.3',
      '',
      'ops@acme.example, bi@acme.example',
      'smtp.acme.example',
      'ssl',
      'tls',
      'mailer',
      '',
      '',
      'y',
      'n',
      '', // encryption twice, user, port, sender, three switches
      '',
      'mail:99',
      'https://teams.example/x',
      'https://tickets.example/y',
      '',
      '',
      'start me, other',
      'yes',
      'y',
    ])
    expect(said).toContain('must be a host name')
    expect(said).toContain('is needed: the host name')
    expect(said).toContain('must be an https address, or env:NAME, file:PATH or credential:NAME, found "mail:99"')
    expect({ code, said: said.includes('Next:') }).toEqual({ code: 0, said: true })
    expect(seen).toContain('Port for messages of Qlik Sense (UDP) [9999]: ')
    expect(seen).toContain('Port of the mail server [465]: ')
    expect(seen).toContain('Sender of the mails [Qlik Sense <qliksense-noreply@acme.example>]: ')
    expect(said).toContain('UDP port 9999 is used, because 9998 is taken on this computer')
    expect(butler).toMatchObject({
      configQRS: { host: 'qs1.acme.example' },
      udpServerConfig: { portTaskFailure: 9999 },
      emailNotification: {
        reloadTaskFailure: { recipients: ['ops@acme.example', 'bi@acme.example'] },
        reloadTaskAborted: { enable: true },
        smtp: { host: 'smtp.acme.example', port: 465, secure: true, auth: { enable: true, user: 'mailer' } },
      },
      teamsNotification: { enable: true, reloadTaskFailure: { webhookURL: 'https://teams.example/x' } },
      footman: {
        destinations: { 'failures-webhook': { type: 'webhook', url: 'https://tickets.example/y' } },
        alertRoutes: [{ name: 'reload-failed', to: ['failures-webhook'] }],
      },
      startTaskFilter: { enable: true, allowTask: { tag: ['start me', 'other'] } },
      restServerEndpointsEnable: { keyValueStore: true },
    })
    expect(butler).not.toHaveProperty('slackNotification')
  })

  test('does not ask for what was given', async () => {
    const given = {
      qsHost: 'qs1',
      footmanHost: '10.1.2.3',
      udpPort: 9990,
      mailTo: [],
      slackUrl: '',
      teamsUrl: '',
      webhookUrl: '',
    }
    const { code, seen } = await typed(['', '', '', '', 'yes'], given)
    expect(code).toBe(0)
    expect(seen).not.toMatch(/Qlik Sense node|Mail addresses|Slack/)
    expect(seen).toContain('Address of the REST API')
  })

  test('the port of the mail server follows from whether there is a user', async () => {
    const given = { qsHost: 'qs1', footmanHost: '10.1.2.3', udpPort: 9990, mailTo: ['a@b.example'], smtpHost: 's' }
    expect((await typed(['', 'mailer'], given)).seen).toContain('Port of the mail server [587]: ')
    expect((await typed(['', ''], given)).seen).toContain('Port of the mail server [25]: ')
  })

  test('Enter at the end writes what is new; what is there is replaced after a yes only', async () => {
    const given = {
      qsHost: 'qs1',
      footmanHost: '10.1.2.3',
      udpPort: 9990,
      mailTo: [],
      slackUrl: '',
      teamsUrl: '',
      webhookUrl: '',
    }
    const { code, seen, files } = await typed(['', '', '', '', ''], given)
    expect(code).toBe(0)
    expect(seen).toContain('Write these files? [Y/n] ')
    expect(files).toContain('config/footman.yaml')
    const there = { 'config/footman.yaml': 'Butler: {}\n' }
    const again = await typed(['', '', '', '', ''], given, { force: true }, there)
    expect(again).toMatchObject({ code: 1, butler: {} })
    expect(again.seen).toContain('some anew? [y/N] ')
  })

  test('a no at the end, and the end of the input, write nothing', async () => {
    const given = {
      qsHost: 'qs1',
      footmanHost: '10.1.2.3',
      udpPort: 9990,
      mailTo: [],
      slackUrl: '',
      teamsUrl: '',
      webhookUrl: '',
    }
    const no = await typed(['', '', '', '', 'n'], given)
    expect(no).toMatchObject({
      code: 1,
      files: [],
      said: expect.stringContaining('nothing was written'),
    })
    expect(await typed(['', ''], given)).toMatchObject({
      code: 1,
      files: [],
      said: expect.stringContaining('error: init: stopped; nothing was written'),
    })
  })
})

test('the next free port, within reason', async () => {
  const free =
    (...ports: number[]) =>
    async (_: string, port: number) =>
      ports.includes(port)
  expect(await nextFree('TCP', 8080, free(8080, 8081))).toBe(8080)
  expect(await nextFree('TCP', 8080, free(8082, 8083))).toBe(8082)
  expect(await nextFree('TCP', 8080, free(9000))).toBe(8080)
  expect(await nextFree('UDP', 65_535, free())).toBe(65_535)
})

test('hidden answers are not shown', async () => {
  const [input, output] = [new PassThrough(), new PassThrough()]
  const seen: Buffer[] = []
  output.on('data', (chunk: Buffer) => seen.push(chunk))
  const prompt = createPrompt({ input: Object.assign(input, { isTTY: true, setRawMode: () => input }), output })
  const answer = prompt.askHidden('Value: ')
  input.write('hunter2\r')
  expect(await answer).toBe('hunter2')
  prompt.close()
  expect(Buffer.concat(seen).toString()).toStartWith('Value: ')
  expect(Buffer.concat(seen).toString()).not.toContain('hunter')
})
