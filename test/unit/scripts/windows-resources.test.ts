import { describe, expect, test } from 'bun:test'
import { NtExecutable } from 'resedit'
import { withResources } from '../../../scripts/build/windows-resources.ts'
import { readResources } from '../../support/pe-resources.ts'

const identity = { version: '1.22.333', commit: '0123456789ab', time: new Date('2026-05-04T03:02:01Z') }
const base = new Uint8Array(NtExecutable.createEmpty(false, false).generate())
const resourcesOf = (changes: Partial<typeof identity> = {}) =>
  readResources(Buffer.from(withResources(base, { ...identity, ...changes })))

describe('resources of the Windows executable', () => {
  test('tell product, version and commit', () => {
    const { fileVersion, productVersion, strings } = resourcesOf()
    expect([fileVersion, productVersion]).toEqual(['1.22.333.0', '1.22.333.0'])
    expect(strings).toEqual({
      CompanyName: 'Footman',
      FileDescription: 'Footman: alerts, task starts and schedules for Qlik Sense',
      FileVersion: '1.22.333.0',
      InternalName: 'footman',
      LegalCopyright: 'Copyright 2026 the authors of Footman. MIT licence.',
      OriginalFilename: 'footman.exe',
      ProductName: 'Footman',
      ProductVersion: '1.22.333 (0123456789ab)',
    })
  })

  test('of a version before a release have its numbers, and its name in the text', () => {
    const { fileVersion, strings } = resourcesOf({ version: '2.0.0-beta.3' })
    expect([fileVersion, strings.ProductVersion]).toEqual(['2.0.0.0', '2.0.0-beta.3 (0123456789ab)'])
  })

  test('hold an icon for every size that Explorer asks for', () => {
    const { icons } = resourcesOf()
    expect(icons.map(({ width }) => width)).toEqual([16, 20, 24, 32, 40, 48, 64, 256])
    for (const { image, width } of icons) {
      expect(image.toString('latin1', 1, 4)).toBe('PNG')
      expect(image.readUInt32BE(16)).toBe(width)
    }
  })

  test('replace those that were there', () => {
    const twice = withResources(withResources(base, { ...identity, version: '9.9.9' }), identity)
    const { fileVersion, icons } = readResources(Buffer.from(twice))
    expect([fileVersion, icons.length]).toEqual(['1.22.333.0', 8])
  })
})
