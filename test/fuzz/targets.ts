/** Everything that reads text from outside, with small valid inputs. */

import { createTemplateEngine } from '../../src/alerts/templates/engine.ts'
import { escapeMarkdown } from '../../src/alerts/templates/escape.ts'
import { htmlToText } from '../../src/alerts/templates/html-to-text.ts'
import { TemplateError as AlertTemplateError } from '../../src/alerts/templates/source.ts'
import { settingSchema } from '../../src/app/config/stored.ts'
import { fieldsOf } from '../../src/console/forms.tsx'
import type { PageContext } from '../../src/console/page.ts'
import { formatted } from '../../src/console/pages/data/keyvalues.tsx'
import { readable } from '../../src/console/pages/delivery/message.tsx'
import { OPERATIONS } from '../../src/console/pages/index.ts'
import { KINDS, type Kind } from '../../src/console/pages/reports/kinds.ts'
import { formOfKind } from '../../src/console/pages/reports/steps.ts'
import { membersOf, simpleOf } from '../../src/console/pages/schedules/form.ts'
import { ownPath, uploadOf } from '../../src/console/requests.ts'
import { changeList, readFields } from '../../src/console/schema-form/fields.ts'
import { decodeDatagram, parseDatagram } from '../../src/events/datagram.ts'
import type { ApiRequest } from '../../src/http/endpoint/route.ts'
import { Refusal } from '../../src/http/errors.ts'
import { readIcs } from '../../src/platform/calendar-files.ts'
import { describeCron, parseCron } from '../../src/platform/cron.ts'
import { parseDuration, parseIsoDuration, parseSize } from '../../src/platform/duration.ts'
import { TextError } from '../../src/platform/encodings.ts'
import { parseFrequency } from '../../src/platform/frequency.ts'
import { globMatcher } from '../../src/platform/glob.ts'
import { parseOutsideJson } from '../../src/platform/json.ts'
import { isEmailAddress, splitAddresses } from '../../src/platform/mail-addresses.ts'
import { filterCovers, mayReach, topicMatches, topicProblem } from '../../src/platform/mqtt-topics.ts'
import { escapeHtml, onOneLine, visible, visibleBlock } from '../../src/platform/visible.ts'
import { ReportError } from '../../src/reports/codes.ts'
import { linearRegExp } from '../../src/reports/linear-regexp.ts'
import { cleanName, expandPattern, PATTERN_TOKENS, patternProblem } from '../../src/reports/patterns.ts'
import { readRecipients } from '../../src/reports/recipient-import.ts'
import { parseFormat } from '../../src/reports/templates/formats.ts'
import { checkTemplate } from '../../src/reports/templates/index.ts'
import { TemplateError } from '../../src/reports/templates/problems.ts'
import { parseTags } from '../../src/reports/templates/tags.ts'
import { shiftTokens, tokenize } from '../../src/reports/templates/workbook/formula.ts'
import { plainMarkup, readXml } from '../../src/reports/templates/xml.ts'
import { requestOf } from '../../src/reports/triggers/messages.ts'
import { parseStartMessage } from '../../src/tasks/start/parse.ts'
import { type Parts, zipOf } from '../support/office.ts'
import { shape, slideTemplate } from '../support/presentations.ts'
import { templateReport } from '../support/template-data.ts'
import { filledTemplate, paragraph, table, wordTemplate } from '../support/templates.ts'
import { filledWorkbook, salesWorkbook, workbookReport } from '../support/workbook.ts'
import type { Target } from './oracles.ts'

const NONE = () => false
const isRefusal = (error: unknown): boolean => error instanceof Refusal
const bytesOf = (text: string): Uint8Array<ArrayBuffer> => new TextEncoder().encode(text)
const GUID = '0f8d1c3a-1111-4222-8333-444455556666'

// --- Templates of alerts ---

const engine = createTemplateEngine({ candidates: () => [] })
const EVENT = {
  taskName: 'Sales ETL',
  logMessage: '<b>no</b>\r\n"such" file',
  tags: ['a', 'b'],
  taskId: GUID,
  count: 3,
}

