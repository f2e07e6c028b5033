/** `/v4/config`: the configuration in use, masked, and what is wrong with the file or not in use yet. */
import { stat } from 'node:fs/promises'
import { stringify } from 'yaml'
import type { Difference } from '../config/diff.ts'
import { maskConfig } from '../config/mask.ts'
import type { Problem } from '../config/problems.ts'
import { CONFIG, CONFIG_PROBLEMS } from '../console/contract.ts'
import { asIs } from '../http/endpoint/contract.ts'
import { type ApiRoute, route } from '../http/endpoint/route.ts'
import type { Config } from './schema.ts'

export interface CurrentConfig {
  /** Absolute path; null = without a file. */
  readonly file: string | null
  readonly config: Config
  /** Milliseconds since 1970. */
  readonly inUseSince: number
  /** Reads the file again: its problems, and the differences to what is in use. */
  look(): Promise<{
    readonly problems: readonly Problem[]
    readonly changes: readonly Difference[]
    /** Keys below `Butler` that have changed since the start and wait for a restart. */
    readonly needsRestart: readonly string[]
  }>
}

export function configRoutes(current: CurrentConfig): ApiRoute[] {
  return [
    route({
      ...CONFIG,
      scope: 'admin',
      summary: 'Show the configuration in use',
      description: 'With all defaults. Secrets and mail addresses are masked.',
      examples: [
        {
          name: 'json',
          status: 200,
          answer: {
            file: '/etc/footman/butler.yaml',
            inUseSince: '2026-03-02T06:00:00.000Z',
            configuration: { logLevel: 'info' },
          },
        },
      ],
      handle({ query: { format = 'json' } }, answer) {
        const configuration = maskConfig(current.config) as Record<string, unknown>
        if (format === 'yaml') {
          const text = stringify({ Butler: configuration }, { lineWidth: 0 })
          return asIs(new Response(text, { headers: { 'content-type': 'application/yaml; charset=utf-8' } }))
        }
        const inUseSince = new Date(current.inUseSince).toISOString()
        return answer(200, { file: current.file, inUseSince, configuration })
      },
    }),
    route({
      ...CONFIG_PROBLEMS,
      scope: 'admin',
      summary: 'Check the configuration file, and compare it with what is in use',
      examples: [{ name: 'in-order', status: 200, answer: { problems: [], pending: null } }],
      async handle(_, answer) {
        const { problems, changes, needsRestart } = await current.look()
        return answer(200, {
          problems: problems.map(({ severity, path, message, hint = null, feature = null, line, column }) => {
            return { severity, path, message, hint, feature, line, column }
          }),
          pending:
            changes.length === 0
              ? null
              : {
                  changedAt: await changedAt(current.file),
                  difference: changes.flatMap(linesOf).join('\n'),
                  needsRestart: needsRestart.map((path) => `Butler.${path}`),
                },
        })
      },
    }),
  ]
}

const linesOf = ({ details }: Difference): string[] =>
  details.flatMap(({ path, before, after }) => [`- Butler.${path}: ${before}`, `+ Butler.${path}: ${after}`])

async function changedAt(file: string | null): Promise<string | null> {
  const found = file === null ? null : await stat(file).catch(() => null)
  return found ? found.mtime.toISOString() : null
}
