import { beforeAll, describe, expect, test } from 'bun:test'
import { createHash } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import Ajv from 'ajv'
import addFormats from 'ajv-formats'
import manifest from '../../../package.json' with { type: 'json' }
import lock from '../../../package-lock.json' with { type: 'json' }
import { type BundledPackage, bundledPackages, idOf, packagePath } from '../../../scripts/release/bundled.ts'
import { licenceText } from '../../../scripts/release/licences.ts'
import { billText, npmUrl } from '../../../scripts/release/sbom.ts'
import { repositoryRoot } from '../../support/source.ts'
import { tempDirectory } from '../../support/temp.ts'

interface Component {
  readonly type: string
  readonly name: string
  readonly version?: string
  readonly purl?: string
  readonly hashes?: readonly { readonly alg: string; readonly content: string }[]
  readonly licenses: readonly object[]
  readonly components?: readonly Component[]
}
interface Bill {
  readonly serialNumber: string
  readonly metadata: { readonly timestamp: string; readonly component: Component }
  readonly components: readonly Component[]
  readonly dependencies: readonly { readonly ref: string; readonly dependsOn: readonly string[] }[]
}

const identity = { version: '1.2.3', commit: '0123456789ab', time: new Date('2026-05-04T03:02:01Z') }
let packages: readonly BundledPackage[]
let bill: Bill
beforeAll(async () => {
  packages = await bundledPackages(identity)
  bill = JSON.parse(billText(identity, packages))
})

/** The official schema of CycloneDX 1.6, in the strict form: nothing that it does not know. */
function validator() {
  const ajv = new Ajv({ strict: false, allErrors: true })
  addFormats(ajv)
  ajv.addFormat('iri-reference', true)
  ajv.addFormat('idn-email', true)
  const folder = join(repositoryRoot, 'node_modules', '@cyclonedx', 'cyclonedx-library', 'res', 'schema')
  const schema = (name: string) => JSON.parse(readFileSync(join(folder, `${name}.SNAPSHOT.schema.json`), 'utf8'))
  for (const name of ['spdx', 'jsf-0.82']) {
    // The file refers to its neighbours by file name.
    const $id = `http://cyclonedx.org/schema/${name}.SNAPSHOT.schema.json`
    ajv.addSchema({ ...schema(name), $id })
  }
  return ajv.compile(schema('bom-1.6'))
}

describe('the bill of materials', () => {
  test('is valid CycloneDX 1.6', () => {
    const validate = validator()
    validate(bill)
    expect(validate.errors ?? []).toEqual([])
    expect(validate({ ...bill, components: [{ type: 'library' }] })).toBe(false)
  })

  test('names the product, its version, commit and time', () => {
    expect(bill.metadata.timestamp).toBe('2026-05-04T03:02:01.000Z')
    expect(bill.metadata.component).toMatchObject({
      name: 'footman',
      version: '1.2.3',
      properties: [{ name: 'footman:commit', value: '0123456789ab' }],
    })
  })

  test('has the runtime with what it is made of, and its packages with their checksums', () => {
    const runtime = bill.components.find(({ name }) => name === 'bun')
    expect(runtime).toMatchObject({ type: 'platform', version: manifest.devDependencies.bun })
    expect(runtime?.components?.find(({ name }) => name.startsWith('JavaScriptCore'))?.version).toMatch(
      /^[0-9a-f]{40}$/,
    )
    expect(JSON.stringify(runtime)).toContain('pkg:npm/%40oven/bun-windows-x64@')
  })

  test('has each library of the executable with the checksum of the lock file', () => {
    const zod = bill.components.find(({ purl }) => purl === `pkg:npm/zod@${manifest.dependencies.zod}`)
    const expected = Buffer.from(lock.packages['node_modules/zod'].integrity.slice('sha512-'.length), 'base64')
    expect(zod?.hashes).toEqual([{ alg: 'SHA-512', content: expected.toString('hex') }])
    const names = packages.map(({ name }) => name)
    expect(names).toContain('@peculiar/x509')
    for (const name of ['bun', 'typescript', 'ajv', 'resedit', 'fast-check']) expect(names).not.toContain(name)
  })

  test('has every reference that its dependencies name, once', () => {
    const known = ['footman@1.2.3', ...bill.components.map(({ purl }) => purl)]
    expect(new Set(known).size).toBe(known.length)
    expect(bill.dependencies.map(({ ref }) => ref).sort()).toEqual(known.sort() as string[])
    expect(bill.dependencies.flatMap(({ dependsOn }) => dependsOn).filter((ref) => !known.includes(ref))).toEqual([])
    const [own, mqtt] = ['footman@1.2.3', 'pkg:npm/mqtt@'].map((start) =>
      bill.dependencies.find(({ ref }) => ref.startsWith(start)),
    )
    expect(own?.dependsOn).toContain(npmUrl({ name: 'hono', version: manifest.dependencies.hono }))
    expect(mqtt?.dependsOn.join()).toContain('pkg:npm/mqtt-packet@')
  })

  test('is the same for the same commit, and another for another one', () => {
    expect(billText(identity, packages)).toBe(billText(identity, packages))
    const other = JSON.parse(billText({ ...identity, commit: 'ba9876543210' }, packages)) as Bill
    expect(other.serialNumber).not.toBe(bill.serialNumber)
  })
})

