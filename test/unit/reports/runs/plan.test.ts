import { expect, test } from 'bun:test'
import type { HubPayload, MailPayload, Plan, PlanRequest } from '../../../../src/reports/runs/plan.ts'
import { planDeliveries } from '../../../../src/reports/runs/plan.ts'
import { exampleDefinition, exampleDocument, prepared, REPORT } from '../../../support/report-runs.ts'

const people = ['a@x.com', 'b@x.com']
const two = [
  exampleDocument(),
  exampleDocument({ id: 'b7c0d1e2-0000-4000-8000-000000000002', report: 'book', fileName: 'Book.xlsx' }),
]
const uses = (zip = 'none') => [
  { key: 'pack', reportId: REPORT, format: 'pdf', zip, deliver: { hub: false } },
  { key: 'book', reportId: REPORT, format: 'xlsx', zip, deliver: { hub: false } },
]

function planned(task: object, changes: Partial<PlanRequest> = {}, notes: string[] = []) {
  const { app, people: all, variants } = prepared(people)
  return planDeliveries({
    runId: '019aa51a-f5f5-7c11-9b5e-2f2f6a0c1e10',
    definition: exampleDefinition({ reports: uses(), ...task }),
    documents: two,
    missing: [],
    people: all,
    variants,
    app,
    startedAt: new Date('2026-03-02T06:30:00Z'),
    timezone: 'UTC',
    locale: 'en-GB',
    testAddress: null,
    limits: { maxMailsPerRun: 100, maxAttachmentMb: 20 },
    allowedDomains: [],
    fromAddress: 'reports@x.com',
    note: (code) => void notes.push(code),
    ...changes,
  })
}
const email = (grouping: string) => ({ email: { enabled: true, subject: 'Weekly', grouping, cc: ['boss@x.com'] } })

test.each([
  [
    'perRecipient',
    [
      ['a@x.com', 2],
      ['b@x.com', 2],
    ],
  ],
  [
    'perDocument',
    [
      ['a@x.com', 1],
      ['a@x.com', 1],
      ['b@x.com', 1],
      ['b@x.com', 1],
    ],
  ],
  ['single', [['a@x.com, b@x.com', 2]]],
])('grouping %s', async (grouping, expected) => {
  const { deliveries } = await planned(email(grouping))
  expect(deliveries.map(({ target, documents }) => [target, documents.length])).toEqual(expected as never)
})

test('single is refused when people get different documents', async () => {
  const { deliveries, refused } = await planned(email('single'), {
    variants: { 'a@x.com': '', 'b@x.com': 'v' },
    documents: [two[0]!, { ...two[1]!, variant: 'v' }],
  })
  expect([deliveries, refused?.code]).toEqual([[], 'DOCUMENT_FAILED'])
})

test('test mode: as many mails, all to the test address, without copies', async () => {
  const { deliveries } = await planned(email('perRecipient'), { testAddress: 'tester@x.com' })
  const mails = deliveries.map(({ payload }) => payload as MailPayload)
  expect(mails.map(({ to, cc, subject }) => [to, cc, subject])).toEqual([
    [['tester@x.com'], [], 'a@x.com: Weekly'],
    [['tester@x.com'], [], 'b@x.com: Weekly'],
  ])
})

test.each([
  ['none', ['Sales pack.pdf', 'Book.xlsx'], []],
  ['perReport', [], ['Sales pack_2026-03-02_06-30.zip', 'Sales pack_2026-03-02_06-30 (2).zip']],
  ['perMail', [], ['Weekly sales pack_2026-03-02_06-30.zip']],
])('zip %s', async (zip, attached, archives) => {
  const { deliveries } = await planned({ ...email('perRecipient'), reports: uses(zip) })
  const payload = deliveries[0]!.payload as MailPayload
  expect(payload.attach.map((id) => two.find((one) => one.id === id)!.fileName)).toEqual(attached)
  expect(payload.archives.map(({ name }) => name)).toEqual(archives)
})

test('all reports that are to be in the body are there', async () => {
  const reports = uses().map((use) => ({ ...use, format: 'html', deliver: { email: 'embed' } }))
  const { deliveries } = await planned({ ...email('perRecipient'), reports })
  expect((deliveries[0]!.payload as MailPayload).embed).toEqual(two.map(({ id }) => id))
})

test('equal names in one mail or archive are said once, with the name that the second file gets', async () => {
  const documents = [two[0]!, { ...two[1]!, fileName: 'SALES PACK.pdf' }]
  const details: string[] = []
  const note = (_: unknown, text: string) => void details.push(text)
  await planned(email('perRecipient'), { documents, note })
  await planned({ ...email('perRecipient'), reports: uses('perMail') }, { documents, note })
  expect(details).toEqual([
    'SALES PACK.pdf is SALES PACK (2).pdf in a mail, which has that name already',
    'SALES PACK.pdf is SALES PACK (2).pdf in Weekly sales pack_2026-03-02_06-30.zip, which has that name already',
  ])
})

test.each([
  [
    'all may read it in the hub, but for the copy',
    true,
    { 'a@x.com': '', 'b@x.com': '' },
    ['MAIL_LINK_INSTEAD', 'MAIL_INCOMPLETE', 'MAIL_LINK_INSTEAD'],
  ],
  ['one of them has no access to the hub', false, { 'a@x.com': '', 'b@x.com': '' }, []],
])('more than fits into a mail: %s', async (_, hub, variants, expected) => {
  const notes: string[] = []
  const reports = uses().map((use) => ({ ...use, deliver: { hub: true } }))
  const changes = { people: prepared(people).people.map((one) => ({ ...one, hub })), variants }
  const limits = { maxMailsPerRun: 100, maxAttachmentMb: 0.001 }
  const task = { ...email('perRecipient'), hub: { enabled: true }, reports }
  const { deliveries } = await planned(task, { ...changes, limits }, notes)
  const mails = deliveries.filter(({ channel }) => channel === 'email').map(({ payload }) => payload as MailPayload)
  expect(notes).toEqual(expected)
  expect(mails.map(({ attach, archives }) => [attach, archives.map(({ name }) => name)])).toEqual(
    people.map(() => (hub ? [[], []] : [[], ['Weekly sales pack.zip']])) as never,
  )
})

