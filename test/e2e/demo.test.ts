/** `footman demo` as a user sees it: the compiled executable in a pipe. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync } from 'node:fs'
import { createServer } from 'node:net'
import { footmanBinary, type Running, runBinary, runToEnd } from '../support/binary.ts'
import { freeTcpPort } from '../support/ports.ts'
import { type TempDirectory, tempDirectory } from '../support/temp.ts'
import { until } from '../support/wait.ts'

interface Curl {
  readonly url: string
  readonly body?: string
  readonly headers: Record<string, string>
}

/** Reads the commands back from the first page; a backslash joins two lines. */
function curlsOf(lines: readonly string[]): Curl[] {
  const commands =
    lines
      .join('\n')
      .replaceAll(/ \\\n\s*/g, ' ')
      .match(/^ *curl .*$/gm) ?? []
  return commands.map((command) => {
    const header = /-H '([^:]+): ([^']+)'/.exec(command)
    const body = /-d '([^']+)'/.exec(command)?.[1]
    return {
      url: /https?:\/\/\S+/.exec(command)![0],
      headers: header ? { [header[1]!]: header[2]! } : {},
      ...(body && { body }),
    }
  })
}

const call = ({ url, body, headers }: Curl) => fetch(url, body ? { method: 'POST', headers, body } : { headers })

