/** `/v4/config`: the configuration in use, masked, and what is wrong with the file or not in use yet. */
import { stat } from 'node:fs/promises'
import { stringify } from 'yaml'
import { z } from 'zod'
import type { Difference } from '../config/diff.ts'
import { maskConfig } from '../config/mask.ts'
import type { Problem } from '../config/problems.ts'
import { NO_QUERY } from '../http/endpoint/list-query.ts'
import { type ApiRoute, jsonAnswer, looseRoute as route } from '../http/endpoint/route.ts'
import { once } from '../platform/once.ts'
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

const CONFIG_QUERY = once(() =>
  z.object({
    format: z.enum(['json', 'yaml']).describe('yaml: the text alone. Default json.').optional(),
  }),
)

const CONFIG = once(() =>
  z.object({
    file: z.string().nullable(),
    inUseSince: z.string(),
    configuration: z.looseObject({}).describe('The section `Butler` with its defaults; secrets and addresses masked.'),
  }),
)

const PROBLEMS = once(() =>
  z.object({
    problems: z.array(
      z.object({
        severity: z.enum(['error', 'warning', 'info']),
        path: z.string(),
        message: z.string(),
        hint: z.string().nullable(),
        feature: z.string().nullable().describe('The section that the problem switches off.'),
        line: z.int().describe('0 = not in a line.'),
        column: z.int(),
      }),
    ),
    pending: z
      .object({
        changedAt: z.string().nullable().describe('When the file was written.'),
        difference: z.string().describe('Lines `- key: before` and `+ key: after`, masked.'),
        needsRestart: z.array(z.string()),
      })
      .nullable()
      .describe('Of the file and not in use; null = the file is in use.'),
  }),
)

export function configRoutes(current: CurrentConfig): ApiRoute[] {
  return [
    route({
      method: 'GET',
      path: '/v4/config',
      scope: 'admin',
      summary: 'Show the configuration in use',
      description: 'With all defaults. Secrets and mail addresses are masked.',
      query: CONFIG_QUERY,
      answers: () => ({ 200: CONFIG().describe('The configuration; with `format=yaml` the text.') }),
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
      handle({ query: { format = 'json' } }) {
        const configuration = maskConfig(current.config) as Record<string, unknown>
        if (format === 'yaml') {
          const text = stringify({ Butler: configuration }, { lineWidth: 0 })
          return new Response(text, { headers: { 'content-type': 'application/yaml; charset=utf-8' } })
        }
        const inUseSince = new Date(current.inUseSince).toISOString()
        return jsonAnswer(200, { file: current.file, inUseSince, configuration })
      },
    }),
    route({
      method: 'GET',
      path: '/v4/config/problems',
      scope: 'admin',
      summary: 'Check the configuration file, and compare it with what is in use',
      query: NO_QUERY,
      answers: () => ({ 200: PROBLEMS().describe('Problems of the file, and its changes that are not in use yet.') }),
      examples: [{ name: 'in-order', status: 200, answer: { problems: [], pending: null } }],
      async handle() {
        const { problems, changes, needsRestart } = await current.look()
        return jsonAnswer(200, {
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
