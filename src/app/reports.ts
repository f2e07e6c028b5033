/** Joins report tasks with the parts that they use: mail server, mail templates, Qlik Sense, key-value pairs. */
import { hostname } from 'node:os'
import { setTimeout as delay } from 'node:timers/promises'
import {
  type AddressAnswers,
  addAnswer,
  createMailTransport,
  smtpFailure,
  type TransportTimeouts,
} from '../alerts/destinations/email/transport.ts'
import { createTemplateEngine } from '../alerts/templates/engine.ts'
import { htmlToText } from '../alerts/templates/html-to-text.ts'
import type { DeliveryResult, Refusal } from '../alerts/types.ts'
import type { ConfigPaths } from '../config/paths.ts'
import type { KeyValueStore } from '../kv/types.ts'
import type { MqttService } from '../mqtt/types.ts'
import type { GroupWriter } from '../platform/group-commit.ts'
import { once } from '../platform/once.ts'
import type { Database } from '../platform/sqlite.ts'
import type { Clock } from '../platform/types.ts'
import type { Qlik } from '../qlik/index.ts'
import { definiteAnswer, reasonOf } from '../qlik/qrs/failure.ts'
import type { QrsClient } from '../qlik/qrs/types.ts'
import { ReportError } from '../reports/codes.ts'
import type { TaskState } from '../reports/conditions.ts'
import type { Definition } from '../reports/entities/task.ts'
import type { Reports } from '../reports/index.ts'
import type { MailOutcome, ReportMailer } from '../reports/mailer.ts'
import type { MailTemplates } from '../reports/runs/carriers.ts'
import type { GroupMember } from '../reports/runs/recipients.ts'
import { createEndedReader } from '../tasks/executions/history.ts'
import { meaningOf, statusTextOf } from '../tasks/executions/status.ts'
import type { Topics } from './observers.ts'
import { type AnnouncerDeps, createReportAnnouncer } from './report-announcer.ts'
import type { Config } from './schema.ts'
import type { AppOptions, Part, ReportTasks } from './types.ts'

/**
 * The mail server of `emailNotification.smtp` over one connection. A mail whose connection broke after the server asked for
 * its content may have been accepted.
 */
export function createReportMailer(config: Config, timeouts: TransportTimeouts = {}): ReportMailer & { close(): void } {
  let contentAsked = false
  let lastLine = ''
  let addresses: AddressAnswers = { taken: [], refused: [] }
  const transport = createMailTransport(config, timeouts, {
    connections: 1,
    onAnswer(line, command) {
      lastLine = line
      if (line.startsWith('354')) contentAsked = true
      addAnswer(addresses, line, command)
    },
  })
  let last: Promise<unknown> = Promise.resolve()

  const send: ReportMailer['send'] = async (mail) => {
    if (config.emailNotification.smtp.host === '') return { outcome: 'rejected', detail: NO_MAIL_SERVER }
    contentAsked = false
    lastLine = ''
    addresses = { taken: [], refused: [] }
    try {
      const { only, ...letter } = mail
      const envelope = only && { from: typeof mail.from === 'string' ? mail.from : mail.from.address, to: [...only] }
      const result = await transport.sendMail(envelope ? { ...letter, envelope } : letter)
      const { refused } = addresses
      const { response: detail } = result
      return refused.length === 0 ? { outcome: 'sent', detail } : { outcome: 'divided', detail, refused }
    } catch (error) {
      // Over a connection that was used before, the library drops the last words of the server.
      if (lastLine.startsWith('421')) Object.assign(error as Error, { response: lastLine, responseCode: 421 })
      return failureOf(error, contentAsked, addresses)
    }
  }

  return {
    /** One after the other, so that an answer of the server belongs to the mail under way. */
    send(mail) {
      const mine = last.then(() => send(mail))
      last = mine
      return mine
    },
    close: transport.close,
  }
}

/**
 * The failure of a mail; an address that the server has refused before has its own.
 * @param contentAsked whether the server has asked for the content
 */
function failureOf(error: unknown, contentAsked: boolean, { taken, refused }: AddressAnswers): MailOutcome {
  const { response, rejectedErrors } = error as { readonly response?: unknown; readonly rejectedErrors?: unknown }
  const failure = outcomeOf(smtpFailure(error), contentAsked && typeof response !== 'string')
  const { detail } = failure
  // That of a single one is the failure of the mail, and later it may leave for all.
  if (rejectedErrors !== undefined && refused.length > 1 && refused.some(({ isPermanent }) => isPermanent))
    return { outcome: 'divided', detail, refused }
  if (refused.length === 0 || taken.length === 0) return failure
  if (failure.outcome !== 'rejected' && failure.outcome !== 'unknown') return failure
  const others = taken.map((address): Refusal => {
    if (failure.outcome === 'unknown') return { address, detail, isPermanent: false, inDoubt: true }
    return { address, detail, isPermanent: true, ...(failure.tooLarge && { tooLarge: true }) }
  })
  return { outcome: 'divided', detail, refused: [...refused, ...others] }
}

function outcomeOf(result: DeliveryResult, isInDoubt: boolean): Exclude<MailOutcome, { outcome: 'divided' }> {
  if (isInDoubt) return { outcome: 'unknown', detail: result.detail ?? '' }
  if (result.outcome === 'rejected') return result
  if (result.outcome === 'delivered') return { outcome: 'sent', detail: result.detail }
  return { outcome: 'retry', detail: result.detail, peerDown: result.peerDown === true || result.slow === true }
}

const NO_MAIL_SERVER = 'no mail server is configured: set Butler.emailNotification.smtp.host'

