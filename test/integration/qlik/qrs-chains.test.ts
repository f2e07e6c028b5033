import { afterAll, beforeAll, expect, test } from 'bun:test'
import { createQrsClient } from '../../../src/qlik/qrs/client.ts'
import { recordingLog } from '../../support/recording-log.ts'
import { startSite, type TestSite } from '../../support/simulator.ts'

let site: TestSite
beforeAll(async () => {
  site = await startSite()
})
afterAll(() => site[Symbol.asyncDispose]())

test('the links of the site: rules that wait for success, with the names of the tasks', async () => {
  const { ca, client: own } = site.simulator.certificates.pem
  const client = createQrsClient({ log: recordingLog() }, {
    host: '127.0.0.1',
    port: site.simulator.ports.qrs,
    useSSL: true,
    rejectUnauthorized: true,
    headers: [{ name: 'X-Qlik-User', value: 'UserDirectory=Internal;UserId=sa_repository' }],
    certificates: () => ({ ca: ca.pem, cert: own.cert.pem, key: own.key.pem }),
  } as never)
  try {
    const links = await client.chainLinks()
    expect(links.map(({ after, task }) => `${after.name} -> ${task.name}`).sort()).toEqual([
      'Finance QVD nightly -> Sales Report Update',
      'Financial Dashboard Reload -> Preload Sales Dashboard',
      'Name; with semicolon -> Task with 3 values of one property',
      'Nightly FTP fetch -> Sales Report Update',
      'Sales ETL hourly -> Financial Dashboard Reload',
    ])
  } finally {
    client.close()
  }
})
