/** The result of a test message, as it stands beside the form. */
import { expect, test } from 'bun:test'
import type { PageContext } from '../../../../../src/console/page.ts'
import { TestResult } from '../../../../../src/console/pages/system/setting-test.tsx'
import type { SettingTest } from '../../../../../src/settings/contract.ts'
import { read, select, treeOf } from '../../../../support/reader.ts'

const ATTEMPT = {
  target: 'ops@acme.example',
  outcome: 'delivered',
  status: null,
  detail: '250 accepted',
  durationMs: 260,
  subject: '[TEST] Reload failed',
} as const

const shown = async (body: string) => {
  const data: SettingTest = { kind: 'destination', attempts: [{ ...ATTEMPT, body }] }
  const html = await TestResult({
    context: {} as PageContext,
    tested: { ok: true, status: 200, headers: new Headers(), data },
  })
  return treeOf(String(html))
}

test('a mail is shown as its text, with the source folded; JSON in lines', async () => {
  const mail = await shown(
    '<!doctype html><html><head><title>x</title></head><body><p>Error: no field</p></body></html>',
  )
  const [text, source] = select(mail, 'pre').map(read)
  expect(text?.trim()).toBe('Error: no field')
  expect(source).toContain('<!doctype html>')
  expect(read(select(mail, 'details details summary')[0]!)).toStartWith('Source')
  const json = await shown('{"text":"Error"}')
  expect(select(json, 'pre').map(read)).toEqual([expect.stringMatching(/^{\s+"text": "Error"\s+}$/)])
})
