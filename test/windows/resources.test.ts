import { expect, test } from 'bun:test'
import { readFileSync } from 'node:fs'
import manifest from '../../package.json' with { type: 'json' }
import { readResources } from '../support/pe-resources.ts'
import { windowsHost } from '../support/wine/wine.ts'

test('the executable that the other tests run carries our icon and version, and no signature of others', async () => {
  const { onDisk } = await windowsHost()
  const resources = readResources(readFileSync(onDisk('Program Files', 'Footman', 'footman.exe')))
  expect(resources.fileVersion).toBe(`${manifest.version.split('-')[0]}.0`)
  expect(resources.strings).toMatchObject({ ProductName: 'Footman', OriginalFilename: 'footman.exe' })
  expect(resources.strings.ProductVersion).toMatch(/^\d+\.\d+\.\d+\S* \(([0-9a-f]{12}(-dirty)?|unknown)\)$/)
  expect(resources.icons.length).toBeGreaterThanOrEqual(6)
  expect(resources.signed).toBe(false)
})
