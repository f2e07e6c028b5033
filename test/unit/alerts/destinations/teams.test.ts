import { describe, expect, test } from 'bun:test'
import { writeFileSync } from 'node:fs'
import { MAX_MESSAGE, sizeOf, type TeamsSettings, teamsMessage } from '../../../../src/alerts/destinations/teams.ts'
import { sampleEvent } from '../../../../src/alerts/sample-event.ts'
import { type ContextDelivery, templateContext } from '../../../../src/alerts/template-context.ts'
import type { EventOutcome, EventType, TaskEvent } from '../../../../src/events/types.ts'
import { teamsFaults } from '../../../support/adaptive-card.ts'
import { CONTEXT, fullEvent, NASTY_NAME, nastyEvent, scriptLog, templateEngine } from '../../../support/alerts.ts'
import { taskEvent } from '../../../support/events.ts'
import { recordingLog } from '../../../support/recording-log.ts'
import { repositoryRoot } from '../../../support/source.ts'
import { tempDirectory } from '../../../support/temp.ts'

const SETTINGS: TeamsSettings = {
  name: 'Butler.teamsNotification.reloadTaskFailure',
  messageType: 'formatted',
  basicMsgTemplate: 'Qlik Sense reload failed: "{{taskName}}"',
  templateFile: '',
  webhookURL: 'https://prod-1.westeurope.logic.azure.com/workflows/x',
}
const USER_TEMPLATE = `${repositoryRoot}/test/fixtures/templates/teams-user.handlebars`

interface Options {
  readonly settings?: Partial<TeamsSettings>
  readonly lines?: number
  readonly delivery?: ContextDelivery
  readonly more?: object
}

interface Element {
  readonly type: string
  readonly text?: string
  readonly codeSnippet?: string
  readonly facts?: readonly { readonly title: string; readonly value: string }[]
  readonly actions?: readonly { readonly title: string; readonly url: string }[]
}

async function made(event: TaskEvent, { settings = {}, lines = 3, delivery = {}, more = {} }: Options = {}) {
  const log = recordingLog()
  const record = templateContext(event, CONTEXT, { headLines: lines, tailLines: lines }, 'slash', delivery)
  const deps = { engine: templateEngine(['/']), log }
  const message = await teamsMessage(deps, { ...SETTINGS, ...settings }, { ...record, ...more })
  const body = (message as { attachments?: { content: { body: Element[] } }[] }).attachments?.[0]?.content.body ?? []
  const find = (type: string) => body.find((element) => element.type === type)
  return { message, body, find, log }
}

