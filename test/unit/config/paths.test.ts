import { describe, expect, test } from 'bun:test'
import { createConfigPaths, programDirectory } from '../../../src/config/paths.ts'

const FOLDERS = { program: '/opt/footman', working: '/here', config: '/etc/footman' }

function paths(...existing: string[]) {
  return createConfigPaths(FOLDERS, (path) => existing.includes(path))
}

describe('input paths', () => {
  test.each([
    ['program', ['/opt/footman/c.pem', '/here/c.pem', '/etc/footman/c.pem']],
    ['working', ['/here/c.pem', '/etc/footman/c.pem']],
  ] as const)('%s: in this order', (base, candidates) => {
    expect(paths().candidates('c.pem', base)).toEqual(candidates)
  })

  test.each([
    ['/opt/footman', ['/here/c.pem', '/opt/footman/c.pem']],
    ['/opt/footman/config', ['/here/c.pem', '/opt/footman/config/c.pem', '/opt/footman/c.pem']],
    ['/opt/footman-2', ['/here/c.pem', '/opt/footman-2/c.pem']],
    ['/opt', ['/here/c.pem', '/opt/c.pem']],
  ])('with a configuration in %s, beside the executable only when that is the same installation', (config, tried) => {
    expect(createConfigPaths({ ...FOLDERS, config }, () => false).candidates('c.pem')).toEqual(tried)
  })

  test('the first that exists, else the first whose folder exists, else the first', () => {
    expect(paths('/etc/footman/c.pem').input('c.pem', 'program')).toBe('/etc/footman/c.pem')
    expect(paths('/etc/footman/cert').input('cert/c.pem', 'program')).toBe('/etc/footman/cert/c.pem')
    expect(paths().input('c.pem', 'program')).toBe('/opt/footman/c.pem')
  })

  test.each(['/abs/c.pem', 'C:\\certs\\c.pem', '\\\\fs01\\certs\\c.pem', 'D:/certs/c.pem'])(
    '%s is used as it is',
    (path) => {
      expect(paths().candidates(path)).toEqual([path])
      expect(paths().output(path, 'program')).toBe(path)
    },
  )
})

test('output paths go below their base, data beside the configuration', () => {
  expect(paths().output('log', 'program')).toBe('/opt/footman/log')
  expect(paths().output('scripts')).toBe('/here/scripts')
  expect(paths().data('data')).toBe('/etc/footman/data')
})

test('the program is where its executable is, except when a runtime executes the source', () => {
  expect(programDirectory('/opt/footman/footman', '/here')).toBe('/opt/footman')
  expect(programDirectory('/usr/bin/bun', '/here')).toBe('/here')
  expect(programDirectory('/usr/bin/deno', '/here')).toBe('/here')
})