/** Templates `<name>.eta`, `<name>.handlebars` and `<name>.hbs` of the folder. */
function createReportTemplates(directory: string): MailTemplates {
  const engine = once(() => createTemplateEngine({ templateDirectory: directory, candidates: (path) => [path] }))
  return async (name, context) => {
    const found = await engine().findEmail(directory, name)
    if (!found) return null
    const html = engine().render(found.html, context, 'html')
    return { html, text: found.text ? engine().render(found.text, context, 'text') : htmlToText(html) }
  }
}

/** Report tasks and their pages where the configuration switches them on; else null, and nothing of them is loaded. */
export async function loadReports(config: Config): Promise<ReportTasks | null> {
  if (!config.footman.reportTask.enable) return null
  const [{ createReports }, { hubPages }] = await Promise.all([
    import('../reports/index.ts'),
    import('../console/hub/index.ts'),
  ])
  return { createReports, hubPages }
}

interface ReportParts extends AnnouncerDeps {
  readonly db: Database
  readonly writer: GroupWriter
  readonly clock: Clock
  readonly paths: ConfigPaths
  readonly workerEntry?: URL | undefined
  readonly on: Pick<Topics, 'reportFinished'>
  readonly qlik: Qlik
  readonly mqtt: Pick<MqttService, 'onMessage'> | null
  readonly kv: { readonly store?: KeyValueStore }
}

/** The part of report tasks; nothing where they are off, and on satellites: the numbers are null then. */
export function buildReports(
  tasks: ReportTasks | null,
  deps: ReportParts,
  config: Config,
  options: AppOptions,
): Part &
  Pick<Reports, 'firings' | 'admitMessage'> & { queueLength(): number | null; engineSessions(): number | null } {
  const { footman, restServerConfig: server } = config
  if (!tasks || footman.node.role === 'satellite') {
    return { queueLength: () => null, engineSessions: () => null, firings: () => [], admitMessage: () => {} }
  }
  const { kv, paths, on } = deps
  const { qrs } = deps.qlik
  const { store } = kv
  const templates = paths.input(footman.reportTask.templateDirectory)
  const { testMode } = footman.email
  const { messageOf, hub, ...reports } = tasks.createReports(
    {
      ...deps,
      qlik: options.qrsConnection ? { qrs, ended: createEndedReader({ qrs, log: deps.log }) } : null,
      engine: deps.qlik.engineConnection,
      members: (definition, signal) => dynamicMembers(qrs, definition, signal),
      facts: {
        taskState: (taskId) => taskState(qrs, taskId),
        keyValue: async (namespace, key) => store?.get(namespace, key)?.value ?? null,
      },
      keyValues: store ?? null,
      mailer: createReportMailer(config),
      templates: createReportTemplates(templates),
      onEnded: on.reportFinished,
    },
    {
      section: footman.reportTask,
      timezone: footman.timezone,
      dataDirectory: options.dataDirectory,
      serverUrl: `${server.tls.enable ? 'https' : 'http'}://${hostname()}:${server.serverPort}`,
      testAddress: testMode.enable ? testMode.address : null,
      shadow: options.shadow,
      role: footman.node.role,
    },
  )
  const reportFinished = createReportAnnouncer(deps, messageOf, {
    shadow: options.shadow,
    startTopic: config.mqttConfig.taskStartTopic,
  })
  return {
    ...reports,
    routes: [...reports.routes, ...(hub ? tasks.hubPages(hub) : [])],
    observers: { ...reports.observers, reportFinished },
  }
}

/** Pauses before the second and third attempt. */
const REPOSITORY_RETRY_MS = [5000, 30_000]

async function dynamicMembers(qrs: QrsClient, { groups }: Definition, signal: AbortSignal) {
  const members: Record<string, GroupMember[]> = {}
  for (const { id, name, dynamic } of groups) {
    if (!dynamic) continue
    const users = await withRetries(() => qrs.users(dynamic.filter, signal), signal).catch((error: unknown) => {
      if (signal.aborted) throw error
      const reason = definiteAnswer(error) ?? reasonOf(error)
      const details = `the users of the recipient group "${name}" cannot be read: ${reason}; its filter is ${dynamic.filter}`
      throw new ReportError('REPOSITORY_UNREACHABLE', details, { cause: error })
    })
    members[id] = users.map(({ userName, emails, directory, userId }) => ({
      name: userName,
      address: emails[0] ?? null,
      qlikUser: { userDirectory: directory, userId },
    }))
  }
  return members
}

/** Tries again what may pass; rejects with the last error, and at once with a definite answer. */
async function withRetries<T>(work: () => Promise<T>, signal: AbortSignal): Promise<T> {
  for (const pause of [...REPOSITORY_RETRY_MS, null]) {
    try {
      return await work()
    } catch (error) {
      if (pause === null || definiteAnswer(error) !== null) throw error
      await delay(pause, undefined, { signal })
    }
  }
  throw new Error('unreachable')
}

/** The last execution of a Qlik task, as conditions ask for it. */
async function taskState(qrs: QrsClient, taskId: string): Promise<TaskState> {
  const task = await qrs.taskById(taskId)
  if (!task) throw new Error(`there is no Qlik task ${taskId}`)
  const result = task.operational?.lastExecutionResult
  if (!result) return { status: statusTextOf(0), running: false, last: null }
  const { state, outcome } = meaningOf(result.status)
  const last = outcome === null ? undefined : LAST[outcome]
  return {
    status: statusTextOf(result.status),
    running: state !== 'finished' && result.status !== 0,
    last: last ? { outcome: last, finishedAt: new Date(result.stopTime) } : null,
  }
}

const LAST: Readonly<Record<string, NonNullable<TaskState['last']>['outcome']>> = {
  success: 'succeeded',
  failed: 'failed',
  aborted: 'aborted',
}