describe('footman demo', () => {
  let port: number
  let temp: TempDirectory
  let demo: Running
  let curls: Curl[]

  beforeAll(async () => {
    port = await freeTcpPort()
    temp = tempDirectory()
    // Without --duration: on a busy machine it would end before the tests have seen everything.
    demo = runBinary(['demo', '--port', String(port)], {
      cwd: temp.path,
      env: { TMPDIR: temp.path, TEMP: temp.path, TMP: temp.path, NO_COLOR: '', FORCE_COLOR: '', COLUMNS: '' },
    })
    await demo.waitForLine(/TIME +WHERE +WHAT +TASK/, 15_000)
    curls = curlsOf(demo.stdout)
  }, 120_000)

  afterAll(async () => {
    await demo?.kill9()
    temp?.remove()
  })

  test('shows what runs where, and commands that work against it', () => {
    const page = demo.stdout.join('\n')
    expect(page).toMatch(/Repository \(QRS\) +https:\/\/127\.0\.0\.1:\d+/)
    expect(page).toMatch(/Engine \(QIX\) +wss:\/\/127\.0\.0\.1:\d+/)
    expect(page).toContain(`http://127.0.0.1:${port}`)
    expect(page).toMatch(/UDP +127\.0\.0\.1:\d+/)
    expect(page).toMatch(/Webhook +http:\/\/127\.0\.0\.1:\d+/)
    expect(page).toMatch(/Mail server +smtp:\/\/127\.0\.0\.1:\d+/)
    expect(page).toMatch(/MQTT broker +mqtt:\/\/127\.0\.0\.1:\d+/)
    expect(page).toContain('Ctrl+C')
    expect(page).not.toContain('\x1b')
    expect(page).toMatch(/Inbox +http:\/\/127\.0\.0\.1:\d+/)
    expect(page).toContain(`http://127.0.0.1:${port}/documentation`)
    expect(curls).toHaveLength(2)
    expect(page).toMatch(new RegExp(`footman failures --url http://127\\.0\\.0\\.1:${port}$`, 'm'))
    expect(page).toMatch(new RegExp(`footman events list --url http://127\\.0\\.0\\.1:${port}$`, 'm'))
  })

  test('the first failure has reached every receiver five seconds after the start', async () => {
    await Promise.all(
      ['mqtt', 'webhook', 'email'].map((destination) =>
        demo.waitForLine(
          new RegExp(`^  0:0[0-4] +${destination} +delivered +Financial Dashboard Reload .* [\\d,]+ ms$`),
          8000,
        ),
      ),
    )
  }, 90_000)

  test('the commands do what they say', async () => {
    const [fail, start] = curls
    const started = await call(start!)
    expect(started.status).toBe(200)
    const { totalTasksStarted, tasksStarted } = (await started.json()) as {
      totalTasksStarted: number
      tasksStarted: { taskName: string }[]
    }
    expect(totalTasksStarted).toBe(6)
    expect(tasksStarted).toHaveLength(6)
    expect((await call(fail!)).status).toBe(200)
    await demo.waitForLine(/sense +failed +Sales Report Update/, 5000)
    await demo.waitForLine(/email +delivered +Sales Report Update/, 5000)
    await demo.waitForLine(/email +delivered +Sales ETL hourly/, 5000)
  }, 90_000)

  test('the first mail is shown as text, once', async () => {
    await demo.waitForLine(/── end of the mail ─/, 5000)
    const page = demo.stdout.join('\n')
    expect(page).toContain('  Qlik Sense reload failed: "Financial Dashboard Reload"')
    expect(page).toContain("Error: Cannot open file: 'lib://QVD/sales.qvd'")
    expect(page.match(/── the mail ─/g)).toHaveLength(1)
  })

  test('the commands of Footman and the documentation of the API find it', async () => {
    const failures = await runToEnd(['failures', '--url', `http://127.0.0.1:${port}`])
    expect(failures).toMatchObject({ code: 0, stdout: expect.stringContaining('Financial Das') })
    const events = await runToEnd(['events', 'list', '--url', `http://127.0.0.1:${port}`])
    expect(events).toMatchObject({ code: 0, stdout: expect.stringContaining('Reload failed: Financial') })
    expect((await fetch(`http://127.0.0.1:${port}/documentation`)).status).toBe(200)
  })

  test('the inbox has the mail and the webhook', async () => {
    const inbox = /Inbox +(http:\/\/127\.0\.0\.1:\d+)/.exec(demo.stdout.join('\n'))![1]!
    const page = await (await fetch(inbox)).text()
    expect(page).toContain('Qlik Sense reload failed: &quot;Financial Dashboard Reload&quot;')
    expect(page).toContain('POST /reload-failed')
  })

  test('the report task has sent a file to each manager and to head office', async () => {
    await demo.waitForLine(/report +success +Weekly sales pack +6 mails, 1 file, 6 hub items/, 40_000)
    const inbox = /Inbox +(http:\/\/127\.0\.0\.1:\d+)/.exec(demo.stdout.join('\n'))![1]!
    // The notification leaves after the end of the run.
    await until(async () => (await (await fetch(inbox)).text()).includes('To bi-team@acme.example'))
    const list = await (await fetch(inbox)).text()
    for (const reader of ['astrid', 'dieter', 'una', 'bram', 'ines', 'head-office'])
      expect(list).toContain(`To ${reader}@acme.example`)
    const [, toAstrid] = /href="(\/messages\/\d+)"(?:(?!href).)*To astrid@/s.exec(list)!
    const mail = await (await fetch(inbox + toAstrid)).text()
    expect(mail).toMatch(/Sales pack_Nordic\.pdf \(\d+ KB\)/)
    const file = await fetch(`${inbox}${toAstrid}/files/0`)
    expect((await file.text()).slice(0, 5)).toBe('%PDF-')
  }, 70_000)

  test('the hub opens with a link from the inbox, and has the files of head office', async () => {
    const output = demo.stdout.join('\n')
    const [, hub, reader] = /Report hub +(http:\S+) +as (\S+)/.exec(output)!
    const inbox = /Inbox +(http:\/\/127\.0\.0\.1:\d+)/.exec(output)![1]!
    const headers = { 'content-type': 'application/x-www-form-urlencoded', 'sec-fetch-site': 'same-origin' }
    await fetch(`${hub}/login`, { method: 'POST', headers, body: new URLSearchParams({ address: reader! }) })
    const id = await until(async () => {
      const list = await (await fetch(inbox)).text()
      return /href="(\/messages\/\d+)"(?:(?!href).)*Sign in to your reports/s.exec(list)?.[1]
    })
    const mail = await (await fetch(`${inbox}${id}/mail`)).text()
    const [, link = ''] = /href="(http:[^"]+\/hub\/login\/[^"]+)"/.exec(mail) ?? []
    expect(link).toStartWith(hub!)
    const signedIn = await fetch(link, { method: 'POST', headers, redirect: 'manual' })
    const cookie = signedIn.headers.get('set-cookie')!.split(';', 1)[0]!
    const page = await (await fetch(hub!, { headers: { cookie } })).text()
    for (const name of ['Sales pack_Nordic.pdf', 'Sales by region_', 'Stock ', 'Download all as ZIP'])
      expect(page).toContain(name)
  }, 90_000)

  test('ends on Ctrl+C with a summary, and leaves nothing behind', async () => {
    await demo.waitForLine(/webhook +suppressed +Financial Dashboard Reload .*rate limited/, 40_000)
    demo.signal('SIGINT')
    expect(await demo.ended).toEqual({ code: 0, signal: null })
    const end = demo.stdout.slice(demo.stdout.findIndex((line) => line.includes('Stopped after'))).join('\n')
    expect(end).toMatch(/Tasks run +\d+: \d+ succeeded, \d+ failed, \d+ stopped/)
    // What was delivered is what has arrived.
    const delivered = /Delivered +(\d+ email, \d+ mqtt, \d+ webhook);/.exec(end)
    expect(delivered).not.toBeNull()
    expect(end).toMatch(new RegExp(`Receivers got +${delivered![1]}$`, 'm'))
    expect(demo.stderr).toEqual([])
    expect(readdirSync(temp.path)).toEqual([])
    await expect(fetch(curls[1]!.url)).rejects.toThrow()
  }, 70_000)
})

