import { describe, expect, test } from 'bun:test'
import lock from '../../../package-lock.json' with { type: 'json' }
import { checkIntegrity } from '../../../scripts/build/runtime.ts'
import { executableName, hostTarget, TARGETS, targetNamed } from '../../../scripts/build/targets.ts'

describe('targets', () => {
  test('are Windows, Linux with both C libraries, and macOS', () => {
    expect(TARGETS.map(executableName)).toEqual([
      'footman-windows-x64.exe',
      'footman-linux-x64',
      'footman-linux-arm64',
      'footman-linux-x64-musl',
      'footman-linux-arm64-musl',
      'footman-darwin-x64',
      'footman-darwin-arm64',
    ])
  })

  test('only those that the test suite runs say that they are tested', () => {
    expect(TARGETS.filter(({ tested }) => tested).map(({ name }) => name)).toEqual([
      'windows-x64',
      'linux-x64',
      'linux-x64-musl',
    ])
  })

  test('take their runtime from a package that the lock file pins', () => {
    const packages = lock.packages as Readonly<Record<string, { readonly integrity?: string }>>
    for (const { runtime } of TARGETS) {
      expect([runtime, packages[`node_modules/${runtime}`]?.integrity]).toEqual([
        runtime,
        expect.stringMatching(/^sha512-/),
      ])
    }
  })

  test('an unknown one is refused with the names that there are', () => {
    expect(() => targetNamed('windows')).toThrow(/no target is called windows; there are windows-x64, linux-x64,/)
  })

  test.each([
    ['win32', 'x64', false, 'windows-x64'],
    ['linux', 'x64', false, 'linux-x64'],
    ['linux', 'arm64', true, 'linux-arm64-musl'],
    ['darwin', 'arm64', false, 'darwin-arm64'],
  ] as const)('%s %s (musl: %p) is %s', (platform, arch, musl, name) => {
    expect(hostTarget(platform, arch, musl)).toBe(name)
    expect(targetNamed(name).name).toBe(name)
  })
})

describe('a fetched runtime', () => {
  const hello = 'sha512-m3HSJL1i83hdltRq0+o9czGb+8KJDKra4t/3JRlnPKcjI8PZm6XBHXx6zG4UuMXaDEZjR1wuXDre9G9zvN7AQw=='
  test('is taken when its checksum is that of the lock file', () => {
    expect(() => checkIntegrity(Buffer.from('hello'), hello, 'x')).not.toThrow()
  })
  test('is refused when it is another', () => {
    expect(() => checkIntegrity(Buffer.from('hello!'), hello, '@oven/bun-x')).toThrow(
      /@oven\/bun-x is not what package-lock.json says: sha512 .* instead of m3HSJL1i/,
    )
  })
})
