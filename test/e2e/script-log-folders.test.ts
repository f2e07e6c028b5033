/** A script log that the repository cannot hand out is read from the share that the configuration names. */
import { afterEach, expect, test } from 'bun:test'
import { mkdirSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { footman } from '../support/footman.ts'
import { startSite } from '../support/simulator.ts'
import { startSmtpSink } from '../support/smtp-sink.ts'
import { tempDirectory } from '../support/temp.ts'
import { until } from '../support/wait.ts'

const TASK = 'a8b4c123-def4-5678-9abc-def012345678'
const WAIT = { timeout: 20_000 }
const cleanups: (() => unknown)[] = []
afterEach(async () => {
  for (const clean of cleanups.splice(0).reverse()) await clean()
})

test('the mail has it, the API as well; a link out of the folder is not followed', async () => {
  const [site, mailbox] = await Promise.all([startSite(), startSmtpSink()])
  const share = tempDirectory()
  cleanups.push(
    async () => site[Symbol.asyncDispose](),
    () => mailbox.stop(),
    () => share.remove(),
  )
  const archive = share.join('ArchivedLogs')
  mkdirSync(archive)
  const product = await footman({
    simulator: site.simulator,
    smtpPort: mailbox.port,
    config: {
      logLevel: 'verbose',
      footman: { dataDirectory: 'data', delivery: { enrichmentTimeout: '8s' }, scriptLogs: { folders: [archive] } },
    },
  })
  cleanups.push(async () => product[Symbol.asyncDispose]())
  await product.start()
  site.simulator.modes.scriptLog.delayMs = 0
  site.simulator.setTask(TASK, { outcome: 'fail', durationMs: 50 })
  site.simulator.fault({ listener: 'qrs', match: '/scriptlog', mode: 'status', args: [500] })

  /** Runs the task, and puts its log where Qlik Sense says that it is. */
  async function fail(put: (path: string) => void): Promise<string> {
    const count = mailbox.mails.length
    const executionID = site.simulator.runTask(TASK)
    const run = () => site.simulator.site.executions.byTask(TASK).find((one) => one.executionID === executionID)
    const location = await until(() => run()?.scriptLogLocation || null, WAIT)
    const path = join(archive, location.replaceAll('\\', '/'))
    mkdirSync(dirname(path), { recursive: true })
    put(path)
    const mails = await mailbox.received(count + 1, WAIT)
    return mails.at(-1)!.parsed.text!
  }

  const text = await fail((path) => {
    writeFileSync(path, 'Execution started.\r\nError: on the share\r\nExecution Failed\r\n')
    utimesSync(path, 0, 0)
  })
  expect(text).toContain('Error: on the share')
  await product.process.waitForLine(/was read in the archive/, 5000)

  const outside = share.join('secret.log')
  writeFileSync(outside, 'Error: the secret')
  utimesSync(outside, 0, 0)
  const other = await fail((path) => symlinkSync(outside, path))
  expect(other).not.toContain('the secret')
  await product.process.waitForLine(/it leads out of the folder/, 5000)
}, 60_000)
