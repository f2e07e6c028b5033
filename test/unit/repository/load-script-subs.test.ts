import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { loadScript, type ScriptRequest, type ScriptSettings } from '../../support/qlik-script.ts'
import { readRepositoryFile } from '../../support/source.ts'

const script = loadScript(readRepositoryFile('config/qlik/footman_subs.qvs'))
const HOST = { vButlerHost: 'http://10.11.12.13', vButlerPort: '8080' }
const TASK = 'fbf645f0-0c92-40a4-af9a-6e3eb1d3c35c'

function sent(name: string, args: readonly (string | number | null)[], settings: ScriptSettings = {}): ScriptRequest {
  const { requests } = script.call(name, args, { ...settings, variables: { ...HOST, ...settings.variables } })
  expect(requests).toHaveLength(1)
  return requests[0]!
}

test('every sub that Butler has is there, with as many parameters', () => {
  const counts = Object.fromEntries([...script.subs].map(([name, parameters]) => [name, parameters.length]))
  expect(counts).toMatchObject({
    GetEnabledButlerAPIEndpoints: 1,
    ReloadSenseApp: 5,
    StartTask: 5,
    StartTask_KeyValue: 5,
    CopyFile: 4,
    MoveFile: 3,
    DeleteFile: 1,
    CreateDir: 1,
    CreateDirQVD: 1,
    AddKeyValue: 4,
    GetKeyValue: 3,
    ExistsKeyValue: 3,
    DeleteKeyValue: 2,
    DeleteKeyValueNamespace: 1,
    GetKeyValueNamespaces: 1,
    GetAllKeysInNamespace: 2,
    PostToMQTT: 2,
    PostToSlack: 4,
    AddSchedule: 6,
    GetSchedule: 2,
    UpdateSchedule: 6,
    DeleteSchedule: 1,
    StartSchedule: 1,
    StopSchedule: 1,
    NiceTrace: 1,
    ButlerInit: 0,
  })
})

