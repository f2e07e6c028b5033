/** Footman's alerts about itself, as people get them: over their own route, over routes of the user, in the log. */
import { afterAll, afterEach, beforeAll, expect, test } from 'bun:test'
import { renameSync, rmSync, writeFileSync } from 'node:fs'
import { type Footman, footman } from '../support/footman.ts'
import { type HttpSink, startHttpSink } from '../support/http-sink.ts'
import { until } from '../support/wait.ts'

let sink: HttpSink
const cleanups: (() => Promise<unknown>)[] = []

beforeAll(async () => {
  sink = await startHttpSink()
})
afterEach(async () => {
  for (const cleanup of cleanups.splice(0)) await cleanup()
  sink.requests.length = 0
  sink.answer({})
})
afterAll(() => sink.stop())

const webhook = (path: string) => ({ type: 'webhook', url: `${sink.url}/${path}` })

async function start(own: object): Promise<Footman> {
  const running = await footman({ simulator: null, args: ['--no-qs-connection'], config: { footman: own } })
  cleanups.push(async () => running[Symbol.asyncDispose]())
  return running
}

const WAIT = { timeout: 30_000 }
const got = (path: string) =>
  sink.requests.filter(({ url }) => url === `/${path}`).map(({ body }) => JSON.parse(body) as Record<string, string>)
const selfEvents = (running: Footman) =>
  running
    .rows<{ code: string; outcome: string }>(`SELECT code, outcome FROM event WHERE type = 'self' ORDER BY seq`)
    .map(({ code, outcome }) => `${code} ${outcome}`)

test('a broken calendar: told once to selfAlerts.to and to a route of the user, over a restart, and its end too', async () => {
  const running = await start({
    calendars: { holidays: { file: 'holidays.yaml' } },
    destinations: { own: webhook('own'), user: webhook('user') },
    selfAlerts: { to: ['own'] },
    alertRoutes: [{ name: 'about-footman', match: { type: 'self', outcome: '*' }, to: ['user'], recovery: true }],
  })
  const file = running.directory.join('holidays.yaml')
  writeFileSync(file, 'no list')
  await running.start()
  await until(() => got('own').length === 1 && got('user').length === 1, { ...WAIT, what: 'the alert, twice' })
  expect(got('own')[0]).toMatchObject({ key: 'footman:self:CALENDAR_UNREADABLE', kind: 'alert', outcome: 'raised' })
  expect(got('own')[0]?.message).toContain('holidays.yaml')

  expect(await running.process.stop()).toBe(0)
  await running.start()
  await running.process.waitForLine(/CALENDAR holidays: The file cannot be used/, 20_000)
  writeFileSync(`${file}.new`, '- 2026-12-24\n')
  renameSync(`${file}.new`, file)
  await running.process.waitForLine(/SELF CALENDAR_UNREADABLE cleared/, 30_000)
  await until(() => got('own').length === 2, { ...WAIT, what: 'the recovery' })
  expect(got('own')[1]).toMatchObject({ key: 'footman:self:CALENDAR_UNREADABLE', kind: 'recovery' })
  expect(selfEvents(running)).toEqual(['CALENDAR_UNREADABLE raised', 'CALENDAR_UNREADABLE cleared'])
}, 90_000)

test('a dead letter is told in the log and recorded, without any destination for it; dead self-alerts raise nothing', async () => {
  sink.answer({ status: 400 })
  const running = await start({
    destinations: { ops: webhook('ops') },
    alertRoutes: [{ name: 'all-of-it', match: { type: ['reload', 'self'], outcome: '*' }, to: ['ops'] }],
  })
  await running.start()
  const fired = await running.call('POST', '/v4/events/fire', { type: 'reload', outcome: 'failed' })
  expect(fired.status).toBe(202)
  await running.process.waitForLine(/SELF DEAD_LETTERS: Deliveries to ops were given up \(REJECTED: .*400/, 30_000)
  // The alert about it dies as well.
  await until(() => running.rows(`SELECT 1 FROM delivery WHERE state = 'dead'`).length === 2, WAIT)
  const told = running.process.stdout.filter((line) => line.includes('SELF '))
  expect(told).toHaveLength(1)
  expect(selfEvents(running)).toEqual(['DEAD_LETTERS raised'])
}, 60_000)

test('switched off, nothing is looked at', async () => {
  const running = await start({ calendars: { holidays: { file: 'missing.yaml' } }, selfAlerts: { enable: false } })
  rmSync(running.directory.join('missing.yaml'), { force: true })
  await running.start()
  await running.process.waitForLine(/CALENDAR holidays: The file cannot be used/, 20_000)
  expect(await running.process.stop()).toBe(0)
  expect(selfEvents(running)).toEqual([])
}, 60_000)