/**
 * Eta is JavaScript of the administrator: its tokens make no loops, as those would never end. The library takes time with the
 * square of the blanks in a tag, which only an administrator can write.
 */
const ALERT_TEMPLATES: Target = {
  name: 'alert-templates',
  seeds: [
    'Task <%= it.taskName %> failed: <%~ it.logMessage %>',
    '<% if (it.count > 1) { %>many<% } else { %>one<% } %>',
    '{{taskName}} failed {{#if count}}{{count}} times{{else}}once{{/if}}',
    '{{#each tags}}- {{this}}\n{{/each}}{{{logMessage}}}',
  ],
  tokens: [
    '<%',
    '%>',
    '<%=',
    '<%~',
    'it.',
    '{{',
    '}}',
    '{{{',
    '{{#if',
    '{{/if}}',
    '{{else}}',
    '{{!--',
    '--}}',
    '`',
    '${',
  ],
  most: 512,
  run(text) {
    for (const target of ['html', 'text'] as const) {
      engine.render({ kind: 'inline', name: 'fuzz', text }, EVENT, target)
    }
  },
  declares: (error) => error instanceof AlertTemplateError,
}

/** What systems outside say about a failure, on its way into messages. */
const ALERT_TEXTS: Target = {
  name: 'alert-texts',
  seeds: ['2026-03-02 06:00:00 Error: Field not found - <Region>', '<p>Hello <a href="https://x.example">you</a></p>'],
  tokens: [
    '<!--',
    '-->',
    '<a href="',
    '<style>',
    '</style>',
    '<pre>',
    '</td>',
    '&nbsp;',
    '&#x0;',
    '<li>',
    '[a](b)',
    '**',
    '```',
  ],
  most: 65_536,
  run(text) {
    for (const made of [visible(text), visibleBlock(text), onOneLine(text), escapeHtml(text), escapeMarkdown(text)]) {
      if (typeof made !== 'string') throw new Error('no text')
    }
    htmlToText(text)
  },
  declares: NONE,
}

// --- Office templates ---

const MARKUP_TOKENS = [
  '<',
  '/>',
  '</',
  '<!--',
  '-->',
  '<![CDATA[',
  ']]>',
  '<?x',
  '?>',
  '<!DOCTYPE',
  '&amp;',
  '&#x41;',
  'xmlns:a="b"',
  '<w:p>',
  '{{',
  '}}',
  '{{#sales}}',
  '{{/sales}}',
  '{{^',
  '{{= ',
  '<w:r><w:t>',
  '</w:t></w:r>',
  '<w:fldChar w:fldCharType="begin"/>',
  '<w:fldChar w:fldCharType="separate"/>',
  '<w:instrText>INCLUDE',
  '</w:instrText>',
  '<w:tab/>',
  '<mc:Choice>',
  'r:id="rId1"',
  'TargetMode="External"',
  '<f>',
  '</f>',
  'WEBSERVICE(',
  '=SUM(A1:B2)',
  "'Sheet 1'!$A$1",
  '<c r="A1" t="s">',
  '<v>',
  '</v>',
  '#REF!',
]
const WORD = wordTemplate(
  paragraph('Total {{total}}', ' of {{title}}') + table(['{{#sales}}{{region}}', '{{amount}}{{/sales}}']),
)
const SLIDES = await slideTemplate({ content: shape('Title 1', 0, 'Total {{total}}'), notes: '{{title}}' })
const PACKAGES = (
  [
    ['report.docx', WORD, templateReport()],
    ['report.xlsx', salesWorkbook(), workbookReport()],
    ['report.pptx', SLIDES, templateReport()],
  ] as readonly (readonly [string, Parts, ReturnType<typeof templateReport>])[]
).map(([fileName, parts, report]) => ({ fileName, parts, report }))
const PARTS = PACKAGES.flatMap((one) =>
  Object.entries(one.parts).flatMap(([path, xml]) => (typeof xml === 'string' ? [{ ...one, path, xml }] : [])),
)

