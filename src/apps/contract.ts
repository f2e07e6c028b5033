/** The contracts of the endpoints of apps. */
import { z } from 'zod'
import { type AnswerOf, contract } from '../http/endpoint/contract.ts'
import { field } from '../http/endpoint/validation.ts'

const ENGINE_FAILURES = {
  502: 'The Qlik engine is unreachable or refuses.',
  504: 'The Qlik engine is silent.',
} as const

const WITH_APP = { ...ENGINE_FAILURES, 422: 'There is no such app, or the configured user may not open it.' } as const

/** The paths with an empty segment have no id. */
const params = () => z.object({ appId: z.string().describe('Id of the app.').optional() })

/** Objects of the engine, as it has them. */
const items = () => z.array(z.looseObject({}))

export const APPS = contract({
  method: 'GET',
  path: '/v4/apps/list',
  answers: () => ({
    200: z
      .array(z.strictObject({ id: z.string(), name: z.string() }))
      .describe('The apps, in the order of the engine.'),
    ...ENGINE_FAILURES,
  }),
})

export type Apps = AnswerOf<typeof APPS>

export const DUMP_APP = contract({
  method: 'GET',
  path: '/v4/app/{appId}/dump',
  params,
  answers: () => ({
    200: z
      .strictObject({
        properties: z.looseObject({}),
        loadScript: z.string(),
        lineage: items().optional(),
        sheets: items(),
        stories: items(),
        masterobjects: items(),
        appprops: items(),
        dataconnections: items(),
        dimensions: items(),
        measures: items(),
        bookmarks: items(),
        embeddedmedia: items(),
        snapshots: items(),
        fields: items(),
        variables: items(),
        appId: z.string(),
      })
      .describe('The app, without its data; the order is always the same.'),
    ...WITH_APP,
  }),
})

const reloadBody = () =>
  field.object({
    reloadMode: field.integer().describe('0, 1 or 2, as DoReload of the engine has them. Default 0.').optional(),
    partialReload: field.boolean().describe('Default false.').optional(),
    startQSEoWTaskOnSuccess: field
      .array(field.string())
      .describe('Ids of tasks to start after a reload that succeeded.')
      .optional(),
    startQSEoWTaskOnFailure: field
      .array(field.string())
      .describe('Ids of tasks to start after a reload that failed.')
      .optional(),
  })
export type ReloadBody = z.output<ReturnType<typeof reloadBody>>

export const RELOAD_APP = contract({
  method: 'PUT',
  path: '/v4/app/{appId}/reload',
  params,
  body: reloadBody,
  answers: () => ({
    201: z
      .strictObject({
        appId: z.string(),
        executionId: z.string().describe('To follow the reload.'),
        tasksDenied: z
          .array(z.strictObject({ taskId: z.string() }))
          .describe('Tasks that the start filter does not allow to follow; absent when there are none.')
          .optional(),
      })
      .describe('The app is open and its reload begins.'),
    ...WITH_APP,
    409: 'Footman runs in shadow mode, which reloads nothing.',
  }),
})
