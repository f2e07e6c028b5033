/** Inputs that took time with the square of their length, or more, before: one of each kind that a fuzzer has found. */
import { expect, test } from 'bun:test'
import { htmlToText } from '../../../src/alerts/templates/html-to-text.ts'
import { growing } from '../../fuzz/mutations.ts'
import { superlinear, timeOf } from '../../fuzz/oracles.ts'
import { TARGETS } from '../../fuzz/targets.ts'
import { needs } from '../../support/servers.ts'

needs('quiet')

const repeated = (before: string, part: string, after = '') =>
  growing(before + part + after, [before.length, part.length])

const readHtml = { name: 'html', run: (text: string) => htmlToText(text), declares: () => false, most: 65_536 }
/** Texts to compare with, which are read to their end. */
const VALID = {
  html: repeated('', '<p><a href="x">y</a> z</p>'),
  formulas: repeated('', "SUM('A B'!A1:B2)+"),
  tags: repeated('', '{{a}} '),
  json: repeated('[', '{},', '1]'),
  'mqtt-start': repeated('{"tag":[', '"abc",', '"d"]}'),
}
const named = (name: string) => TARGETS.find((target) => target.name === name)!

test.each([
  ['links that are not closed', readHtml, repeated('', '<a ')],
  ['links with addresses that are not closed', readHtml, repeated('', '<a href="x">')],
  ['comments that are not closed', readHtml, repeated('', '<!--')],
  ['preformatted texts that are not closed', readHtml, repeated('', '<pre>')],
  ['elements that are not shown and not closed', readHtml, repeated('', '<style>')],
  ['quotes that are not closed', readHtml, repeated('', '<b "')],
  ['tags with a bracket in quotes', readHtml, repeated('', '<b ">"', '"')],
  ['cells without text', readHtml, repeated('', '</td>', 'x')],
  ['blanks before a text', readHtml, repeated('', '&nbsp;', 'x')],
  ['formulas of quotes', named('formulas'), repeated('', "'")],
  ['labels that are not closed', named('tags'), repeated('{{a', '[')],
  ['many tags', named('tags'), repeated('', '{{a}}')],
  ['deep lists', named('json'), repeated('', '[')],
  ['deep objects', named('json'), repeated('', '{"a":')],
  ['a deep topic of an answer', named('mqtt-start'), repeated('{"replyTopic":', '{"a":')],
] as const)('%s', async (_, target, input) => {
  const control = VALID[target.name as keyof typeof VALID]
  expect(await superlinear(timeOf(target), input, [control], target.most)).toBeNull()
})