describe('requests', () => {
  const get = (path: string) => ({
    connection: 'Butler_GET',
    url: `http://10.11.12.13:8080${path}`,
    headers: {},
    body: null,
  })
  const send = (method: string, path: string, body: string | null) => ({
    connection: 'Butler_POST',
    url: `http://10.11.12.13:8080${path}`,
    headers: {
      'Content-Type': 'application/json',
      ...(method !== 'POST' && { 'X-HTTP-Method-Override': method }),
    },
    body,
  })

  test.each([
    ['GetEnabledButlerAPIEndpoints', ['Endpoints'], get('/v4/configfile/endpointsenabled')],
    [
      'ReloadSenseApp',
      ['060b33f1-a291-40aa-87e2-9fd89d63f5cf', 'true', 0, '["id1","id2"]', ''],
      send(
        'PUT',
        '/v4/app/060b33f1-a291-40aa-87e2-9fd89d63f5cf/reload',
        '{"partialReload":"true","reloadMode":0,"startQSEoWTaskOnSuccess":["id1","id2"],"startQSEoWTaskOnFailure":[]}',
      ),
    ],
    ['StartTask', [TASK], send('PUT', `/v4/reloadtask/${TASK}/start`, '[]')],
    ['StartTask', [null], send('PUT', '/v4/reloadtask//start', '[]')],
    ['StartTask', ['-'], send('PUT', '/v4/reloadtask/-/start', '[]')],
    [
      'StartTask_KeyValue',
      [TASK, 'MyNamespace', 'An important key 1', 'The value', 3000],
      send(
        'PUT',
        `/v4/reloadtask/${TASK}/start`,
        '[{"type":"keyvaluestore","payload":{"namespace":"MyNamespace","key":"An important key 1","value":"The value","ttl":"3000"}}]',
      ),
    ],
    [
      'CopyFile',
      ['e:\\data5\\qvd\\a #1.txt', 'e:/data6/a.txt', 'true', 'false'],
      send(
        'PUT',
        '/v4/filecopy',
        '{"fromFile":"e:/data5/qvd/a #1.txt","toFile":"e:/data6/a.txt","overwrite":"true","preserveTimestamp":"false"}',
      ),
    ],
    [
      'MoveFile',
      ['/data7/a.txt', '/data8/a.txt', 'true'],
      send('PUT', '/v4/filemove', '{"fromFile":"/data7/a.txt","toFile":"/data8/a.txt","overwrite":"true"}'),
    ],
    ['DeleteFile', ['/data1/a.txt'], send('DELETE', '/v4/filedelete', '{"deleteFile":"/data1/a.txt"}')],
    ['CreateDir', ['d:\\abc\\def'], send('POST', '/v4/createdir', '{"directory":"d:/abc/def"}')],
    ['CreateDirQVD', ['a1/b1'], send('POST', '/v4/createdirqvd', '{"directory":"a1/b1"}')],
    [
      'AddKeyValue',
      ['Reload chain parameter demo', 'Parameter 1', 'a1 abc 123', 0],
      send('POST', '/v4/keyvalues/Reload%20chain%20parameter%20demo', '{"key":"Parameter 1","value":"a1 abc 123"}'),
    ],
    ['AddKeyValue', ['n', 'k', 'v', '60000'], send('POST', '/v4/keyvalues/n', '{"key":"k","value":"v","ttl":"60000"}')],
    ['GetKeyValue', ['a/b', 'Parameter 1', null], get('/v4/keyvalues/a%2Fb?key=Parameter%201')],
    ['ExistsKeyValue', ['ns', 'käse & brot', null], get('/v4/keyvalues/ns/keyexists?key=k%C3%A4se%20%26%20brot')],
    ['DeleteKeyValue', ['ns', 'k+1'], send('DELETE', '/v4/keyvalues/ns/k%2B1', null)],
    ['DeleteKeyValueNamespace', ['ns'], send('DELETE', '/v4/keyvalues/ns', null)],
    ['GetKeyValueNamespaces', ['Namespaces'], get('/v4/keyvaluesnamespaces')],
    ['GetAllKeysInNamespace', ['Keys', "it's $(x)"], get('/v4/keylist/it%27s%20%24%28x%29')],
    [
      'PostToMQTT',
      ['qliksense/new_data_notification/sales', 'dt=20201028'],
      send(
        'PUT',
        '/v4/mqttpublishmessage',
        '{"topic":"qliksense/new_data_notification/sales","message":"dt=20201028"}',
      ),
    ],
    [
      'AddSchedule',
      ['Say "hi"', '0 6 * * 1-5', 'Europe/Stockholm', TASK, 'started', 'vScheduleId'],
      send(
        'POST',
        '/v4/schedules',
        `{"name":"Say \\u0022hi\\u0022","cronSchedule":"0 6 * * 1-5","timezone":"Europe/Stockholm","qlikSenseTaskId":"${TASK}","startupState":"started"}`,
      ),
    ],
    ['GetSchedule', ['Schedules', 'my id'], get('/v4/schedules?id=my%20id')],
    ['GetSchedule', ['Schedules', ''], get('/v4/schedules')],
    [
      'UpdateSchedule',
      ['abc', '', '0 7 * * *', '', '', 'stopped'],
      send('PUT', '/v4/schedules/abc', '{"cronSchedule":"0 7 * * *","startupState":"stopped"}'),
    ],
    ['DeleteSchedule', ['abc'], send('DELETE', '/v4/schedules/abc', null)],
    ['StartSchedule', ['a/b'], send('PUT', '/v4/schedules/a%2Fb/start', null)],
    ['StopSchedule', ['abc'], send('PUT', '/v4/schedules/abc/stop', null)],
    ['GetMQTTMessages', ['Messages', 'sales/#', 1], get('/v4/mqttmessages?topic=sales%2F%23&limit=1')],
    ['GetMQTTMessages', ['Messages', 'sales/#', null], get('/v4/mqttmessages?topic=sales%2F%23&limit=100')],
    [
      'PostToSlack',
      ['general', 'Butler the Bot', 'Hello', ':ghost:'],
      send(
        'PUT',
        '/v4/slackpostmessage',
        '{"channel":"#general","from_user":"Butler the Bot","msg":"Hello","emoji":":ghost:"}',
      ),
    ],
  ])('%s(%j)', (name, args, expected) => {
    expect(sent(name, args)).toEqual(expected)
  })

  test('StartTask with all four tables', () => {
    const tables = {
      Ids: [{ 'Ids.TaskId': 'id1' }, { 'Ids.TaskId': 'id2' }],
      Tags: [{ 'Tags.Tag': 'R&D' }],
      Properties: [{ 'Properties.Name': 'taskGroup', 'Properties.Value': 'tasks1' }],
      Pairs: [{ 'Pairs.Namespace': 'n', 'Pairs.Key': 'k', 'Pairs.Value': 'v', 'Pairs.TTL': 10000 }],
    }
    const { body } = sent('StartTask', ['-', 'Ids', 'Tags', 'Properties', 'Pairs'], { tables })
    expect(JSON.parse(body!)).toEqual([
      { type: 'starttaskid', payload: { taskId: 'id1' } },
      { type: 'starttaskid', payload: { taskId: 'id2' } },
      { type: 'starttasktag', payload: { tag: 'R&D' } },
      { type: 'starttaskcustomproperty', payload: { customPropertyName: 'taskGroup', customPropertyValue: 'tasks1' } },
      { type: 'keyvaluestore', payload: { namespace: 'n', key: 'k', value: 'v', ttl: '10000' } },
    ])
  })

  test('an API key goes along with every request', () => {
    const variables = { vFootmanKey: 'fm_abc' }
    expect(sent('PostToMQTT', ['t', 'm'], { variables }).headers.Authorization).toBe('Bearer fm_abc')
    expect(sent('GetKeyValue', ['n', 'k', null], { variables }).headers.Authorization).toBe('Bearer fm_abc')
  })

  test('a value comes back in the variable that the call names', () => {
    const answer = { value: 'a1 abc 123', keyExists: 'True' }
    const run = (name: string) => script.call(name, ['n', 'k', 'vMine'], { variables: HOST, answer })
    expect(run('GetKeyValue').variables.get('vMine')).toBe('a1 abc 123')
    expect(run('ExistsKeyValue').variables.get('vMine')).toBe('true')
  })
})

