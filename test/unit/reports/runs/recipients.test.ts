/** References of a task become people. */
import { expect, test } from 'bun:test'
import { recipient } from '../../../../src/reports/entities/recipient.ts'
import { type Definition, reportTask } from '../../../../src/reports/entities/task.ts'
import { type PeopleRequest, resolvePeople } from '../../../../src/reports/runs/recipients.ts'

const STORED = { createdAt: '', createdBy: '', modifiedAt: '', modifiedBy: '', revision: 1 }
const NORTH = 'a2e0c1b4-0000-4000-8000-000000000001'
const ANNA = 'b2e0c1b4-0000-4000-8000-00000000000a'
const OTTO = 'b2e0c1b4-0000-4000-8000-00000000000b'

/** Anna with a filter, and Otto, who is inactive. */
const known = [
  { ...recipient().parse({ name: 'Anna', email: 'Anna@acme.example', filterIds: [NORTH] }), id: ANNA, ...STORED },
  { ...recipient().parse({ name: 'Otto', email: 'otto@acme.example', active: false }), id: OTTO, ...STORED },
]

async function resolved(recipients: readonly object[], more: Partial<PeopleRequest> = {}) {
  const task = { ...reportTask().parse({ name: 'Task', recipients }), id: NORTH, ...STORED }
  const definition: Definition = { task, recipients: known, groups: [], reports: [], filters: [], conditions: [] }
  const notes: string[] = []
  const people = await resolvePeople({
    definition,
    members: {},
    allowedDomains: [],
    only: null,
    evaluate: async () => 'anna@acme.example; new@acme.example;anna@acme.example',
    note: (code, details) => void notes.push(`${code} ${details}`),
    line: () => {},
    ...more,
  })
  return { people: people.map(({ address, filterIds, email, hub }) => ({ address, filterIds, email, hub })), notes }
}

test('the filters of a known person hold however the task names the person', async () => {
  const anna = { address: 'anna@acme.example', filterIds: [NORTH], email: true, hub: false }
  const stranger = { address: 'new@acme.example', filterIds: [], email: true, hub: false }
  expect((await resolved([{ type: 'recipient', recipientId: ANNA }])).people).toEqual([anna])
  expect((await resolved([{ type: 'address', address: 'ANNA@acme.example' }])).people).toEqual([anna])
  expect((await resolved([{ type: 'expression', expr: '=Mails' }])).people).toEqual([anna, stranger])
})

test('a person whom several references name is there once, with all that they allow', async () => {
  const { people } = await resolved([
    { type: 'address', address: 'anna@acme.example', email: true, hub: false },
    { type: 'recipient', recipientId: ANNA, email: false, hub: true },
  ])
  expect(people).toEqual([{ address: 'anna@acme.example', filterIds: [NORTH], email: true, hub: true }])
})

test('inactive people, wrong addresses and foreign domains get nothing', async () => {
  const evaluate = async () => 'otto@acme.example; no address; x@other.example; y@ACME.example'
  const allowedDomains = ['acme.example']
  const { people, notes } = await resolved([{ type: 'expression', expr: '=Mails' }], { evaluate, allowedDomains })
  expect(people.map(({ address }) => address)).toEqual(['y@acme.example'])
  expect(notes).toEqual(['ADDRESS_INVALID no address', 'ADDRESS_NOT_ALLOWED x@other.example'])
})