describe('a formatted message', () => {
  test('of a failed reload', async () => {
    const event = fullEvent({
      taskId: '3c1f9a52-7d0e-4b6a-9f21-5a0d8b7c4e10',
      scriptLog: scriptLog([
        '2025-10-14 09:28:42  0042 LOAD * FROM [lib://Src/orders.qvd] (qvd)',
        "2025-10-14 09:28:43  Error: Field 'Amount' not found <orders>",
        '2025-10-14 09:28:43  Execution Failed',
      ]),
    })
    const { message } = await made(event, { more: { genericUrls: [] } })
    expect(message).toEqual({
      type: 'message',
      attachments: [
        {
          contentType: 'application/vnd.microsoft.card.adaptive',
          contentUrl: null,
          content: {
            $schema: 'http://adaptivecards.io/schemas/adaptive-card.json',
            type: 'AdaptiveCard',
            version: '1.4',
            msteams: { width: 'Full' },
            body: [
              {
                type: 'TextBlock',
                size: 'large',
                weight: 'bolder',
                color: 'attention',
                text: 'Reload failed: Sales DW - hourly',
                style: 'heading',
                wrap: true,
              },
              {
                type: 'FactSet',
                facts: [
                  { title: 'App', value: 'Sales DW' },
                  { title: 'Task ID', value: '3c1f9a52-7d0e-4b6a-9f21-5a0d8b7c4e10' },
                  { title: 'Owner', value: 'Anna Larsson (ACME/anna)' },
                  { title: 'User', value: 'ACME/svc-qlik' },
                  { title: 'Node', value: 'qs-sched-2' },
                  { title: 'Started', value: '2025-10-14 09:24:31 Europe/Stockholm' },
                  { title: 'Ended', value: '2025-10-14 09:28:43 Europe/Stockholm' },
                  { title: 'Result', value: 'FinishedFail (8)' },
                ],
              },
              {
                type: 'CodeBlock',
                codeSnippet:
                  "2025-10-14 09:28:42  0042 LOAD * FROM [lib://Src/orders.qvd] (qvd)\n2025-10-14 09:28:43  Error: Field 'Amount' not found <orders>\n2025-10-14 09:28:43  Execution Failed",
                language: 'PlainText',
              },
              {
                type: 'ActionSet',
                actions: [
                  { type: 'Action.OpenUrl', title: 'Open QMC', url: 'https://qs.acme.example/qmc', role: 'button' },
                  {
                    type: 'Action.OpenUrl',
                    title: 'Open app',
                    url: 'https://qs.acme.example/sense/app/a1000000-0000-4000-8000-000000000002',
                    role: 'button',
                  },
                ],
              },
            ],
          },
        },
      ],
    })
    expect(teamsFaults(message)).toEqual([])
  })

  const KINDS: readonly (readonly [EventType, EventOutcome])[] = [
    ...(['reload', 'externalProgram', 'userSync', 'distribute', 'preload'] as const).flatMap((type) =>
      (['failed', 'aborted', 'success', 'late', 'stuck', 'neverStarted'] as const).map(
        (outcome) => [type, outcome] as const,
      ),
    ),
    ['cloudReload', 'failed'],
    ['service', 'stopped'],
    ['service', 'started'],
    ['service', 'unreachable'],
    ['license', 'expiring'],
    ['license', 'expired'],
    ['self', 'raised'],
    ['self', 'cleared'],
  ]
  test.each(KINDS)('of %s %s is a valid card', async (type, outcome) => {
    const { message, body, log } = await made(sampleEvent('x', outcome, 0, type))
    expect(teamsFaults(message)).toEqual([])
    expect(log.of('error')).toEqual([])
    expect(body[0]!.text).toStartWith('[TEST] ')
  })

  test('says what is special about this one', async () => {
    const event = fullEvent({
      history: { consecutiveFailures: 3, lastSuccessAt: null },
      missingParts: ['owner'],
    })
    const { message, find } = await made(event, { delivery: { suppressed: 9 } })
    expect(find('FactSet')!.facts!.slice(-3)).toEqual([
      { title: 'Failures in a row', value: '3' },
      { title: 'Held back since the last message', value: '9' },
      { title: 'Not available', value: 'app owner' },
    ])
    expect(teamsFaults(message)).toEqual([])
  })

  test('of which only the datagram is known', async () => {
    const event = taskEvent({ missingParts: ['task', 'app', 'owner', 'execution', 'scriptLog'] })
    const { message } = await made(event)
    expect(teamsFaults(message)).toEqual([])
    expect(JSON.stringify(message)).toContain('Max retries reached')
  })

  test('task id, user and links are the right ones', async () => {
    const { find } = await made(fullEvent())
    const facts = Object.fromEntries(find('FactSet')!.facts!.map(({ title, value }) => [title, value]))
    expect(facts['Task ID']).toBe('a8b4c123-def4-5678-9abc-def012345678')
    expect(facts.User).toBe('ACME/svc-qlik')
    expect(find('ActionSet')!.actions!.map(({ title, url }) => `${title} ${url}`)).toEqual([
      'Open QMC https://qs.acme.example/qmc',
      'Open app https://qs.acme.example/sense/app/a1000000-0000-4000-8000-000000000002',
      'Runbook https://wiki.acme.example/reloads?a=1&b=2',
    ])
  })
})

describe('data that are hard to write', () => {
  test('names, paths, tabs and line breaks arrive as they are', async () => {
    const { message, body, find, log } = await made(nastyEvent(), { lines: 2 })
    expect(teamsFaults(message)).toEqual([])
    expect(log.of('error')).toEqual([])
    expect(body[0]!.text).toBe(`Reload failed: ${NASTY_NAME}`)
    expect(find('CodeBlock')!.codeSnippet).toBe(
      [4998, 4999]
        .map((i) => `2025-10-14 09:24:31\t${i} LOAD "x" & 'y' <z> FROM C:\\new\\temp\\${i}.qvd; \`\`\` 🤪 åäö`)
        .join('\n'),
    )
  })

  test('a script log that is too long loses its head first, then the beginning of its tail', async () => {
    const { message, body } = await made(nastyEvent(), { lines: 2000 })
    expect(teamsFaults(message)).toEqual([])
    expect(sizeOf(message)).toBeGreaterThan(MAX_MESSAGE - 4000)
    const logs = body.filter(({ type }) => type === 'CodeBlock').map(({ codeSnippet }) => codeSnippet!)
    expect(logs[0]).toStartWith('----Script log truncated by Butler----\n2025-10-14')
    expect(logs[0]).toContain('4999.qvd')
    expect(logs[1]).toBe('----Script log truncated by Butler----')
  })

  test('long names and messages fit as well', async () => {
    const long = '"\\<🤪'.repeat(3000)
    const event = nastyEvent({ taskName: long, appName: long, logMessage: long })
    const { message } = await made(event, { lines: 2000 })
    expect(teamsFaults(message)).toEqual([])
  })
})