/** The first line of an input names the part that the rest replaces. */
const OFFICE_TEMPLATES: Target = {
  name: 'office-templates',
  seeds: PARTS.map(({ fileName, path, xml }) => `${fileName}/${path}\n${xml}`),
  tokens: MARKUP_TOKENS,
  most: 65_536,
  async run(input) {
    const at = input.indexOf('\n')
    const named = PARTS.find(({ fileName, path }) => input.startsWith(`${fileName}/${path}\n`)) ?? PARTS[0]!
    const { path, fileName, report } = named
    const parts = { ...named.parts, [path]: input.slice(at + 1) }
    const { ok } = await checkTemplate(await zipOf(parts), fileName, report, { maxTemplateMb: 25 })
    if (!ok) return
    await (fileName.endsWith('.xlsx') ? filledWorkbook(parts) : filledTemplate(parts))
  },
  // What a filled document may lack or exceed.
  declares: (error) => error instanceof ReportError,
}

const ZIPS = await Promise.all(PACKAGES.map(async ({ parts }) => Buffer.from(await zipOf(parts)).toString('latin1')))
const OFFICE_FILES: Target = {
  name: 'office-files',
  seeds: ZIPS,
  tokens: ['PK\x01\x02', 'PK\x03\x04', 'PK\x05\x06', '\xff\xff\xff\xff', '\0\0\0\0', '../', 'xl/workbook.xml'],
  most: 65_536,
  run: (input) =>
    checkTemplate(new Uint8Array(Buffer.from(input, 'latin1')), 'report.xlsx', workbookReport(), { maxTemplateMb: 25 }),
  declares: NONE,
}

const MARKUP: Target = {
  name: 'markup',
  seeds: ['<a x="1"><b>text &amp; more</b><!-- c --><![CDATA[d]]></a>', '<w:p><w:r><w:t>{{total}}</w:t></w:r></w:p>'],
  tokens: MARKUP_TOKENS,
  most: 65_536,
  run(input) {
    readXml(input, 'part', { text: (piece) => void piece(), start: () => {} })
    plainMarkup(input)
  },
  declares: (error) => error instanceof TemplateError,
}
const TAGS: Target = {
  name: 'tags',
  seeds: ['{{total}} {{#sales}}{{region:upper}}{{/sales}}', '{{= Sum(Sales) | #,##0.00 }}'],
  tokens: MARKUP_TOKENS,
  most: 32_768,
  run: (input) => parseTags(input),
  declares: (error) => error instanceof TemplateError,
}
const FORMULAS: Target = {
  name: 'formulas',
  seeds: ['SUM(\'Sheet 1\'!$A$1:B2,Table1[[#This Row],[x]])*{1,2;3,4}&"text"', 'IF(A1>=B2,"{{total}}",#REF!)'],
  tokens: MARKUP_TOKENS,
  most: 8192,
  run(input) {
    shiftTokens(tokenize(input), 3, 2)
  },
  declares: NONE,
}

// --- Patterns ---

