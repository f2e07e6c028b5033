/** References of a task become people. */
import { describe, expect, test } from 'bun:test'
import { recipient, recipientGroup } from '../../../../src/reports/entities/recipient.ts'
import { type Definition, reportTask } from '../../../../src/reports/entities/task.ts'
import { type PeopleRequest, resolvePeople } from '../../../../src/reports/runs/recipients.ts'

const STORED = { createdAt: '', createdBy: '', modifiedAt: '', modifiedBy: '', revision: 1 }
const NORTH = 'a2e0c1b4-0000-4000-8000-000000000001'
const ANNA = 'b2e0c1b4-0000-4000-8000-00000000000a'
const GROUP = 'c2e0c1b4-0000-4000-8000-00000000000c'
const OTTO = 'b2e0c1b4-0000-4000-8000-00000000000b'

/** Anna with a filter, and Otto, who is inactive. */
const known = [
  { ...recipient().parse({ name: 'Anna', email: 'Anna@acme.example', filterIds: [NORTH] }), id: ANNA, ...STORED },
  { ...recipient().parse({ name: 'Otto', email: 'otto@acme.example', active: false }), id: OTTO, ...STORED },
]

async function resolved(recipients: readonly object[], more: Partial<PeopleRequest> = {}, group?: object) {
  const task = { ...reportTask().parse({ name: 'Task', recipients }), id: NORTH, ...STORED }
  const groups = group ? [{ ...recipientGroup().parse({ name: 'Managers', ...group }), id: GROUP, ...STORED }] : []
  const definition: Definition = { task, recipients: known, groups, reports: [], filters: [], conditions: [] }
  const notes: string[] = []
  const missed: string[] = []
  const people = await resolvePeople({
    definition,
    members: {},
    allowedDomains: [],
    only: null,
    evaluate: async () => 'anna@acme.example; new@acme.example;anna@acme.example',
    note: (code, details) => void notes.push(`${code} ${details}`),
    line: () => {},
    missed: (details) => void missed.push(details),
    ...more,
  })
  return {
    people: people.map(({ address, filterIds, email, hub }) => ({ address, filterIds, email, hub })),
    notes,
    missed,
  }
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

describe('a group that brings no person is named with the reason', () => {
  const FILTER = "name eq 'x'"
  const dynamic = { type: 'qrs', filter: FILTER }
  const user = (address: string | null) => ({ name: 'U', address, qlikUser: { userDirectory: 'D', userId: 'u' } })
  const NONE = 'members is active and has an address that reports may use'

  test.each<[object, readonly (string | null)[], string | null]>([
    [{}, [], 'it has no members'],
    [{ memberIds: [OTTO] }, [], `none of its 1 ${NONE}`],
    [{ dynamic }, [], `no active user of Qlik Sense matches its filter ${FILTER}`],
    [{ dynamic }, [null, 'x@other.example'], `none of its 2 ${NONE}`],
    [{ dynamic, memberIds: [OTTO] }, ['y@acme.example'], null],
  ])('%j with the users %j', async (group, users, reason) => {
    const more = { members: { [GROUP]: users.map(user) }, allowedDomains: ['acme.example'] }
    const { missed } = await resolved([{ type: 'group', groupId: GROUP }], more, group)
    expect(missed).toEqual(reason === null ? [] : [`the group "Managers" brings no person: ${reason}`])
  })

  test('not when the start is limited to others', async () => {
    const { missed, people } = await resolved(
      [{ type: 'group', groupId: GROUP }],
      { only: ['other@acme.example'] },
      { memberIds: [ANNA] },
    )
    expect([missed, people]).toEqual([[], []])
  })
})
