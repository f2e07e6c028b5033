/** `npm run SCRIPT -- --help` prints the usage and does nothing else. */
import { expect, test } from 'bun:test'
import { spawnSync } from 'node:child_process'
import manifest from '../../../package.json' with { type: 'json' }
import { repositoryRoot } from '../../support/source.ts'

const SCRIPTS = ['start', 'test', 'build', 'release', 'bench', 'fuzz', 'docs', 'start-profile'] as const

test.each(SCRIPTS)(
  '%s --help',
  (name) => {
    const file = /scripts\/[\w-]+\.(?:ts|mjs)$/.exec(manifest.scripts[name])![0]
    const args = ['--no-env-file', file, '--help']
    const { status, stdout, stderr } = spawnSync(process.execPath, args, { cwd: repositoryRoot, encoding: 'utf8' })
    expect([status, stderr]).toEqual([0, ''])
    expect(stdout).toMatch(new RegExp(`^npm (?:run )?${name}\\b`))
    expect(stdout.split('\n').filter((line) => line.length > 100)).toEqual([])
  },
  20_000,
)
