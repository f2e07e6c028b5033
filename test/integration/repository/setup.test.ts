/** How a fresh clone gets its packages, as `npm start` does first. */
import { expect, test } from 'bun:test'
import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import { tempDirectory } from '../../support/temp.ts'

test('packages are installed without notes of npm that need no action', async () => {
  await using temp = tempDirectory()
  const clone = temp.path
  mkdirSync(join(clone, 'scripts'))
  cpSync(join(import.meta.dir, '../../../scripts/setup.mjs'), join(clone, 'scripts', 'setup.mjs'))
  writeFileSync(join(clone, 'package.json'), JSON.stringify({ devDependencies: { bun: '0.0.0' } }))
  const packages = { 'node_modules/missing': { version: '1.0.0' } }
  writeFileSync(join(clone, 'package-lock.json'), JSON.stringify({ packages }))
  // Notes what it is asked for, in the place of npm.
  const npm = join(clone, 'npm.js')
  writeFileSync(npm, `require('fs').writeFileSync(__dirname + '/asked.json', JSON.stringify(process.argv.slice(2)))`)
  const program = `import { setup } from './scripts/setup.mjs'\nsetup()\n`
  writeFileSync(join(clone, 'run.mjs'), program)
  spawnSync(process.execPath, [join(clone, 'run.mjs')], { cwd: clone, env: { ...process.env, npm_execpath: npm } })
  const asked = JSON.parse(readFileSync(join(clone, 'asked.json'), 'utf8')) as string[]
  expect(asked[0]).toBe('ci')
  expect(asked).toContain('--loglevel=error')
  expect(asked).toContain('--no-audit')
  expect(asked).toContain('--no-fund')
})
