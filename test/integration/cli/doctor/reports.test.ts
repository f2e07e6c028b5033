/** The folders of storage spaces and the Office converter, as `footman doctor` finds them. */
import { afterEach, expect, test } from 'bun:test'
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs'
import { diagnose } from '../../../support/doctor.ts'
import { type TempDirectory, tempDirectory } from '../../../support/temp.ts'

const cleanup: (() => void)[] = []
afterEach(() => {
  for (const one of cleanup.splice(0).reverse()) one()
})

function folder(): TempDirectory {
  const directory = tempDirectory()
  cleanup.push(() => directory.remove())
  return directory
}

const withReports = (reportTask: object) => ({ footman: { reportTask: { enable: true, ...reportTask } } })
const space = (id: string, directory: string) => ({ id, name: id, directory })
const only = ['reports']

test('folders that can be written, that are not there, and that are files', async () => {
  const directory = folder()
  mkdirSync(directory.join('good'))
  writeFileSync(directory.join('file'), '')
  const storageSpaces = ['good', 'gone', 'file'].map((name) => space(name, directory.join(name)))
  const found = await diagnose(withReports({ storageSpaces, officeConverter: { enable: 'off' } }), { only })
  expect(found.findings.map(({ code, level, key }) => [code, level, key])).toEqual([
    ['reports.space', 'ok', 'footman.reportTask.storageSpaces.0.directory'],
    ['reports.space-missing', 'error', 'footman.reportTask.storageSpaces.1.directory'],
    ['reports.space-missing', 'error', 'footman.reportTask.storageSpaces.2.directory'],
    ['reports.no-converter', 'info', 'footman.reportTask.officeConverter'],
  ])
  expect(found.findings[0]!.message).toMatch(/^can be written, \d+\.\d GB free$/)
})

test('a converter that is not there, and one that makes no PDF', async () => {
  const directory = folder()
  const gone = await diagnose(withReports({ officeConverter: { path: directory.join('soffice') } }), { only })
  const [finding] = gone.findings
  expect([finding?.code, finding?.level]).toEqual(['reports.converter-failed', 'warning'])
  expect(finding?.message).toContain('does not exist')
  writeFileSync(directory.join('soffice'), '#!/bin/sh\necho LibreOffice 7.4.7.2\n')
  chmodSync(directory.join('soffice'), 0o755)
  const silent = await diagnose(withReports({ officeConverter: { path: directory.join('soffice') } }), { only })
  expect(silent.findings.map(({ code }) => code)).toEqual(['reports.converter-failed'])
  expect(silent.findings[0]!.message).toContain('made no PDF')
})

test('nothing is looked at while report tasks are off', async () => {
  const found = await diagnose({ footman: { reportTask: { enable: false } } }, { only })
  expect(found.findings).toEqual([])
})