const REGEXPS: Target = {
  name: 'regexps',
  seeds: ['^Sales (ETL|Load)\\b.*$', '[a-z]{2,5}\\d+(?:x|y)?', '(?:a|b)*c'],
  tokens: [
    '(?:',
    ')*',
    ')+',
    '{0,100}',
    '{1000}',
    '|',
    '[^',
    '\\p{L}',
    '\\u{1F600}',
    '\\b',
    '(?=',
    '\\1',
    '.*',
    '?<n>',
  ],
  most: 1000,
  run(pattern) {
    let compiled: ReturnType<typeof linearRegExp>
    try {
      compiled = linearRegExp(pattern)
    } catch (error) {
      // Mistakes of the pattern are plain errors; those of the compiler are other ones.
      if (error instanceof TypeError || error instanceof RangeError) throw error
      return
    }
    compiled.test('Sales ETL hourly aaaaaaaaaaaaaaaa', 1000)
  },
  declares: (error) => error instanceof Error && /longer than|takes too long|ms/.test(error.message),
}
const GLOBS: Target = {
  name: 'globs',
  seeds: ['Sales*', '*ETL?hourly*', 'a*b*c*d'],
  tokens: ['*', '?', '**', 'a*'],
  most: 4096,
  run: (glob) => void globMatcher([glob])(`${'aab'.repeat(40)} sales etl hourly`),
  declares: NONE,
}
const FILE_PATTERNS: Target = {
  name: 'file-patterns',
  seeds: ['{report} {date:yyyy-MM-dd}', '{task}/{cycle:Country}', 'x {expr:=Sum(Sales)} {seq:3}'],
  tokens: ['{date:', '{expr:', '{cycle}', '{{', '}}', '..', 'CON', ':', 'yyyy'],
  most: 2000,
  async run(pattern) {
    if (patternProblem(pattern, { tokens: PATTERN_TOKENS.personal, cycleFields: ['Country'] }) !== null) return
    const names = { task: 'T', project: 'P', date: new Date(0), runId: GUID, report: 'R', key: 'k' }
    cleanName(
      await expandPattern(pattern, { names, timezone: 'UTC', locale: 'en-GB', evaluate: async () => '1' } as never),
    )
  },
  declares: NONE,
}
const TIMES: Target = {
  name: 'times',
  seeds: ['0 6 * * 1-5', '*/15 0-6,22 L * MON#2', 'every 5 minutes', 'at 10:15 am', 'PT90S', '2h', '64 MB'],
  tokens: ['*/', '-', ',', 'L', 'W', '#', '?', 'MON', 'JAN', 'every', 'and', 'between', 'P1D', '@daily'],
  most: 1000,
  run(text) {
    for (const base of [0, 1] as const) {
      const cron = parseCron(text, base)
      if (cron.ok) describeCron(cron.value as never, 'Europe/Stockholm')
    }
    parseFrequency(text)
    parseDuration(text)
    parseIsoDuration(text)
    parseSize(text)
    simpleOf(text)
  },
  declares: NONE,
}
const NUMBER_FORMATS: Target = {
  name: 'number-formats',
  seeds: ['#,##0.00', 'date:yyyy-MM-dd', 'upper', '0.0 %'],
  tokens: ['#', '0', ',', '.', 'yyyy', "'", 'E+00', '%', ';'],
  most: 255,
  run: (text) => parseFormat(text),
  declares: NONE,
}
const CALENDARS: Target = {
  name: 'calendars',
  seeds: [
    'BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nUID:1\r\nDTSTART;VALUE=DATE:20260101\r\nRRULE:FREQ=YEARLY;COUNT=3\r\nSUMMARY:New Year\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n',
    'BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART;TZID=Europe/Stockholm:20260102T100000\nDTEND:20260103T100000Z\nEXDATE:20260102\nEND:VEVENT\nEND:VCALENDAR',
  ],
  tokens: [
    '\r\n ',
    'BEGIN:VEVENT\r\n',
    'END:VEVENT\r\n',
    ';',
    'FREQ=DAILY',
    'INTERVAL=0',
    'UNTIL=',
    'BYDAY=-1MO',
    'DURATION:P1W\r\n',
  ],
  most: 65_536,
  run: (text) => readIcs(text),
  declares: (error) => error instanceof TextError || (error instanceof Error && error.constructor === Error),
}

// --- MQTT ---

