/** The hub behind the REST server, with published documents and a recording mail server. */
import { randomUUID } from 'node:crypto'
import type { SendMailOptions } from 'nodemailer'
import { hubPages } from '../../src/console/hub/index.ts'
import { sessionMigrations } from '../../src/http/auth/sessions.ts'
import { createBlobs } from '../../src/platform/blobs.ts'
import { createGroupWriter } from '../../src/platform/group-commit.ts'
import { openDatabase } from '../../src/platform/sqlite.ts'
import type { Format } from '../../src/reports/entities/report.ts'
import { createHub } from '../../src/reports/hub/index.ts'
import type { HubDeps, HubSettingsOf } from '../../src/reports/hub/types.ts'
import type { MailOutcome } from '../../src/reports/mailer.ts'
import { hubMigrations } from '../../src/reports/migrations.ts'
import type { DeliveryJob } from '../../src/reports/runs/deliver.ts'
import type { HubPayload } from '../../src/reports/runs/plan.ts'
import { testClock } from './key-values.ts'
import { recordingLog } from './recording-log.ts'
import { routesApi } from './routes-api.ts'
import { tempDirectory } from './temp.ts'

export const RUN_ID = '019aa51a-f5f5-7c11-9b5e-2f2f6a0c1e10'

const MEDIA_TYPES: Partial<Record<Format, string>> = {
  pdf: 'application/pdf',
  html: 'text/html; charset=utf-8',
  xlsx: 'application/vnd.openxmlformats-officedocument.spreadsheetml.sheet',
}

interface Published extends Partial<HubPayload> {
  readonly id?: string
  readonly project?: string
  readonly taskName?: string
  readonly runId?: string
  readonly fileName?: string
  readonly format?: Format
  readonly content?: string | Uint8Array
}

export async function testHub(
  settings: Partial<HubSettingsOf> = {},
  deps: Partial<Pick<HubDeps, 'recipients' | 'testers'>> & {
    readonly outcome?: () => MailOutcome
    readonly server?: Parameters<typeof routesApi>[2]
  } = {},
) {
  const clock = testClock(Date.UTC(2026, 10, 24, 8))
  const db = openDatabase(':memory:', { migrations: [...hubMigrations, ...sessionMigrations] })
  const writer = createGroupWriter(db)
  const log = recordingLog()
  const directory = tempDirectory()
  const blobs = createBlobs(directory.path)
  const mails: SendMailOptions[] = []
  const hub = createHub(
    {
      db,
      writer,
      clock,
      log,
      blobs,
      recipients: deps.recipients ?? (() => []),
      testers: deps.testers ?? (() => []),
      hasRun: (id) => id === RUN_ID,
      mailer: {
        async send(mail) {
          mails.push(mail)
          return deps.outcome?.() ?? { outcome: 'sent', detail: '250 OK' }
        },
      },
    },
    {
      enable: true,
      auth: 'magicLink',
      trustedHeader: { name: 'X-Forwarded-User', fromAddresses: [] },
      linkMode: 'login',
      signedLinkDays: 7,
      sessionHours: 8,
      hubDays: 30,
      hubVersions: 10,
      base: 'http://reports.acme.example',
      restApi: true,
      fromAddress: 'reports@acme.example',
      allowedDomains: [],
      timezone: 'Europe/Stockholm',
      testAddress: null,
      ...settings,
    },
  )
  await hub.start()
  const api = await routesApi([...hub.routes, ...hubPages(hub.parts)], log, {
    publicUrl: settings.base ?? '',
    ...deps.server,
  })

  /** The id of the item. */
  async function publish({
    project = 'Sales',
    taskName = 'Weekly sales',
    runId = RUN_ID,
    ...wanted
  }: Published): Promise<string> {
    const { fileName = 'Sales pack.pdf', format = 'pdf', content = `content of ${fileName}`, ...payload } = wanted
    const blob = await blobs.put(typeof content === 'string' ? new TextEncoder().encode(content) : content)
    const document = wanted.document ?? randomUUID()
    const id = wanted.id ?? randomUUID()
    const result = await hub.carrier({
      run: { id: runId, taskId: randomUUID(), taskName, project },
      documents: [{ id: document, fileName, format, mediaType: MEDIA_TYPES[format] ?? 'text/plain', ...blob }],
      delivery: {
        id,
        payload: {
          title: 'Weekly sales',
          visibleTo: ['anna@acme.example'],
          versionKey: id,
          retentionDays: null,
          retentionVersions: null,
          test: false,
          ...payload,
          document,
        } satisfies HubPayload,
      },
    } as unknown as DeliveryJob)
    if (result.state !== 'sent') throw new Error(result.detail)
    return id
  }

  /** The token in the newest mail. */
  const tokenOf = (mail = mails.at(-1)): string => /\/hub\/login\/([\w-]+)/.exec(String(mail?.text))?.[1] ?? ''

  return {
    hub,
    api,
    db,
    log,
    clock,
    mails,
    blobs,
    publish,
    tokenOf,
    async [Symbol.asyncDispose]() {
      await hub.stop()
      await api[Symbol.asyncDispose]()
      db.close()
      directory.remove()
    },
  }
}

export type TestHub = Awaited<ReturnType<typeof testHub>>

/** Headers of a form that a page of the hub sends. */
export const OWN_FORM = {
  'Content-Type': 'application/x-www-form-urlencoded',
  'sec-fetch-site': 'same-origin',
}
