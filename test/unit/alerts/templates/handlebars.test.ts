import { describe, expect, test } from 'bun:test'
import { TemplateError } from '../../../../src/alerts/templates/source.ts'
import { templateEngine } from '../../../support/alerts.ts'

const engine = templateEngine()
const render = (text: string, record: Record<string, unknown> = {}) =>
  engine.render({ kind: 'inline', name: 'subject', text }, record, 'html')

const record = {
  taskName: 'A "B" & <C>',
  executionDuration: { hours: 0, minutes: 4 },
  taskTags: ['t1', 't2'],
  properties: [
    { name: 'n1', value: 'v1' },
    { name: 'n2', value: 'v2' },
  ],
  genericUrls: [
    { id: 'butler_docs', url: 'https://d' },
    { id: 'other', url: 'https://o' },
  ],
  deep: { a: { b: { c: 'd' } } },
  empty: [],
  yes: true,
  no: false,
  zero: 0,
  'odd name': 'odd',
}

describe('what the templates of Butler 16 use', () => {
  test.each([
    ['{{taskName}} {{ taskName }}', 'A &quot;B&quot; &amp; &lt;C&gt; A &quot;B&quot; &amp; &lt;C&gt;'],
    ['{{{taskName}}}', 'A "B" & <C>'],
    ['{{executionDuration.hours}}h {{deep.a.b.c}} {{deep.x.y}}', '0h d '],
    ['{{#each taskTags}}[{{this}}]{{/each}}', '[t1][t2]'],
    ['{{#each properties}}{{this.name}}={{value}};{{/each}}', 'n1&#x3D;v1;n2&#x3D;v2;'.replaceAll('&#x3D;', '=')],
    ['{{#if yes}}a{{/if}}{{#if no}}b{{/if}}{{#if zero}}c{{/if}}{{#if empty}}d{{/if}}', 'a'],
    ['{{#each genericUrls}}{{#if (eq id "butler_docs")}}{{url}}{{/if}}{{/each}}', 'https://d'],
    ['a{{! comment }}b{{!-- {{#if (eq id "x")}} --}}c', 'abc'],
    ['{{missing}}{{missing.deeper}}', ''],
  ])('%s', (template, expected) => {
    expect(render(template, record)).toBe(expected)
  })

  test('lines that hold only a block or comment tag disappear', () => {
    const template = 'A\n{{#each l}}\n{{!-- c --}}\n  x{{this}}\n{{/each}}\nB'
    expect(render(template, { l: [1, 2] })).toBe('A\n  x1\n  x2\nB')
  })
})

describe('the rest of the language', () => {
  test.each([
    ['{{#if no}}a{{else}}b{{/if}}', 'b'],
    ['{{#if no}}a{{else if yes}}c{{else}}b{{/if}}', 'c'],
    ['{{#unless no}}u{{/unless}}', 'u'],
    ['{{#with deep.a}}{{b.c}}{{/with}}', 'd'],
    ['{{lookup taskTags 1}}', 't2'],
    ['{{#each properties as |p i|}}{{i}}{{p.name}}{{/each}}', '0n11n2'],
    ['{{#each executionDuration}}{{@key}}{{this}}{{/each}}', 'hours0minutes4'],
    [
      '{{#each taskTags}}{{@index}}{{@first}}{{@last}}{{@root.zero}}{{../zero}};{{/each}}',
      '0truefalse00;1falsetrue00;',
    ],
    ['{{&taskName}}', 'A "B" & <C>'],
    ['a {{~ zero ~}} b', 'a0b'],
    ['{{[odd name]}}', 'odd'],
    ['{{taskTags.[0]}}', 't1'],
    ['{{#taskTags}}{{.}}{{/taskTags}}{{^empty}}none{{/empty}}', 't1t2none'],
    ['\\{{zero}}', '{{zero}}'],
    [
      '{{#if (eq zero 0)}}n{{/if}}{{#if (eq no false)}}b{{/if}}{{#if (eq nil null)}}x{{/if}}{{#if (eq nil undefined)}}u{{/if}}',
      'nbu',
    ],
    ['{{#if (eq zero "0")}}loose{{else}}strict{{/if}}', 'strict'],
    ['{{"odd name"}}', 'odd'],
  ])('%s', (template, expected) => {
    expect(render(template, record)).toBe(expected)
  })
})

describe('what no template can reach', () => {
  test.each([
    '{{constructor}}',
    '{{taskName.constructor}}',
    '{{__proto__}}',
    '{{deep.__proto__.toString}}',
    '{{lookup deep "constructor"}}',
    '{{#with (lookup taskTags "constructor")}}{{this}}{{/with}}',
    '{{taskTags.map}}',
    '{{toString}}',
  ])('%s', (template) => {
    expect(render(template, record)).toBe('')
  })
})

describe('errors name the place', () => {
  const placeOf = (template: string) => {
    try {
      render(template, record)
    } catch (error) {
      if (error instanceof TemplateError) return error.message
    }
    return null
  }

  test.each([
    ['one\n  {{#if yes}}x{{/each}}', `subject:2:6: if doesn't match each`],
    ['one\ntwo {{taskName', 'subject:2:7: a tag is not closed or holds a sign that has no meaning there'],
    ['one\n{{#if yes}}two', 'subject:2:15: a block is not closed'],
    ['one\n{{#if yes}}\n{{a b c{{/if}}', 'subject:3:7: a tag is not closed or holds a sign that has no meaning there'],
    ['one\n two {{shout taskName}}', 'subject:2:6: unknown helper "shout"'],
    ['one\n{{#each taskTags}}\n{{#loud this}}x{{/loud}}\n{{/each}}', 'subject:3:1: unknown helper "loud"'],
    ['{{> nowhere}}', 'subject: The partial nowhere could not be found'],
  ])('%p', (template, expected) => {
    expect(placeOf(template)).toBe(expected)
  })
})
