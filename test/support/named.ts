/** Named destinations that all send to one sink. */

import { type DestinationConfig, destinations } from '../../src/alerts/config-destinations.ts'
import { email } from '../../src/alerts/config-email.ts'
import type { MailSender } from '../../src/alerts/destinations/email/mailer.ts'
import { createDestination } from '../../src/alerts/destinations/index.ts'
import { createPacing } from '../../src/alerts/destinations/pacing.ts'
import type { DestinationDeps } from '../../src/alerts/destinations/types.ts'
import { createTextWriter } from '../../src/alerts/message-text/writer.ts'
import type { Message, RenderInput, Rule } from '../../src/alerts/types.ts'
import type { TaskEvent } from '../../src/events/types.ts'
import { createHttpClient, type HttpClient, type HttpClientSettings } from '../../src/platform/http-client.ts'
import { LINKS, STOCKHOLM, scriptLog, templateEngine } from './alerts.ts'
import { APP_ID, TASK_ID, taskEvent } from './events.ts'
import type { HttpSink } from './http-sink.ts'
import { recordingLog } from './recording-log.ts'

export const DELIVERY_ID = '019cad24-c0ec-7b7c-b06b-c8fb46460cb1'

/** The event of the examples: its links are those of the site without free ones. */
export function exampleEvent(changes: Partial<TaskEvent> = {}): TaskEvent {
  return taskEvent({
    id: '019cad24-bb20-78e1-b80b-d70ae0784c78',
    receivedAt: Date.parse('2026-03-02T06:03:11.520Z'),
    history: { consecutiveFailures: 2, lastSuccessAt: null },
    task: {
      id: TASK_ID,
      name: 'Financial Dashboard Reload',
      taskType: 0,
      enabled: true,
      tags: [{ id: 't1', name: 'financial-reports' }],
      customProperties: [{ value: 'financial-reports', definition: { id: 'd1', name: 'taskGroup' } }],
    },
    app: {
      id: APP_ID,
      name: 'Sales Dashboard',
      published: true,
      stream: { id: 's1', name: 'Finance' },
      owner: { id: 'o1', userId: 'anna', userDirectory: 'LAB', name: 'Anna Larsson' },
      tags: [],
      customProperties: [],
    },
    execution: {
      id: 'r1',
      status: 8,
      executingNodeName: 'qs-central',
      startTime: '2026-03-02T06:00:01.120Z',
      stopTime: '2026-03-02T06:03:11.482Z',
      duration: 190_362,
      fileReferenceID: 'f1',
      scriptLogAvailable: true,
      scriptLogSize: 48_213,
      details: [],
    },
    scriptLog: scriptLog([
      '20260302T070001.120+0100      Execution started.',
      "20260302T070310.790+0100 0042 Error: Cannot open file: 'lib://ERP/orders.qvd' (Native Path: \\\\fs01\\erp\\orders.qvd)",
      '20260302T070310.804+0100      Execution Failed',
      '20260302T070310.804+0100      Execution finished.',
    ]),
    ...changes,
  })
}

export function routeOf(changes: Partial<Rule> = {}): Rule {
  return {
    name: 'finance-ops',
    destination: 'place',
    when: { types: ['reload'], outcomes: ['failed'] },
    phase: 'enriched',
    needs: [],
    plan: () => [],
    ...changes,
  }
}

export function inputFor(event: TaskEvent, changes: Partial<RenderInput> = {}): RenderInput {
  const { severity } = event
  const fixed = { deliveryId: DELIVERY_ID, suppressed: 0, kind: 'alert', note: null } as const
  return { event, rule: routeOf(), target: 'place', severity, ...fixed, ...changes }
}

/** The parsed settings; the test names only what it needs. */
export function settingsOf(written: { readonly type: DestinationConfig['type'] } & Record<string, unknown>) {
  return destinations.parse({ place: written }).place!
}

export interface NamedSetup {
  /** Requests to any address go here; the addresses are in `urls`. */
  readonly sink?: HttpSink
  readonly deps?: Partial<DestinationDeps>
  readonly genericUrls?: (typeof LINKS)['genericUrls']
  /** Where template files are looked for. */
  readonly directories?: readonly string[]
  /** Shorter than the configuration allows. */
  readonly timeoutMs?: number
}

export function namedDeps({ sink, deps = {}, genericUrls = [], directories = [] }: NamedSetup = {}) {
  const log = recordingLog()
  const clock = deps.clock ?? { now: () => Date.now() }
  const engine = templateEngine(directories)
  const urls: string[] = []
  const context = () => ({ ...LINKS, genericUrls, version: '1.0.0', times: STOCKHOLM, now: clock.now() })
  const all: DestinationDeps = {
    clock,
    log,
    engine,
    texts: createTextWriter({ engine, log, context }),
    hostname: 'qs-central',
    version: '1.0.0',
    pacing: createPacing(clock),
    candidates: (path) => [path],
    environment: {},
    newRelic: { url: NEW_RELIC, accounts: [ACCOUNT] },
    mqtt: null,
    times: STOCKHOLM,
    mail: { sender: noMail, settings: email.parse({}), from: 'qlik@acme.example' },
    ...(sink ? { createClient: (settings: HttpClientSettings) => redirecting(settings, sink, urls) } : {}),
    ...deps,
  }
  return { deps: all, log, urls }
}

const NEW_RELIC = {
  event: 'https://insights-collector.eu01.nr-data.net',
  log: 'https://log-api.eu.newrelic.com/log/v1',
}
const ACCOUNT = { accountName: 'main', accountId: '12345', insertApiKey: 'newrelic-secret-1' }

const noMail = (): MailSender => {
  throw new Error('there is no mail server in this test')
}

/** Notes the address and asks the sink for the same path. */
function redirecting(settings: HttpClientSettings, sink: HttpSink, urls: string[]): HttpClient {
  const client = createHttpClient(settings)
  return {
    request(request) {
      const url = new URL(request.url)
      urls.push(url.href)
      return client.request({ ...request, url: `${sink.url}${url.pathname}${url.search}` })
    },
    close: () => client.close(),
  }
}

export function namedDestination(
  written: { readonly type: DestinationConfig['type'] } & Record<string, unknown>,
  setup: NamedSetup = {},
) {
  const { deps, log, urls } = namedDeps(setup)
  const settings = settingsOf(written)
  const timeout = setup.timeoutMs ?? settings.timeout
  const destination = createDestination(deps, 'place', { ...settings, timeout })
  /** At the first target of the destination. */
  const aimed = (input: RenderInput) => ({ ...input, target: destination.targets(input.event)[0]!.target })
  const send = async (input: RenderInput, signal = AbortSignal.timeout(30_000)) => {
    const message: Message = await destination.render(aimed(input))
    const [result] = await destination.deliver([message], signal)
    return { message, result: result! }
  }
  return { destination, send, aimed, log, urls, deps }
}
