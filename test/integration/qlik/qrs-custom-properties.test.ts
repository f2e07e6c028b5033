/** Definitions of custom properties in the repository of the simulated site. */
import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { createCustomPropertyClient } from '../../../src/qlik/qrs/custom-properties.ts'
import { createQrsTransport, type QrsTransport } from '../../../src/qlik/qrs/transport.ts'
import { recordingLog } from '../../support/recording-log.ts'
import { REPOSITORY_USER, startSite, type TestSite } from '../../support/simulator.ts'

interface Definition {
  readonly id: string
  readonly name: string
  readonly modifiedDate: string
  readonly choiceValues: string[]
}

let site: TestSite
let transports: QrsTransport[]
beforeEach(async () => {
  site = await startSite()
  transports = []
})
afterEach(async () => {
  for (const transport of transports) transport.close()
  await site[Symbol.asyncDispose]()
})

function transportAs(user: string): QrsTransport {
  const { ca, client } = site.simulator.certificates.pem
  const transport = createQrsTransport(
    { log: recordingLog() },
    {
      host: '127.0.0.1',
      port: site.simulator.ports.qrs,
      useSSL: true,
      rejectUnauthorized: true,
      headers: [{ name: 'X-Qlik-User', value: user }],
      certificates: { ca: ca.pem, cert: client.cert.pem, key: client.key.pem },
    },
  )
  transports.push(transport)
  return transport
}
const client = (user = REPOSITORY_USER) => createCustomPropertyClient({ transport: transportAs(user) })

const stored = async (name: string): Promise<Definition | undefined> =>
  (await site.qrs('GET', 'custompropertydefinition/full', { filter: `name eq '${name}'` })).json<Definition[]>()[0]

const COLOUR = {
  name: 'colour',
  description: 'Which colour.',
  choiceValues: ['red', "o'range"],
  objectTypes: ['ReloadTask', 'App'],
}

describe('reading', () => {
  test('by name, in any case, many at once', async () => {
    const many = Array.from({ length: 45 }, (_, index) => `not there ${index}`)
    const found = await client().definitions([...many, 'TASKGROUP', "it's \\ nothing", 'priority'])
    expect(found.map(({ name }) => name).sort()).toEqual(['priority', 'taskGroup'])
    expect(found.find(({ name }) => name === 'taskGroup')).toMatchObject({
      choiceValues: ['financial-reports', 'operational-dashboards', 'regulatory-compliance'],
      objectTypes: ['ReloadTask', 'ExternalProgramTask', 'App'],
    })
    expect(await client().definitions([])).toEqual([])
  })
})

describe('making one', () => {
  test('with everything that was asked for', async () => {
    expect(await client().create(COLOUR)).toBe('created')
    expect(await stored('colour')).toMatchObject({ ...COLOUR, valueType: 'Text' })
  })
  test('of a name that somebody has made meanwhile is no error', async () => {
    await site.qrs('POST', 'custompropertydefinition', { body: { ...COLOUR, name: 'Colour' } })
    expect(await client().create(COLOUR)).toBe('exists')
    expect((await stored('colour'))?.name).toBe('Colour')
  })
  test('without the right is refused with 403', async () => {
    await expect(client('UserDirectory=LAB;UserId=bertil').create(COLOUR)).rejects.toMatchObject({ status: 403 })
    expect(await stored('colour')).toBeUndefined()
  })
  test('of another kind of object than there is tells what QRS says', async () => {
    const wrong = client().create({ ...COLOUR, objectTypes: ['Tasks'] })
    await expect(wrong).rejects.toMatchObject({ status: 400, body: expect.stringContaining('objectTypes') })
  })
})

describe('adding values', () => {
  test('keeps everything else, and adds none twice', async () => {
    const before = (await stored('priority'))!
    expect(await client().addValues(before.id, ['low', 'middle', 'High'])).toEqual(['middle', 'High'])
    const after = (await stored('priority'))!
    expect(after).toEqual({
      ...before,
      choiceValues: ['high', 'low', 'middle', 'High'],
      modifiedDate: after.modifiedDate,
      modifiedByUserName: expect.any(String),
    } as never)
    expect(await client().addValues(before.id, ['low'])).toEqual([])
    expect((await stored('priority'))?.modifiedDate).toBe(after.modifiedDate)
  })

  test('that somebody changes at the same time are added to what they made of it', async () => {
    const { id } = (await stored('priority'))!
    const transport = transportAs(REPOSITORY_USER)
    let interferences = 0
    const racing: QrsTransport = {
      ...transport,
      async request(asked) {
        if (asked.method === 'PUT' && interferences < 2) {
          interferences++
          const now = (await stored('priority'))!
          const choiceValues = [...now.choiceValues, `theirs ${interferences}`]
          const put = await site.qrs('PUT', `custompropertydefinition/${id}`, { body: { ...now, choiceValues } })
          expect(put.status).toBe(200)
        }
        return transport.request(asked)
      },
    }
    expect(await createCustomPropertyClient({ transport: racing }).addValues(id, ['ours'])).toEqual(['ours'])
    expect((await stored('priority'))?.choiceValues).toEqual(['high', 'low', 'theirs 1', 'theirs 2', 'ours'])
  })

  test('of a definition that changes all the time is given up with 409', async () => {
    const { id } = (await stored('priority'))!
    const transport = transportAs(REPOSITORY_USER)
    const racing: QrsTransport = {
      ...transport,
      async request(asked) {
        if (asked.method === 'PUT') {
          await site.qrs('PUT', `custompropertydefinition/${id}`, { body: (await stored('priority'))! })
        }
        return transport.request(asked)
      },
    }
    const given = createCustomPropertyClient({ transport: racing }).addValues(id, ['ours'])
    await expect(given).rejects.toMatchObject({ status: 409 })
  })

  test('of a definition that is gone: null; without the right: 403', async () => {
    const { id } = (await stored('priority'))!
    await expect(client('UserDirectory=LAB;UserId=bertil').addValues(id, ['x'])).rejects.toMatchObject({ status: 403 })
    await site.qrs('DELETE', `custompropertydefinition/${id}`)
    expect(await client().addValues(id, ['x'])).toBeNull()
  })
})

describe('the simulated repository', () => {
  test.each([
    ['a name that is taken, in other case', { name: 'TaskGroup' }, 409],
    ['no name', { choiceValues: ['a'] }, 400],
    ['an empty name', { name: ' ' }, 400],
    ['values that are no texts', { name: 'n', choiceValues: [1] }, 400],
    ['an object type that is none', { name: 'n', objectTypes: ['Task'] }, 400],
  ])('refuses %s', async (_, body, status) => {
    expect((await site.qrs('POST', 'custompropertydefinition', { body })).status).toBe(status)
  })

  test('takes a lost value from the objects that had it', async () => {
    const definition = (await stored('taskGroup'))!
    const filter = "customProperties.value eq 'financial-reports'"
    const having = async () => (await site.qrs('GET', 'task/full', { filter })).json<object[]>().length
    expect(await having()).toBeGreaterThan(0)
    const body = { ...definition, choiceValues: ['operational-dashboards', 'regulatory-compliance'] }
    expect((await site.qrs('PUT', `custompropertydefinition/${definition.id}`, { body })).status).toBe(200)
    expect(await having()).toBe(0)
  })
})