test('more mails than the limit: none leaves', async () => {
  const { deliveries, refused } = await planned(email('perRecipient'), {
    limits: { maxMailsPerRun: 1, maxAttachmentMb: 20 },
  })
  expect([deliveries, refused?.code]).toEqual([[], 'TOO_MANY_MAILS'])
})

test('a document that is missing for all is named in each mail; without the other there is no mail', async () => {
  const notes: string[] = []
  const missing = [{ report: 'book', variant: null, label: 'book', code: 'CONDITION_ERROR' as const }]
  const { deliveries } = await planned(email('perRecipient'), { documents: [two[0]!], missing }, notes)
  expect(deliveries.map(({ payload }) => (payload as MailPayload).missing)).toEqual([
    ['Sales pack (book)'],
    ['Sales pack (book)'],
  ])
  expect(notes).toEqual(['MAIL_INCOMPLETE', 'MAIL_INCOMPLETE'])
})

test('people for whom nothing could be made get no mail, and are named unless the event about their document does', async () => {
  const said: unknown[] = []
  const note: PlanRequest['note'] = (...event) => void said.push(event)
  const missing = [{ report: 'book', variant: null, label: 'book', code: 'CONDITION_ERROR' as const }]
  expect((await planned(email('perRecipient'), { documents: [], missing, note })).deliveries).toEqual([])
  const details = 'a@x.com, b@x.com: no mail, without Sales pack (book)'
  expect(said).toEqual([['MAIL_INCOMPLETE', details, 'a@x.com, b@x.com']])
  await planned(email('perRecipient'), { documents: [], missing: [{ ...missing[0]!, mailTo: people }], note })
  expect(said).toHaveLength(1)
})

test('a folder with {recipient} is that of the person for whom the document was made', async () => {
  const documents = two.map((one, index) => ({ ...one, reader: { address: `p${index}@x.com`, attributes: {} } }))
  const task = {
    email: {},
    storage: [{ spaceId: 'share', folder: 'to/{recipient}' }],
    run: { evaluateAs: 'recipient' },
  }
  const { deliveries } = await planned(task, { documents })
  expect(deliveries.map(({ target }) => target.replace(/[^/]*$/, ''))).toEqual([
    'share:to/p0@x.com/',
    'share:to/p1@x.com/',
  ])
})

test('equal names in one folder: the second gets a number', async () => {
  const notes: string[] = []
  const documents = [two[0]!, { ...two[1]!, fileName: 'SALES PACK.pdf' }]
  const { deliveries } = await planned(
    { email: {}, storage: [{ spaceId: 'share', folder: '{date:yyyy}' }] },
    { documents },
    notes,
  )
  expect(deliveries.map(({ target }) => target)).toEqual(['share:2026/Sales pack.pdf', 'share:2026/SALES PACK (2).pdf'])
  expect(notes).toEqual(['FILE_RENAMED'])
})

test('a cycle reaches whom its expression names, and the recipients of the task only where it says so', async () => {
  const cycled = (alsoRecipients: boolean) => [
    {
      ...uses()[0],
      deliver: { hub: true },
      cycle: { fields: ['Region'], emailTo: '=Mail', hubTo: '=Mail', alsoRecipients },
    },
  ]
  const hub = { enabled: true, title: 'Weekly' }
  const found = [
    ...prepared(['a@x.com']).people,
    { ...prepared(['h@x.com']).people[0]!, email: false, hub: true, name: 'Hub reader' },
  ]
  const variants = { 'a@x.com': '', 'h@x.com': '' }
  const documents = [exampleDocument({ mailTo: ['new@x.com', 'h@x.com'], hubTo: ['new@x.com'] })]
  const [alone, withAll] = await Promise.all(
    [false, true].map((also) =>
      planned({ ...email('perRecipient'), hub, reports: cycled(also) }, { people: found, variants, documents }),
    ),
  )
  const mails = ({ deliveries }: Plan) =>
    deliveries.filter(({ channel }) => channel === 'email').map(({ target }) => target)
  const readers = ({ deliveries }: Plan) =>
    deliveries.filter(({ channel }) => channel === 'hub').map(({ payload }) => (payload as HubPayload).visibleTo)
  expect([mails(alone!), mails(withAll!)]).toEqual([
    ['new@x.com', 'h@x.com'],
    ['a@x.com', 'new@x.com', 'h@x.com'],
  ])
  expect([readers(alone!), readers(withAll!)]).toEqual([[['new@x.com']], [['h@x.com', 'new@x.com']]])
})

test('a reader of the hub whom a cycle mails a file gets no mail with the other reports', async () => {
  const person = { ...prepared(['h@x.com']).people[0]!, email: false, hub: true }
  const documents = [{ ...two[0]!, mailTo: ['h@x.com'] }, two[1]!]
  const { deliveries } = await planned(email('perRecipient'), {
    people: [person],
    variants: { 'h@x.com': '' },
    documents,
  })
  expect(deliveries.map(({ documents: ids }) => ids)).toEqual([[two[0]!.id]])
})