test('ends by itself after the time of --duration', async () => {
  await using temp = tempDirectory()
  const { code, stdout } = await runToEnd(['demo', '--duration', '2', '--port', '0'], { env: { TMPDIR: temp.path } })
  expect(code).toBe(0)
  expect(stdout).toMatch(/Stopped after 0:0\d/)
  expect(readdirSync(temp.path)).toEqual([])
}, 120_000)

test('Ctrl+C stops it with exit code 0; log lines go to standard error when asked for', async () => {
  await using temp = tempDirectory()
  await using demo = runBinary(['demo', '--port', '0', '--loglevel', 'info'], { env: { TMPDIR: temp.path } })
  await demo.waitForLine(/mqtt +delivered/, 15_000)
  demo.signal('SIGINT')
  expect(await demo.ended).toEqual({ code: 0, signal: null })
  expect(demo.stdout.join('\n')).toContain('Stopped after')
  expect(demo.stdout.join('\n')).not.toContain(' info: ')
  expect(demo.stderr.join('\n')).toMatch(/ info: .*REST server listening on/)
  expect(readdirSync(temp.path)).toEqual([])
}, 120_000)

test('a reader that has seen enough ends it, and nothing is left behind', async () => {
  await using temp = tempDirectory()
  const demo = spawn(footmanBinary(), ['demo', '--port', '0'], {
    env: { ...process.env, TMPDIR: temp.path },
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  await once(demo.stdout, 'data')
  demo.stdout.destroy()
  expect(await once(demo, 'exit')).toEqual([0, null])
  expect(readdirSync(temp.path)).toEqual([])
}, 120_000)

test('a port that is taken is one line of error and exit code 2', async () => {
  const holder = createServer().listen(0, '127.0.0.1')
  await once(holder, 'listening')
  const { port } = holder.address() as { port: number }
  await using temp = tempDirectory()
  try {
    const { code, stdout, stderr } = await runToEnd(['demo', '--port', String(port)], { env: { TMPDIR: temp.path } })
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr).toMatch(
      new RegExp(`^error: the demo cannot start: REST API cannot listen on TCP 127\\.0\\.0\\.1:${port}: .*--port.*$`),
    )
    expect(readdirSync(temp.path)).toEqual([])
  } finally {
    holder.close()
  }
}, 120_000)

test('an unknown log level is refused with exit code 1', async () => {
  const { code, stderr } = await runToEnd(['demo', '--loglevel', 'chatty'])
  expect(code).toBe(1)
  expect(stderr).toContain('unknown log level "chatty"')
}, 120_000)
