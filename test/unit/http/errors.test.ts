import { expect, test } from 'bun:test'
import { ERRORS, type ErrorCode, protocolError, refusal } from '../../../src/http/errors.ts'
import { readRepositoryFile } from '../../support/source.ts'

/** As Markdown viewers make them of headings. */
const anchorsOf = (markdown: string): string[] =>
  [...markdown.matchAll(/^#+ (.+)$/gm)].map(([, title = '']) =>
    title
      .toLowerCase()
      .replace(/[^\w\s-]/g, '')
      .replaceAll(' ', '-'),
  )

test.each(Object.entries(ERRORS))('%s is explained', (_code, { page }) => {
  const [file = '', anchor] = page.split('#')
  const anchors = anchorsOf(readRepositoryFile(`docs/${file}`))
  if (anchor !== undefined) expect(anchors).toContain(anchor)
  expect(anchors.length).toBeGreaterThan(0)
})

test('one form for all that the predecessor did not have', () => {
  const { status, body, headers } = refusal(
    'QUEUE_FULL',
    'Wait.',
    { error: 'Too many', issues: [] },
    { 'retry-after': '1' },
  )
  expect({ status, body, headers }).toEqual({
    status: 409,
    body: {
      error: 'Too many',
      details: 'Wait.',
      statusCode: 409,
      code: 'QUEUE_FULL',
      message: 'Too many: Wait.',
      issues: [],
    },
    headers: { 'retry-after': '1' },
  })
})

test.each<[ErrorCode, number, string, string]>([
  ['FST_ERR_CTP_BODY_TOO_LARGE', 413, 'Payload Too Large', 'Request body is too large'],
  ['FST_ERR_CTP_INVALID_MEDIA_TYPE', 415, 'Unsupported Media Type', 'Unsupported Media Type'],
])('%s in the form of the predecessor', (code, status, error, message) => {
  const { body } = protocolError(code)
  expect(JSON.stringify(body)).toBe(JSON.stringify({ statusCode: status, code, error, message }))
})
