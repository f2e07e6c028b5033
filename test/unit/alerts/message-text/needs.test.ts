import { describe, expect, test } from 'bun:test'
import { textNeeds } from '../../../../src/alerts/message-text/writer.ts'
import { templateContext } from '../../../../src/alerts/template-context.ts'
import { createTimeFormatter } from '../../../../src/alerts/times.ts'
import type { MessageTexts } from '../../../../src/alerts/types.ts'
import type { Need } from '../../../../src/events/types.ts'
import { fullEvent } from '../../../support/alerts.ts'

const ALL: readonly Need[] = ['app', 'owner', 'execution', 'scriptLog']
const SITE: readonly Need[] = ['app', 'owner']
const body = (text: string): MessageTexts => ({ body: text })

describe('what texts need', () => {
  test.each([
    ['plain words', body('A task has failed')],
    ['variables of the message', body('{{taskName}} on {{ host }}: {{logMessage}} ({{executionId}})')],
    ['of app and owner', body('{{appName}}, {{{appOwnerName}}}, {{#if appOwnerEmail}}write{{else}}call{{/if}}')],
    ['of the history', body('{{consecutiveFailures}} in a row, last success {{lastSuccessLocal}}')],
    ['an Eta tag', body('<%= it.taskName %> has failed, <%~ it.chain.root.name %>')],
    ['with a title', { title: '{{taskName}}', body: 'failed' }],
  ])('neither execution nor script log: %s', (_name, texts) => {
    expect(textNeeds(texts, ALL)).toEqual(SITE)
  })

  test.each([
    ['the built-in body', null],
    ['the built-in body below a title', { title: '{{taskName}}' }],
    ['a template file', { title: 'x', template: 'mine.eta' }],
    ['the error', body('{{errorText}}')],
    ['a title with the error', { title: '{{errorText}}', body: 'failed' }],
    ['the run time', body('{{executionDuration.hours}} h')],
    ['the node', body('{{#if executingNodeName}}x{{/if}}')],
    ['the script log', body('{{scriptLogTail}}')],
    ['what is missing', body('{{missingParts}}')],
    ['a loop', body('{{#each executionDetails}}{{message}}{{/each}}')],
    ['everything', body('{{#with this}}{{errorText}}{{/with}}')],
    ['a look-up', body('{{lookup this "errorText"}}')],
    ['an expression', body('<%= it["error" + "Text"] %>')],
    ['a program', body('<% const { errorText } = it %><%= errorText %>')],
    ['the whole record', body('<%= it %>')],
    ['an unfinished tag', body('{{taskName')],
    ['both languages', body('<%= it.taskName %> {{errorText}}')],
  ])('everything: %s', (_name, texts) => {
    expect(textNeeds(texts, ALL)).toEqual(ALL)
  })

  test('every variable that the execution or its script log change is known', () => {
    const context = {
      qlikSenseUrls: {},
      genericUrls: [],
      version: '1',
      now: 0,
      times: createTimeFormatter({ timeZone: 'UTC' }),
    }
    const contextOf = (event: ReturnType<typeof fullEvent>) =>
      templateContext(event, context, { headLines: 5, tailLines: 5 }, 'slash')
    const full = contextOf(fullEvent({ id: 'e' }))
    const without = contextOf(
      fullEvent({ id: 'e', execution: null, scriptLog: null, missingParts: ['execution'], absentParts: ['execution'] }),
    )
    const changed = Object.keys(full).filter((name) => JSON.stringify(full[name]) !== JSON.stringify(without[name]))
    expect(changed).toContain('errorText')
    for (const name of changed) expect([name, textNeeds(body(`{{${name}}}`), ALL)]).toEqual([name, ALL])
  })
})
