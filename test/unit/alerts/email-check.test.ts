import { afterAll, expect, test } from 'bun:test'
import { mkdirSync, writeFileSync } from 'node:fs'
import { emailProblems } from '../../../src/alerts/butler-sections/email-check.ts'
import { createTemplateEngine } from '../../../src/alerts/templates/engine.ts'
import { emailConfig, templateEngine } from '../../support/alerts.ts'
import { tempDirectory } from '../../support/temp.ts'

const directory = tempDirectory()
afterAll(() => directory.remove())
writeFileSync(directory.join('good.handlebars'), '{{taskName}} {{#each executionDetails}}{{message}}{{/each}}')
writeFileSync(directory.join('bad.handlebars'), 'a\n{{#if}}')

const GOOD = { enable: true, fromAddress: 'Qlik <q@acme.example>', recipients: ['ops@acme.example'] }
const problems = async (section: object, more: object = {}) => {
  const config = emailConfig({ reloadTaskFailure: { ...GOOD, ...section } }, more)
  return (await emailProblems(templateEngine(), config)).map(({ severity, path, message }) => [severity, path, message])
}
const BASE = 'Butler.emailNotification.reloadTaskFailure'

test('good settings have no problems', async () => {
  expect(await problems({})).toEqual([])
  expect(await problems({ bodyFileDirectory: directory.path, htmlTemplateFile: 'good' })).toEqual([])
})

test.each<[string, object, string[]]>([
  [
    'recipient',
    { recipients: ['a@x.io; nonsense'] },
    ['error', `${BASE}.recipients[0]`, '"nonsense" is not a valid e-mail address'],
  ],
  [
    'sender',
    { fromAddress: 'noreply' },
    ['warning', `${BASE}.fromAddress`, 'holds no e-mail address; many mail servers refuse such mails'],
  ],
  ['subject', { subject: '{{#if x}}' }, ['error', `${BASE}.subject`, `${BASE}.subject:1:10: a block is not closed`]],
])('a bad %s is found', async (_, section, expected) => {
  expect(await problems(section)).toEqual([expected])
})

test('a template that is missing or fails is found', async () => {
  const missing = await problems({ bodyFileDirectory: directory.path, htmlTemplateFile: 'gone' })
  expect(missing).toEqual([['warning', `${BASE}.htmlTemplateFile`, expect.stringContaining('no template "gone"')]])
  const failing = await problems({ bodyFileDirectory: directory.path, htmlTemplateFile: 'bad' })
  expect(failing).toEqual([['error', `${BASE}.htmlTemplateFile`, expect.stringContaining('bad.handlebars')]])
})

test('a variable that no event has is a warning with its line', async () => {
  writeFileSync(directory.join('misspelt.handlebars'), '<p>\n{{tasId}} {{qliksSenseHub}}')
  const template = { bodyFileDirectory: directory.path, htmlTemplateFile: 'misspelt' }
  expect(await problems({ ...template, subject: '{{taskNam}} has failed' })).toEqual([
    ['warning', `${BASE}.subject`, 'line 1: there is no variable "taskNam"; did you mean "taskName"?'],
    [
      'warning',
      `${BASE}.htmlTemplateFile`,
      expect.stringMatching(/misspelt\.handlebars: line 2: there is no variable "tasId"; did you mean "taskId"\?$/),
    ],
  ])
})

test('a file in the template directory that breaks the built-in mail is found', async () => {
  mkdirSync(directory.join('own', 'email'), { recursive: true })
  writeFileSync(directory.join('own', 'email', 'facts.eta'), '<%= it.nothing.here %>')
  const engine = createTemplateEngine({ candidates: (path) => [directory.join(path)], templateDirectory: 'own' })
  const found = await emailProblems(engine, emailConfig({ reloadTaskFailure: GOOD }))
  expect(found).toMatchObject([
    { severity: 'error', path: 'Butler.footman.templateDirectory', message: expect.stringContaining('facts:1: ') },
  ])
})

test('sections about services and Qlik Cloud are looked at too', async () => {
  const config = {
    ...emailConfig({ serviceStopped: { ...GOOD, subject: '{{#if x}}' } as never }),
    serviceMonitor: { enable: true, alertDestination: { email: { enable: true } } },
  }
  const paths = (await emailProblems(templateEngine(), config)).map(({ path }) => path)
  expect(paths).toContain('Butler.emailNotification.serviceStopped.subject')
})

test('a test mode without address is found', async () => {
  const path = 'Butler.footman.email.testMode.address'
  expect(await problems({}, { testMode: { enable: true } })).toEqual([['error', path, expect.any(String)]])
})

test('what is off is not looked at', async () => {
  expect(await problems({ enable: false, recipients: ['nonsense'] })).toEqual([])
})
