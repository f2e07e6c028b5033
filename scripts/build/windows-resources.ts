/**
 * Icon and version resource of the Windows executable. They are put into the runtime before the program is added to it: a
 * resource editor would cut the program off a finished executable.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Data, NtExecutable, NtExecutableResource, Resource } from 'resedit'
import { type Identity, root } from './identity.ts'

const ENGLISH = 0x409
const UNICODE = 1200
/** VS_FF_PRERELEASE and VS_FF_PRIVATEBUILD of VS_FIXEDFILEINFO. */
const [PRERELEASE, PRIVATE_BUILD] = [0x2, 0x8]
/** VOS_NT_WINDOWS32 and VFT_APP. */
const [WINDOWS, APPLICATION] = [0x40004, 1]

/** Everything that Explorer shows under "Details" and that inventory tools read. */
function versionStrings({ version, commit, time }: Identity): Record<string, string> {
  return {
    CompanyName: 'Footman',
    FileDescription: 'Footman: alerts, task starts and schedules for Qlik Sense',
    FileVersion: `${numericVersion(version).join('.')}`,
    InternalName: 'footman',
    LegalCopyright: `Copyright ${(time ?? new Date(0)).getUTCFullYear()} the authors of Footman. MIT licence.`,
    OriginalFilename: 'footman.exe',
    ProductName: 'Footman',
    ProductVersion: `${version} (${commit})`,
  }
}

/** The four 16-bit numbers of Windows: `0.1.0-beta.2` is 0.1.0.0; the flags mark it as a pre-release. */
function numericVersion(version: string): [number, number, number, number] {
  const [major = 0, minor = 0, patch = 0] = version.split(/[.+-]/).map(Number)
  return [major, minor, patch, 0]
}

/** The executable with our icon and version in place of those of the runtime; its signature is gone, as it would be wrong. */
export function withResources(executable: Uint8Array, identity: Identity): Uint8Array {
  const program = NtExecutable.from(executable, { ignoreCert: true })
  const resources = NtExecutableResource.from(program)
  const icon = Data.IconFile.from(readFileSync(join(root, 'scripts', 'build', 'footman.ico')))
  Resource.IconGroupEntry.replaceIconsForResource(
    resources.entries,
    Resource.IconGroupEntry.fromEntries(resources.entries)[0]?.id ?? 1,
    ENGLISH,
    icon.icons.map(({ data }) => data),
  )
  for (const old of Resource.VersionInfo.fromEntries(resources.entries)) {
    resources.removeResourceEntry(16, 1, old.lang)
  }
  versionInfo(identity).outputToResourceEntries(resources.entries)
  resources.outputResource(program)
  return new Uint8Array(program.generate())
}

function versionInfo(identity: Identity): Resource.VersionInfo {
  const [major, minor, patch, build] = numericVersion(identity.version)
  const [high, low] = [(major << 16) | minor, (patch << 16) | build]
  const flags = (identity.version.includes('-') ? PRERELEASE : 0) | (isOfACommit(identity) ? 0 : PRIVATE_BUILD)
  return Resource.VersionInfo.create(
    ENGLISH,
    {
      fileVersionMS: high,
      fileVersionLS: low,
      productVersionMS: high,
      productVersionLS: low,
      fileFlagsMask: 0x3f,
      fileFlags: flags,
      fileOS: WINDOWS,
      fileType: APPLICATION,
    },
    [{ lang: ENGLISH, codepage: UNICODE, values: versionStrings(identity) }],
  )
}

const isOfACommit = ({ commit }: Identity): boolean => /^[0-9a-f]+$/.test(commit)
