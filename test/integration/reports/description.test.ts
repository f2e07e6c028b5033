/** The description of the endpoints of report definitions, and who may call them. */
import { expect, test } from 'bun:test'
import { Validator } from '@seriousme/openapi-schema-validator'
import { openApiDocument } from '../../../src/http/openapi/document.ts'
import { describedRoutes, reportApi } from '../../support/reports.ts'

test('the description is valid OpenAPI 3.1, with all paths of definitions', async () => {
  const document = openApiDocument(describedRoutes(), {
    version: '1.0.0',
    serverUrl: 'http://127.0.0.1:8080',
    locked: true,
  })
  const verdict = await new Validator().validate(structuredClone(document) as never)
  expect(verdict.errors ?? []).toEqual([])
  expect(document.tags).toEqual([{ name: 'Reports' }])
  const listed = Object.entries(document.paths).map(([path, item]) => `${Object.keys(item).sort().join(' ')} ${path}`)
  const entity = (path: string, id: string) => [`get post ${path}`, `delete get patch put ${path}/{${id}}`]
  expect(listed.sort()).toEqual(
    [
      ...entity('/v4/reporttask', 'taskId'),
      ...['/v4/report', '/v4/reportfilter', '/v4/reportcondition', '/v4/recipient', '/v4/recipientgroup'].flatMap(
        (path) => entity(path, 'id'),
      ),
      ...['enable', 'disable'].flatMap((verb) => [
        `post put /v4/reporttask/-/${verb}`,
        `post put /v4/reporttask/{taskId}/${verb}`,
      ]),
      'post /v4/reporttask/{taskId}/copy',
      'get /v4/reporttask/export',
      'post /v4/reporttask/import',
      'post /v4/recipient/import',
      'delete get put /v4/report/{id}/template',
      'get /v4/reporttemplate',
      'post /v4/report/{id}/template/check',
      'get /v4/storagespace',
      'get /v4/reportproject',
    ].sort(),
  )
})

test('members of a recipient that change nothing say so', () => {
  const document = openApiDocument(describedRoutes(), { version: '1', serverUrl: 'http://127.0.0.1', locked: false })
  const { post } = JSON.parse(JSON.stringify(document.paths['/v4/recipient']))
  expect(post.requestBody.content['application/json'].schema).toEqual({ $ref: '#/components/schemas/RecipientInput' })
  const { timezone, locale, email } = JSON.parse(JSON.stringify(document.components.schemas.RecipientInput)).properties
  expect([timezone.description, locale.description]).toEqual([
    expect.stringContaining('without effect'),
    timezone.description,
  ])
  expect(email.description).toBeUndefined()
})

test('reading, running and writing are rights of their own', () => {
  const scopes = new Map(
    describedRoutes().flatMap(({ methods, path, scope }) => methods.map((method) => [`${method} ${path}`, scope])),
  )
  expect(scopes.get('GET /v4/reporttask')).toBe('report:read')
  expect(scopes.get('GET /v4/reporttask/export')).toBe('report:read')
  expect(scopes.get('POST /v4/reporttask/-/enable')).toBe('report:run')
  expect(scopes.get('PATCH /v4/recipient/{id}')).toBe('report:write')
  expect(scopes.get('POST /v4/recipient/import')).toBe('report:write')
  expect([...scopes.values()].every((scope) => scope?.startsWith('report:'))).toBe(true)
})

test('without keys, only callers of this machine are answered', async () => {
  await using api = await reportApi()
  expect((await api.call('GET', '/v4/recipient')).status).toBe(200)
  const foreign = await api.call('GET', '/v4/recipient', undefined, { 'X-Forwarded-For': '10.1.2.3' })
  expect([foreign.status, foreign.body.code]).toEqual([403, 'FORBIDDEN'])
})
