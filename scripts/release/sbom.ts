/** The bill of materials of an executable: CycloneDX 1.6, https://cyclonedx.org/docs/1.6/json/. */
import { createHash } from 'node:crypto'
import process from 'node:process'
import lock from '../../package-lock.json' with { type: 'json' }
import type { Identity } from '../build/identity.ts'
import { TARGETS } from '../build/targets.ts'
import type { BundledPackage } from './bundled.ts'
import { RUNTIME_PARTS, type RuntimePart } from './runtime-parts.ts'

/** `pkg:npm/%40peculiar/x509@2.2.0`, as https://github.com/package-url/purl-spec says. */
export const npmUrl = ({ name, version }: Pick<BundledPackage, 'name' | 'version'>): string =>
  `pkg:npm/${name.replace('@', '%40')}@${version}`

/** The same for everybody who builds the same commit: no random number, no time of the build. */
function billOfMaterials(identity: Identity, packages: readonly BundledPackage[]): object {
  const bun = runtime()
  const footman = `footman@${identity.version}`
  const direct = Object.keys(lock.packages[''].dependencies)
  return {
    $schema: 'http://cyclonedx.org/schema/bom-1.6.schema.json',
    bomFormat: 'CycloneDX',
    specVersion: '1.6',
    serialNumber: serialNumber(`${identity.version} ${identity.commit}`),
    version: 1,
    metadata: {
      ...(identity.time && { timestamp: identity.time.toISOString() }),
      lifecycles: [{ phase: 'build' }],
      component: {
        type: 'application',
        'bom-ref': footman,
        name: 'footman',
        version: identity.version,
        description: 'Alerts, task starts, schedules and more for Qlik Sense Enterprise on Windows, in one executable',
        licenses: [{ license: { id: 'MIT' } }],
        properties: [{ name: 'footman:commit', value: identity.commit }],
      },
    },
    components: [bun, ...packages.map(component)],
    dependencies: [
      {
        ref: footman,
        dependsOn: [bun['bom-ref'], ...packages.filter(({ name }) => direct.includes(name)).map(npmUrl)],
      },
      { ref: bun['bom-ref'], dependsOn: [] },
      ...packages.map((bundled) => ({ ref: npmUrl(bundled), dependsOn: [...new Set(bundled.needs.map(npmUrl))] })),
    ],
  }
}

function component(bundled: BundledPackage): object {
  const [group, name] = bundled.name.startsWith('@') ? bundled.name.split('/') : [undefined, bundled.name]
  return {
    type: 'library',
    'bom-ref': npmUrl(bundled),
    ...(group && { group }),
    name,
    version: bundled.version,
    scope: 'required',
    hashes: [sha512(bundled.integrity)],
    licenses: [licence(bundled.licence)],
    purl: npmUrl(bundled),
  }
}

/** Bun and its parts. The executable begins with the Bun of its platform. */
function runtime() {
  const { version } = lock.packages['node_modules/bun']
  return {
    type: 'platform',
    'bom-ref': `pkg:npm/bun@${version}`,
    name: 'bun',
    version,
    scope: 'required',
    licenses: [{ license: { id: 'MIT' } }],
    purl: `pkg:npm/bun@${version}`,
    properties: TARGETS.map((target) => ({ name: `footman:runtime:${target.name}`, value: runtimePackage(target) })),
    components: RUNTIME_PARTS.map(runtimePart),
  }
}

function runtimePackage({ runtime }: { readonly runtime: string }): string {
  const packages = lock.packages as unknown as Readonly<Record<string, { version: string; integrity: string }>>
  const { version, integrity } = packages[`node_modules/${runtime}`]!
  return `${npmUrl({ name: runtime, version })} ${integrity}`
}

function runtimePart(part: RuntimePart): object {
  const version = part.version === undefined ? undefined : process.versions[part.version]
  return {
    type: 'library',
    'bom-ref': `bun/${part.name}`,
    name: part.name,
    ...(version && { version }),
    ...(part.note && { description: part.note }),
    licenses: [licence(part.licence)],
  }
}

/** A single licence has an identifier; several are an expression. */
const licence = (text: string): object => (text.includes(' ') ? { expression: text } : { license: { id: text } })

/** From the form of npm to that of CycloneDX. */
function sha512(integrity: string): { readonly alg: 'SHA-512'; readonly content: string } {
  return { alg: 'SHA-512', content: Buffer.from(integrity.replace(/^sha512-/, ''), 'base64').toString('hex') }
}

/** A UUID made of a name: 122 bits of its hash, in the form of version 8 (RFC 9562). */
function serialNumber(name: string): string {
  const bytes = createHash('sha256').update(`footman ${name}`).digest().subarray(0, 16)
  bytes[6] = (bytes[6]! & 0x0f) | 0x80
  bytes[8] = (bytes[8]! & 0x3f) | 0x80
  return `urn:uuid:${bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')}`
}

export const billText = (identity: Identity, packages: readonly BundledPackage[]): string =>
  `${JSON.stringify(billOfMaterials(identity, packages), null, 2)}\n`
