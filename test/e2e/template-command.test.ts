/** `footman template`: previews and exit codes, with samples and with an event of a running Footman. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { runBinary } from '../support/binary.ts'
import { type Footman, footman } from '../support/footman.ts'
import { htmlFaults } from '../support/html-lint.ts'
import { startSite, type TestSite } from '../support/simulator.ts'
import { tempDirectory } from '../support/temp.ts'
import { until } from '../support/wait.ts'

const TASK = 'a8b4c123-def4-5678-9abc-def012345678'
const directory = tempDirectory()
afterAll(() => directory.remove())

async function template(...args: string[]) {
  const running = runBinary(['template', ...args], { cwd: directory.path, env: { NODE_ENV: 'nothing-here' } })
  const { code } = await running.ended
  return { code, out: running.stdout.join('\n'), err: running.stderr.join('\n') }
}

describe('with a sample', () => {
  test('a built-in mail goes to a file', async () => {
    const args = ['--type', 'service', '--outcome', 'stopped', '--output', 'mail.html']
    expect(await template('preview', 'email/alert', ...args)).toEqual({ code: 0, out: '', err: '' })
    const html = readFileSync(directory.join('mail.html'), 'utf8')
    expect(htmlFaults(html.trim())).toEqual([])
    expect(html).toContain('Qlik Sense Engine Service')
  })

  test('a Handlebars file of the user, as mail, Slack message and subject', async () => {
    writeFileSync(directory.join('mine.handlebars'), '<h1>{{taskName}}</h1>\n')
    writeFileSync(directory.join('chat.handlebars'), '{{! chat }}\n{ "blocks": [], "text": "{{taskName}}", }\n')
    expect(await template('preview', 'mine.handlebars')).toMatchObject({
      code: 0,
      out: '<h1>Sample task &quot;A &amp; B&quot;</h1>',
    })
    expect(await template('preview', 'mine.handlebars', '--as', 'line')).toMatchObject({
      code: 0,
      out: '<h1>Sample task "A & B"</h1>',
    })
    const chat = await template('preview', 'chat.handlebars')
    expect(chat).toMatchObject({ code: 0, err: '' })
    expect(chat.out).toContain('"text": "Sample task \\"A &amp; B\\""')
  })

  test('--json tells what it is taken for', async () => {
    const { code, out } = await template('preview', 'email/alert.txt', '--type', 'license', '--json')
    expect(code).toBe(0)
    expect(JSON.parse(out)).toEqual({ target: 'text', text: expect.stringContaining('Days left:         41') })
  })

  test('a variable that does not exist is named with its line, and with what was probably meant', async () => {
    const lines = [
      '{{taskName}} {{#if tasId}}{{tasId}}{{else}}{{taskId}}{{/if}}',
      '{{#each taskTags}}{{this}} {{../hostNam}} {{whatever}} {{@index}}{{/each}}',
      '{{#each executionDetails as |step|}}{{step.message}}{{message}}{{@root.hosName}}{{/each}}',
      '{{#with appStream}}{{name}}{{/with}} {{executionStartTime.startTimeLocal1}} {{#if (eq outcom "failed")}}{{/if}}',
      '{{qliksSenseQMC}} {{xyzzyqwertyuiop}}',
    ]
    writeFileSync(directory.join('misspelt.handlebars'), lines.join('\n'))
    const { code, err } = await template('preview', 'misspelt.handlebars')
    expect(code).toBe(0)
    const warning = (line: number, name: string, meant?: string) =>
      `line ${line}: there is no variable "${name}"${meant ? `; did you mean "${meant}"?` : ''}`
    expect(err.split('\n').map((text) => text.replace(/^warning: \S*misspelt\.handlebars: /, ''))).toEqual([
      warning(1, 'tasId', 'taskId'),
      warning(1, 'tasId', 'taskId'),
      warning(2, 'hostNam', 'hostName'),
      warning(3, 'hosName', 'hostName'),
      warning(4, 'outcom', 'outcome'),
      warning(5, 'xyzzyqwertyuiop'),
    ])

    writeFileSync(directory.join('misspelt.eta'), '<p>\n<%= it.taskName %> <%= it.tasId ?? "" %>')
    const eta = await template('preview', 'misspelt.eta')
    expect(eta.code).toBe(0)
    expect(eta.err).toMatch(
      /^warning: \S*misspelt\.eta: line 2: there is no variable "tasId"; did you mean "taskId"\?$/,
    )
  })

  test('a sample of Qlik Cloud fills every variable of a live event', async () => {
    const variables = [
      'tenantId',
      'tenantComment',
      'tenantUrl',
      'userId',
      'userName',
      'appId',
      'appName',
      'appUrl',
      'taskName',
      'appDescription',
      'appPublishTime',
      'appThumbnail',
      'appHasSectionAccess',
      'appIsPublished',
      'appTags.[0]',
      'reloadTrigger',
      'source',
      'eventType',
      'eventTypeVersion',
      'endedWithMemoryConstraint',
      'isDirectQueryMode',
      'isPartialReload',
      'isSessionApp',
      'isSkipStore',
      'peakMemoryBytes',
      'rowLimit',
      'sizeMemoryBytes',
      'appFileSize',
      'reloadId',
      'status',
      'statements',
      'usageDuration',
      'errorCode',
      'errorMessage',
      'logMessage',
      'executionDuration.minutes',
      'executionStatusText',
      'executionId',
      'executionCreationTime.creationTimeUTC',
      'executionStartTime.startTimeUTC',
      'executionStartTime.year',
      'executionStartTime.startTimeLocal1',
      'executionStopTime.stopTimeLocal4',
      'scriptLogSize',
      'hostName',
      'scriptLogSizeRows',
      'scriptLogSizeCharacters',
      'scriptLogHead',
      'scriptLogTail',
      'scriptLogHeadCount',
      'scriptLogTailCount',
      'qlikSenseQMC',
      'qlikSenseHub',
      'qliksSenseQMC',
      'qliksSenseHub',
      'appOwnerName',
      'appOwnerUserId',
      'appOwnerPicture',
      'appOwnerEmail',
      'user',
      'logTimeStamp',
    ]
    writeFileSync(directory.join('cloud.txt.hbs'), variables.map((name) => `${name}=[{{${name}}}]`).join('\n'))
    const { code, out, err } = await template('preview', 'cloud.txt.hbs', '--type', 'cloudReload')
    expect({ code, err }).toEqual({ code: 0, err: '' })
    expect(out.match(/^.*=\[\]$/gm) ?? []).toEqual([])
    expect(out).toContain('qlikSenseQMC=[https://sample.eu.qlikcloud.com/console]')
    expect(out).toContain('eventType=[com.qlik.v1.app.reload.finished]')
  })

  test('a template with an error ends with 3 and says where', async () => {
    writeFileSync(directory.join('bad.handlebars'), 'one\n{{#if x}}')
    writeFileSync(directory.join('throws.eta'), '<%= it.a.b %>')
    writeFileSync(directory.join('slack.handlebars'), '{ "text": {{taskName}} }')
    const cases = [
      ['bad.handlebars', /bad\.handlebars:2:10: a block is not closed/],
      ['throws.eta', /throws\.eta:1: /],
      ['slack.handlebars', /slack\.handlebars.*not valid JSON/],
    ] as const
    for (const [file, text] of cases) {
      const { code, err } = await template('preview', file, '--output', 'never.html')
      expect(code).toBe(3)
      expect(err).toMatch(text)
    }
    expect(existsSync(directory.join('never.html'))).toBeFalse()
  })

  test.each([
    [['nowhere.eta'], /template nowhere\.eta: there is no such file .* email\/alert/],
    [['email/alert', '--type', 'nonsense'], /--type/],
    [['email/alert', '-c', 'missing.yaml'], /missing\.yaml/],
    [['email/alert', '--output', 'no/such/folder.html'], /--output/],
  ])('%p ends with 1', async (args, text) => {
    const { code, err } = await template('preview', ...args)
    expect(code).toBe(1)
    expect(err).toMatch(text)
  })

  test('the source of a built-in template, as a start for an own one that then replaces it', async () => {
    const shown = await template('show', 'email/layout')
    expect(shown).toMatchObject({ code: 0, err: '' })
    expect(shown.out).toContain('<!doctype html>')
    expect(await template('show', 'email/nothing')).toMatchObject({
      code: 1,
      err: expect.stringContaining('email/layout'),
    })
  })
})

describe('with an event', () => {
  let site: TestSite
  let product: Footman
  let event: string

  beforeAll(async () => {
    site = await startSite()
    product = await footman({ simulator: site.simulator })
    await product.start()
    site.simulator.setTask(TASK, { outcome: 'fail', durationMs: 100 })
    site.simulator.runTask(TASK)
    event = await until(() => product.rows<{ id: string }>(`SELECT id FROM event WHERE state = 'routed'`)[0]?.id, {
      timeout: 20_000,
    })
  }, 60_000)
  afterAll(async () => {
    await product?.[Symbol.asyncDispose]()
    await site?.[Symbol.asyncDispose]()
  })

  test('the mail that it would make', async () => {
    const { code, out, err } = await template('preview', 'email/alert', '--event', event, '-c', product.configFile)
    expect({ code, err }).toEqual({ code: 0, err: '' })
    expect(out).toContain('Financial Dashboard Reload')
  })

  test('an event that does not exist ends with 3, a Footman that cannot be reached with 2', async () => {
    const unknown = '019cad24-bb20-78e1-b80b-d70ae0784c78'
    const missing = await template('preview', 'email/alert', '--event', unknown, '-c', product.configFile)
    expect(missing).toMatchObject({ code: 3, err: expect.stringContaining('has no such event') })
    const away = await template('preview', 'email/alert', '--event', unknown, '--url', 'http://127.0.0.1:9')
    expect(away.code).toBe(2)
  })
})