describe('values with any characters', () => {
  const awkward = fc.string({
    unit: fc.oneof(
      fc.constantFrom(
        '"',
        "'",
        '\\',
        '$',
        '(',
        ')',
        ';',
        '\n',
        '\r',
        '\t',
        '%',
        '#',
        '&',
        '/',
        '?',
        '+',
        ' ',
        '$(vButlerHost)',
        '//',
        '€',
        'ä',
        '😀',
      ),
      fc.string({ minLength: 1, maxLength: 1, unit: 'grapheme' }),
    ),
  })

  test('arrive in JSON as they are', () => {
    fc.assert(
      fc.property(awkward, awkward, (topic, message) => {
        expect(JSON.parse(sent('PostToMQTT', [topic, message]).body!)).toEqual({ topic, message })
      }),
    )
  })

  test('arrive in URLs as they are', () => {
    fc.assert(
      fc.property(awkward, awkward, (namespace, key) => {
        const { url } = sent('DeleteKeyValue', [namespace, key])
        const [, , , inNamespace, inKey] = url.replace('http://', 'http:').split('/')
        expect([inNamespace, inKey].map((part) => decodeURIComponent(part!))).toEqual([namespace, key])
        expect(url).toMatch(/^[\w.:/%~-]+$/)
      }),
    )
  })
})