const MQTT_START: Target = {
  name: 'mqtt-start',
  seeds: [
    GUID,
    JSON.stringify([GUID, GUID]),
    JSON.stringify({ taskId: [GUID], tag: ['a'], match: 'all', requestId: 'r1', replyTopic: 'qs/reply' }),
    JSON.stringify([{ type: 'keyvaluestore', payload: { namespace: 'N', key: 'k', value: 'v', ttl: 1000 } }]),
    JSON.stringify({
      customProperty: [{ name: 'p', value: 'v' }],
      keyValueStore: [{ namespace: 'N', key: 'k', value: 1 }],
    }),
  ],
  tokens: [
    '[',
    '{"a":',
    '"taskId"',
    '"tag":',
    '"payload":{',
    '[[',
    ']]',
    '"requestId":',
    '"__proto__":{',
    '"match":"any"',
    'qs/#',
    '+',
  ],
  most: 1_048_576,
  run(text) {
    const rules = { subscriptionRootTopic: 'qs/#', taskStartTopic: 'qs/start' }
    parseStartMessage(bytesOf(text), rules)
    requestOf(text)
  },
  declares: NONE,
}
const MQTT_REPORT: Target = {
  name: 'mqtt-report',
  seeds: [
    JSON.stringify({
      taskId: [GUID],
      tag: ['weekly'],
      test: true,
      testAddress: 'a@x.example',
      recipients: ['b@y.example'],
    }),
    JSON.stringify({ force: true, reason: 'asked', dryRun: true }),
  ],
  tokens: ['"test":', '"filters":', '"recipients":[', '"__proto__":', '"variables":{', '[', '{'],
  most: 65_536,
  run: (text) => requestOf(text),
  declares: NONE,
}
const MQTT_TOPICS: Target = {
  name: 'mqtt-topics',
  seeds: ['qs/start', 'reports/+/start', '$share/group/qs/#', '$SYS/broker'],
  tokens: ['/', '+', '#', '+/+', '//', '$share/'],
  most: 65_535,
  run(topic) {
    topicProblem(topic)
    topicMatches(topic, 'reports/sales/start')
    topicMatches('reports/+/#', topic)
    mayReach(topic, 'qs/+/start')
    filterCovers(topic, 'reports/#')
  },
  declares: NONE,
}

// --- Datagrams ---

const DATAGRAMS: Target = {
  name: 'datagrams',
  seeds: [
    `/scheduler-reload-failed/;QS1;Sales ETL;Sales;DIR\\user;${GUID};${GUID};2026-03-02 06:00:00;WARN;${GUID};Reload failed`,
    '/engine-reload-failed/;QS1;Sales;DIR\\user;x;y;z',
    '/scheduler-reloadtask-success/;QS1;T;A;U;x;y;2026',
  ],
  tokens: [';', ';;', '/scheduler-task-failed/', '/scheduler-task-aborted/', '\r\n', '\xff\xfe', '/'],
  most: 65_507,
  run(text) {
    for (const bytes of [bytesOf(text), Buffer.from(text, 'latin1')]) parseDatagram(decodeDatagram(bytes).text)
  },
  declares: NONE,
}

// --- JSON, forms and files of the console ---

const JSON_TEXTS: Target = {
  name: 'json',
  seeds: ['{"name":"T","list":[1,2,{"a":null}],"text":"a\\"b"}', '[[[1],[2]],{"x":{"y":[]}}]'],
  tokens: ['[', ']', '{', '}', '{"a":', '"', '\\', '\\u0041', ',', ':'],
  most: 1_048_576,
  run(text) {
    const value = parseOutsideJson(text)
    JSON.stringify(value, null, 2)
    formatted(text)
    readable(text)
  },
  declares: (error) => error instanceof SyntaxError,
}

const startOf = (kind: Kind) => structuredClone(formOfKind(kind, {}).start)

const FORM_SEEDS = [
  'csrf=x&name=Mornings&kind=simple&every=day&at=06%3A00&timezone=UTC&task=a&state=started&action=startTask&shift=none',
  'name=N&kind=cron&cron=0+6+*+*+1-5&target=%7B%22tag%22%3A%5B%22x%22%5D%7D&startTags=a%2Cb&action=webhook&actionName=h&window=w',
  `kind=task&id=&revision=1&before=%7B%7D&definition=${encodeURIComponent(JSON.stringify(startOf('task')))}&f%3Aname=T&f%3Atags=a%0Ab&do=add+triggers+schedule`,
  `kind=report&id=1&before=%7B%7D&definition=${encodeURIComponent(JSON.stringify(startOf('report')))}&f%3Aname=R&do=up+blocks+1`,
  `kind=condition&id=1&before=%7B%7D&definition=${encodeURIComponent(JSON.stringify(startOf('condition')))}&do=remove+rules+0`,
]
const FORM_TOKENS = [
  '&',
  '=',
  '+',
  '%0A',
  '%FF',
  '%',
  '&name=',
  '&do=add+reports',
  '&do=down+triggers+99999999999',
  '&f%3Atriggers.0.type=',
  '__proto__',
  'f%3A__proto__.x=1',
  'f%3Aconstructor.prototype.y=1',
  '&kind=group',
  '&target=%5B%5D',
  '&target=null',
  '{"a":',
]

