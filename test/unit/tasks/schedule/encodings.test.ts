/** Schedule files in the encodings of Windows editors. */
import { afterEach, expect, test } from 'bun:test'
import { readFileSync, writeFileSync } from 'node:fs'
import { createScheduleFile } from '../../../../src/tasks/schedule/file.ts'
import { ENCODINGS, encoded } from '../../../support/encodings.ts'
import { type TempDirectory, tempDirectory } from '../../../support/temp.ts'

let folder: TempDirectory
afterEach(() => folder.remove())

test.each(ENCODINGS)('%s: names are read, and stay when the file is written', async (encoding) => {
  folder = tempDirectory()
  const path = folder.join('schedule.yaml')
  const text = 'butlerSchedule:\n  - name: Größe “Süd”\n    cronSchedule: 0 6 * * *\n'
  writeFileSync(path, encoded(text, encoding))
  const file = createScheduleFile(path)
  const found = await file.readIfChanged()
  expect(found?.document.entries[0]?.values).toMatchObject({ name: 'Größe “Süd”' })
  expect(found?.note ?? '').toBe(encoding === 'windows-1252' ? 'is not UTF-8; it is read as Windows-1252' : '')
  await file.write(found!.document.write(found!.document.entries.map((entry) => entry.text)))
  expect(readFileSync(path, 'utf8')).toBe(`${encoding === 'utf-8 with a mark' ? '\ufeff' : ''}${text}`)
})
