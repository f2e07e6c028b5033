/** Notifications of a real PostgreSQL, and what becomes of them when it goes away. */
import { describe, expect, test } from 'bun:test'
import { createPostgresListener } from '../../../../src/platform/postgres/listener.ts'
import { startPostgres } from '../../../support/postgres.ts'
import { poolSettings } from '../../../support/postgres-pool.ts'
import { needs } from '../../../support/servers.ts'
import { atMost, until } from '../../../support/wait.ts'

needs('postgres')

describe('notifications', () => {
  test('come by channel, and again after each end of the connection', async () => {
    await using server = await startPostgres()
    const heard: string[] = []
    let starts = 0
    const settings = poolSettings(server, { connectTimeoutMs: 2000, applicationName: 'footman/ears' })
    const listener = createPostgresListener({ onListening: () => void starts++ }, settings, {
      footman_rev: (payload) => void heard.push(`rev ${payload}`),
      footman_inbox: (payload) => void heard.push(`inbox ${payload}`),
    })
    const listening = async (times: number) => {
      await until(() => starts >= times && listener.isListening, { what: `start ${times} of listening` })
      expect(starts).toBe(times)
    }
    const notify = (text: string) => server.sql(`NOTIFY ${text}`)

    expect(listener.isListening).toBe(false)
    listener.start()
    await listening(1)
    await notify(`footman_rev, '7'`)
    await notify('footman_other')
    await notify('footman_inbox')
    await until(() => heard.length === 2)
    expect(heard.splice(0)).toEqual(['rev 7', 'inbox '])

    await server.sql(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'footman/ears'`)
    await listening(2)
    await notify(`footman_rev, '8'`)
    await until(() => heard.length === 1)

    await server.kill()
    await until(() => !listener.isListening)
    await server.start()
    await listening(3)
    await notify(`footman_rev, '9'`)
    await until(() => heard.length === 2)
    expect(heard).toEqual(['rev 8', 'rev 9'])

    await listener.stop()
    expect(listener.isListening).toBe(false)
  }, 60_000)

  test('a server that stands still is noticed without a notification', async () => {
    await using server = await startPostgres()
    let starts = 0
    const settings = poolSettings(server, { connectTimeoutMs: 2000, statementTimeoutMs: 1500 })
    const listener = createPostgresListener({ onListening: () => void starts++ }, settings, {
      footman_rev: () => undefined,
    })
    listener.start()
    await until(() => listener.isListening)
    server.pause()
    await until(() => !listener.isListening, { what: 'the listener to notice' })
    server.resume()
    await until(() => listener.isListening)
    expect(starts).toBe(2)
    await listener.stop()
  }, 60_000)

  test('stopping does not wait for a server that is silent', async () => {
    await using server = await startPostgres()
    const listener = createPostgresListener({ onListening: () => undefined }, poolSettings(server), {})
    server.pause()
    listener.start()
    const start = performance.now()
    await listener.stop()
    expect(performance.now() - start).toBeLessThan(atMost(1000))
  }, 60_000)
})