/** The part of a page that calls are made from. */
const PAGE = { settingSchema } as unknown as PageContext

/** Everything that a form becomes, whatever operation it is posted to. */
function useForm(form: URLSearchParams): void {
  const fields = fieldsOf(form)
  membersOf(fields)
  for (const operation of Object.values(OPERATIONS)) {
    try {
      operation.call(fields, PAGE)
    } catch (error) {
      if (!isRefusal(error)) throw error
    }
  }
  for (const kind of Object.keys(KINDS) as Kind[]) {
    const definition = startOf(kind)
    const made = formOfKind(kind, definition)
    readFields(definition, made.fields, form)
    changeList(definition, made.fields, form.get('do') ?? '')
  }
  ownPath(form.get('return') ?? form.get('name'), { prefix: '' })
}

const FORMS: Target = {
  name: 'forms',
  seeds: FORM_SEEDS,
  tokens: FORM_TOKENS,
  most: 65_536,
  run(text) {
    useForm(new URLSearchParams(text))
    if (({} as Record<string, unknown>).x !== undefined) throw new Error('a form has changed all objects')
  },
  declares: isRefusal,
}
const partOf = (name: string, value: string, file = '') =>
  `--b\r\nContent-Disposition: form-data; name="${name}"${file && `; filename="${file}"`}\r\n\r\n${value}\r\n`
const MULTIPART: Target = {
  name: 'multipart',
  seeds: [
    `${partOf('csrf', 'x')}${partOf('kind', 'task')}${partOf('file', 'a;b\r\n1;2', 'people.csv')}--b--\r\n`,
    `${partOf('name', 'N')}${partOf('definition', '{}')}--b--\r\n`,
  ],
  tokens: [
    '--b',
    '--b--',
    '\r\n\r\n',
    'Content-Disposition: form-data;',
    'name=',
    "filename*=UTF-8''",
    'Content-Type: text/csv\r\n',
  ],
  most: 65_536,
  async run(text) {
    const headers = new Headers({ 'content-type': 'multipart/form-data; boundary=b' })
    const { form } = await uploadOf({ headers, body: bytesOf(text) } as unknown as ApiRequest)
    useForm(form)
  },
  declares: isRefusal,
}
const PEOPLE: Target = {
  name: 'recipients',
  seeds: [
    'name,email,groups\r\nAnna,anna@x.example,"A|B"\r\n"B ""b""",b@y.example,\r\n',
    'name;email;attributes.region\nAnna;anna@x.example;North',
    '[{"name":"Anna","email":"anna@x.example","groups":["A"]}]',
  ],
  tokens: ['"', '""', ',', ';', '\r\n', 'attributes.', '__proto__', '|', '\t', 'sep=;\n'],
  most: 65_536,
  async run(text) {
    for (const contentType of ['text/csv', 'application/json', '']) {
      try {
        await readRecipients({ bytes: bytesOf(text), contentType }, async () => [])
      } catch (error) {
        if (!isRefusal(error)) throw error
      }
    }
    for (const address of splitAddresses([text.slice(0, 2000)])) isEmailAddress(address)
  },
  declares: NONE,
}

export const TARGETS: readonly Target[] = [
  ALERT_TEMPLATES,
  ALERT_TEXTS,
  OFFICE_TEMPLATES,
  OFFICE_FILES,
  MARKUP,
  TAGS,
  FORMULAS,
  REGEXPS,
  GLOBS,
  FILE_PATTERNS,
  TIMES,
  NUMBER_FORMATS,
  CALENDARS,
  MQTT_START,
  MQTT_REPORT,
  MQTT_TOPICS,
  DATAGRAMS,
  JSON_TEXTS,
  FORMS,
  MULTIPART,
  PEOPLE,
]
