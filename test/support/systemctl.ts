/** A stand-in for `systemctl`, first in the path: its answers are those of a test. */
import { chmodSync, renameSync, writeFileSync } from 'node:fs'
import { delimiter } from 'node:path'
import { tempDirectory } from './temp.ts'

export interface FakeSystemctl {
  /** For the environment of the process that is to find it. */
  readonly path: string
  become(state: 'active' | 'inactive'): void
  remove(): void
}

/** One block for each unit that it is asked about. */
const SCRIPT = `#!/bin/sh
unit=$(cat "$(dirname "$0")/units")
for name in "$@"; do
  case "$name" in
    show|-*) ;;
    *) printf '%s\\n\\n' "$unit" ;;
  esac
done
`

/** Every unit has this description and this state, at first `active`. */
export function fakeSystemctl(description: string): FakeSystemctl {
  const tools = tempDirectory()
  const become = (state: string) => {
    const unit = `LoadState=loaded\nActiveState=${state}\nUnitFileState=enabled\nDescription=${description}\nRequires=\n`
    writeFileSync(tools.join('units.new'), unit)
    renameSync(tools.join('units.new'), tools.join('units'))
  }
  writeFileSync(tools.join('systemctl'), SCRIPT)
  chmodSync(tools.join('systemctl'), 0o755)
  become('active')
  return { path: `${tools.path}${delimiter}${process.env.PATH}`, become, remove: tools.remove }
}
