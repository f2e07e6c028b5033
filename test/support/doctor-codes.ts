/** The codes of `docs/doctor.md`. */
import { readRepositoryFile } from './source.ts'

/** `smtp.login`, and `*.refused` for what every server can have. */
export function documentedCodes(): ReadonlySet<string> {
  return new Set(
    [...readRepositoryFile('docs/doctor.md').matchAll(/^\| `([a-z*-]+\.[a-z-]+)` \|/gm)].map(([, one]) => one!),
  )
}

export function isDocumented(code: string, documented = documentedCodes()): boolean {
  return documented.has(code) || documented.has(code.replace(/^[^.]+/, '*'))
}
