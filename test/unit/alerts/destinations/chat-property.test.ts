/** Whatever names, logs and messages hold: Slack and Teams take the message, and nothing is lost on the way. */
import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { slackMessage } from '../../../../src/alerts/destinations/slack.ts'
import { teamsMessage } from '../../../../src/alerts/destinations/teams.ts'
import { templateContext } from '../../../../src/alerts/template-context.ts'
import { teamsFaults } from '../../../support/adaptive-card.ts'
import { CONTEXT, fullEvent, scriptLog, templateEngine } from '../../../support/alerts.ts'
import { recordingLog } from '../../../support/recording-log.ts'
import { slackFaults } from '../../../support/slack-blocks.ts'
import { repositoryRoot } from '../../../support/source.ts'

const RUNS = { numRuns: 60 }
const FILES = `${repositoryRoot}/test/fixtures/templates`
const engine = templateEngine(['/'])

/** Texts full of what JSON, HTML and markup care about; also very long ones and halves of characters. */
const text = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 60 }),
  fc
    .array(
      fc.constantFrom('"', '\\', '<', '>', '&', '```', '\r\n', '\t', '\u0000', '🤪', '\ud83e', '{{x}}', '|', '`'),
      { maxLength: 60 },
    )
    .map((parts) => parts.join('')),
  fc.constantFrom('x', '<&>').chain((unit) => fc.integer({ min: 0, max: 4000 }).map((n) => unit.repeat(n))),
)

const events = fc
  .record({
    taskName: text,
    appName: text,
    host: text,
    user: text,
    logMessage: text,
    lines: fc.array(text, { maxLength: 30 }),
    suppressed: fc.nat(3),
  })
  .map(({ lines, suppressed, ...message }) => {
    const event = fullEvent({ ...message, scriptLog: scriptLog(lines) })
    return { event, record: templateContext(event, CONTEXT, { headLines: 20, tailLines: 20 }, 'slash', { suppressed }) }
  })

const common = { name: 'x', basicMsgTemplate: 'Failed: {{taskName}}', webhookURL: 'https://x.example' } as const

describe.each([
  ['the built-in template', 'formatted', ''],
  ["a user's template", 'formatted', 'user'],
  ['a basic message', 'basic', ''],
] as const)('%s', (_name, messageType, kind) => {
  test('property: Slack takes it', async () => {
    await fc.assert(
      fc.asyncProperty(events, async ({ record }) => {
        const log = recordingLog()
        const templateFile = kind && `${FILES}/slack-user.handlebars`
        const { body, plain } = await slackMessage({ engine, log }, { ...common, messageType, templateFile }, record)
        expect(log.of('error')).toEqual([])
        // Slack shows backticks in a name as they are.
        const faults = slackFaults(body).filter((fault) => !fault.includes('block of code'))
        expect(faults).toEqual([])
        expect(slackFaults(plain)).toEqual([])
      }),
      RUNS,
    )
  })

  test('property: Teams takes it', async () => {
    await fc.assert(
      fc.asyncProperty(events, async ({ record }) => {
        const log = recordingLog()
        const templateFile = kind && `${FILES}/teams-user.handlebars`
        const message = await teamsMessage({ engine, log }, { ...common, messageType, templateFile }, record)
        expect(log.of('error')).toEqual([])
        const faults = teamsFaults(message).filter((fault) => !kind || !/fewer than 1 characters/.test(fault))
        expect(faults).toEqual([])
      }),
      RUNS,
    )
  })
})