describe("a user's template", () => {
  const settings = { templateFile: USER_TEMPLATE }

  test('works unchanged, also with a trailing comma where a link is missing', async () => {
    const { message, body, log } = await made(fullEvent(), { settings })
    expect(teamsFaults(message)).toEqual([])
    expect(log.of('error')).toEqual([])
    expect(body[1]!.facts![1]!.value).toBe('4 rows, 182 characters')
    expect(body.at(-1)!.actions).toEqual([
      { type: 'Action.OpenUrl', title: 'Runbook', url: 'https://wiki.acme.example/reloads?a=1&b=2' } as never,
    ])
  })

  test('survives backslashes and quotes, and shows no entities', async () => {
    const { message, body, log } = await made(nastyEvent(), { settings, lines: 2000 })
    expect(teamsFaults(message)).toEqual([])
    expect(log.of('error')).toEqual([])
    expect(body[0]!.text).toBe(`Reload failed: ${NASTY_NAME}`)
    expect(body[1]!.facts![2]!.value).toBe('2025-10-14T07:24:31.120Z\tStart by "ACME\\user" <x> & more\n')
    expect(JSON.stringify(message)).not.toMatch(/&(?:quot|amp|lt|#x27);/)
  })

  test('is told what it does not say', async () => {
    const { body } = await made(fullEvent(), { settings, delivery: { suppressed: 9 } })
    expect(body.at(-1)).toEqual({
      type: 'TextBlock',
      text: 'Alerts held back since the last message: 9',
      isSubtle: true,
      wrap: true,
    } as never)
  })

  test.each([
    ['bad.handlebars', '{ "text": "{{#if taskName}}x" }'],
    ['bad.eta', '{ "text": "<%= it.nothing.there %>" }'],
    ['bad.handlebars', '{ "text" }'],
  ])('that fails makes a basic message with the reason: %s %s', async (name, text) => {
    const directory = tempDirectory()
    const file = directory.join(name)
    writeFileSync(file, text)
    const { message, body, log } = await made(fullEvent(), { settings: { templateFile: file } })
    directory.remove()
    expect(teamsFaults(message)).toEqual([])
    expect(body[0]!.text).toBe('Qlik Sense reload failed: "Sales DW - hourly"')
    expect(body[1]!.text).toStartWith('Template error: ')
    expect(log.of('error')).toContainEqual(expect.stringContaining(name))
  })
})

describe('a basic message', () => {
  const settings = { messageType: 'basic' } as const

  test('is a card, which workflows take', async () => {
    const { message } = await made(fullEvent({ taskName: NASTY_NAME }), { settings })
    const open = (title: string, tooltip: string, url: string) => ({
      type: 'Action.OpenUrl',
      title,
      tooltip,
      url,
      role: 'button',
    })
    expect(message).toEqual({
      type: 'message',
      attachments: [
        {
          contentType: 'application/vnd.microsoft.card.adaptive',
          contentUrl: null,
          content: {
            $schema: 'http://adaptivecards.io/schemas/adaptive-card.json',
            type: 'AdaptiveCard',
            version: '1.3',
            body: [
              {
                type: 'TextBlock',
                size: 'large',
                weight: 'bolder',
                text: `Qlik Sense reload failed: "${NASTY_NAME}"`,
                style: 'heading',
                wrap: true,
              },
              {
                type: 'ActionSet',
                spacing: 'extraLarge',
                separator: true,
                actions: [
                  open('Open QMC', 'Open management console in Qlik Sense', 'https://qs.acme.example/qmc'),
                  open('Open Hub', 'Open hub in Qlik Sense', 'https://qs.acme.example/hub'),
                  open(
                    'Open app',
                    'Open app in Qlik Sense',
                    'https://qs.acme.example/sense/app/a1000000-0000-4000-8000-000000000002',
                  ),
                ],
              },
            ],
          },
        },
      ],
    })
    expect(teamsFaults(message)).toEqual([])
  })

  test('is the older format for connectors, which take nothing else for sure', async () => {
    const webhookURL = 'https://acme.webhook.office.com/webhookb2/x'
    const { message } = await made(fullEvent(), { settings: { ...settings, webhookURL } })
    expect(message).toEqual({
      '@type': 'MessageCard',
      '@context': 'https://schema.org/extensions',
      summary: 'Qlik Sense reload failed: "Sales DW - hourly"',
      themeColor: '0078D7',
      title: 'Qlik Sense reload failed: "Sales DW - hourly"',
      potentialAction: [
        {
          '@type': 'OpenUri',
          name: 'Qlik Sense QMC',
          targets: [{ os: 'default', uri: 'https://qs.acme.example/qmc' }],
        },
        {
          '@type': 'OpenUri',
          name: 'Qlik Sense Hub',
          targets: [{ os: 'default', uri: 'https://qs.acme.example/hub' }],
        },
      ],
    })
  })

  test('of a service without addresses has no buttons', async () => {
    const { message, body } = await made(sampleEvent('x', 'stopped', 0, 'service'), {
      settings: { ...settings, basicMsgTemplate: 'Windows service stopped: "{{serviceName}}" on host "{{host}}"' },
      more: { qlikSenseQMC: '', qlikSenseHub: '' },
    })
    expect(body.map(({ text }) => text)).toEqual([
      '[TEST] Windows service stopped: "QlikSenseEngineService" on host "sample-host"',
    ])
    expect(teamsFaults(message)).toEqual([])
  })
})