describe('the licences of others', () => {
  test('name every library with its text', () => {
    const text = licenceText(packages, '1.4.5')
    expect(packages.filter((bundled) => !text.includes(`\n${idOf(bundled)} (`)).map(idOf)).toEqual([])
    expect(text.match(/Permission is hereby granted/g)?.length).toBeGreaterThan(40)
    expect(text).toContain('GNU LIBRARY GENERAL PUBLIC LICENSE')
    expect(text).toContain('GNU LESSER GENERAL PUBLIC LICENSE')
  })

  test('name the colour profile, which is the unaltered one of its publisher', () => {
    const profile = readFileSync(join(repositoryRoot, 'src/reports/documents/srgb.icc'))
    expect(profile.toString('latin1')).toContain('sRGB2014')
    const holder = /Copyright International Color Consortium, 2015/
    expect(profile.toString('latin1')).toMatch(holder)
    expect(licenceText(packages, '1.4.5')).toMatch(holder)
    // The header of a profile holds the MD5 of the rest, with flags, intent and the checksum itself as zeros.
    const id = profile.subarray(84, 100).toString('hex')
    for (const [from, to] of [
      [44, 48],
      [64, 68],
      [84, 100],
    ] as const)
      profile.fill(0, from, to)
    expect(createHash('md5').update(profile).digest('hex')).toBe(id)
  })

  test('are terms that an executable can be passed on with', () => {
    // MPL-2.0 covers the files of the library alone, which is used as it is published.
    const allowed = [
      'MIT',
      'MIT-0',
      'ISC',
      'Apache-2.0',
      'BSD-2-Clause',
      'BSD-3-Clause',
      '0BSD',
      'MPL-2.0',
      'Bitstream-Vera',
    ]
    expect(packages.filter(({ licence }) => !allowed.includes(licence)).map(idOf)).toEqual([])
  })

  test('a library that only names its licence gets the text of MIT with its author; another is refused', async () => {
    await using directory = tempDirectory()
    const bare = { ...packages[0]!, name: 'bare', version: '1.0.0', licence: 'MIT', directory: directory.path }
    writeFileSync(directory.join('package.json'), JSON.stringify({ author: { name: 'Ann Author' } }))
    expect(licenceText([bare], '1.4.5')).toContain(
      'bare@1.0.0 (MIT)\n\nCopyright (c) Ann Author\n\nPermission is hereby',
    )
    writeFileSync(directory.join('package.json'), JSON.stringify({ repository: 'https://git.example.org/bare' }))
    expect(licenceText([{ ...bare, licence: 'MPL-2.0' }], '1.4.5')).toContain(
      'bare@1.0.0 (MPL-2.0)\n\nSource: https://git.example.org/bare\n\nMozilla Public License Version 2.0',
    )
    const other = { ...bare, licence: 'BSD-3-Clause' }
    expect(() => licenceText([other], '1.4.5')).toThrow(/bare@1\.0\.0 brings no licence text/)
    writeFileSync(directory.join('package.json'), '{}')
    expect(() => licenceText([bare], '1.4.5')).toThrow(/bare@1\.0\.0 brings no licence text/)
  })
})

test.each([
  ['node_modules/zod/v4/index.js', 'node_modules/zod'],
  ['node_modules/@peculiar/x509/build/x509.js', 'node_modules/@peculiar/x509'],
  ['node_modules/tsyringe/node_modules/tslib/tslib.js', 'node_modules/tsyringe/node_modules/tslib'],
  ['src/main.ts', undefined],
])('%s belongs to %p', (file, expected) => {
  expect(packagePath(file)).toBe(expected)
})
