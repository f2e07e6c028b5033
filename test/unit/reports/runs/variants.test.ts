/** People with the same documents, the reports that they get, and the documents of a cycle. */
import { expect, test } from 'bun:test'
import fc from 'fast-check'
import { type Person, stranger } from '../../../../src/reports/runs/recipients.ts'
import { audienceOf, documentsOf, type Named, wantedVariants } from '../../../../src/reports/runs/variants.ts'
import { cell } from '../../../support/report-data.ts'
import { exampleDefinition, REPORT } from '../../../support/report-runs.ts'

const person = (name: string, changes: Partial<Person> = {}): Person => ({
  ...stranger(`${name}@x.com`, { email: true, hub: false }),
  ...changes,
})
const user = (userId: string) => ({ qlikUser: { userDirectory: 'LAB', userId } })
const AS_RECIPIENT = { run: { evaluateAs: 'recipient' } }
const use = (changes: object = {}) => ({ key: 'pack', reportId: REPORT, format: 'pdf', ...changes })

const audience = (people: readonly Person[], task: object = {}, refused: string[] = []) =>
  audienceOf(exampleDefinition(task), people, ({ address }) => void refused.push(address))

/** Names of the people of each variant. */
const groups = (people: readonly Person[], task: object = {}, refused: string[] = []) =>
  audience(people, task, refused).variants.map((one) => one.people.map(({ address }) => address.split('@')[0]).join(''))

test.each<[string, readonly Person[], object, readonly string[]]>([
  ['all without filters', [person('a'), person('b')], {}, ['ab']],
  [
    'equal filters, in any order',
    [person('a', { filterIds: ['1', '2'] }), person('b', { filterIds: ['2', '1'] })],
    {},
    ['ab'],
  ],
  [
    'other filters',
    [person('a', { filterIds: ['1'] }), person('b'), person('c', { filterIds: ['1'] })],
    {},
    ['ac', 'b'],
  ],
  ['Qlik users do not matter', [person('a', user('a')), person('b', user('b'))], {}, ['ab']],
  [
    'read as each person',
    [person('a', user('a')), person('b', user('b')), person('c', user('a'))],
    AS_RECIPIENT,
    ['ac', 'b'],
  ],
  ['names with the recipient', [person('a'), person('b')], { reports: [use({ fileName: '{recipient}' })] }, ['ab']],
  [
    'names with the recipient, read as each person',
    [person('a', user('t')), person('b', user('t'))],
    { ...AS_RECIPIENT, reports: [use({ fileName: '{recipient}' })] },
    ['a', 'b'],
  ],
])('people of one variant: %s', (_, people, task, expected) => {
  expect(groups(people, task)).toEqual([...expected])
})

test('read as each person, a person without a Qlik user has no variant', () => {
  const refused: string[] = []
  expect(groups([person('a', user('a')), person('b')], AS_RECIPIENT, refused)).toEqual(['a'])
  expect(refused).toEqual(['b@x.com'])
})

const anyone = fc.record({
  filterIds: fc.uniqueArray(fc.constantFrom('1', '2', '3'), { maxLength: 3 }),
  qlikUser: fc.option(fc.constantFrom(user('x').qlikUser, user('y').qlikUser)),
})

test('two people share a variant exactly when they have the same filters and read the app alike', () => {
  fc.assert(
    fc.property(fc.array(anyone, { maxLength: 6 }), fc.boolean(), (all, asRecipient) => {
      const people = all.map((one, index) => person(`p${index}`, one))
      const { variants } = audience(people, asRecipient ? AS_RECIPIENT : {})
      const served = people.filter(({ qlikUser }) => !asRecipient || qlikUser)
      expect(variants.flatMap((one) => one.people).length).toBe(served.length)
      const keyOf = ({ filterIds, qlikUser }: Person) =>
        JSON.stringify([filterIds.toSorted(), asRecipient ? qlikUser : null])
      const variantOf = (one: Person) => variants.find((variant) => variant.people.includes(one))?.id
      for (const one of served) {
        for (const other of served) expect(variantOf(one) === variantOf(other)).toBe(keyOf(one) === keyOf(other))
        expect(variantOf(one) === '').toBe(one.filterIds.length === 0 && !(asRecipient && one.qlikUser))
      }
    }),
  )
})

const own = person('own', { filterIds: ['1'] })
const inHub = person('hub', { filterIds: ['2'], email: false, hub: true })
const SHARE = { storage: [{ spaceId: 'share', folder: '' }] }
const HUB = { hub: { enabled: true } }
test.each<[string, readonly Person[], object, object, readonly string[]]>([
  ['people with mails', [own, inHub], {}, {}, ['own']],
  ['mails are off', [own], { email: { enabled: false } }, {}, []],
  ['the report is not mailed', [own], {}, { deliver: { email: 'none' } }, []],
  ['people of the hub, and all who may see it there', [own, inHub], HUB, {}, ['-', 'own', 'hub']],
  ['a folder gets the plain documents', [own], SHARE, {}, ['-', 'own']],
  [
    'the folder is for other reports',
    [own],
    { storage: [{ spaceId: 'share', folder: '', reports: ['b'] }] },
    {},
    ['own'],
  ],
  ['the plain documents have readers already', [person('a'), own], SHARE, {}, ['a', 'own']],
  ['a cycle names its readers', [own], {}, { cycle: { fields: ['Region'], emailTo: '=Mail' } }, ['-']],
  [
    'and recipients too',
    [own],
    {},
    { cycle: { fields: ['Region'], emailTo: '=Mail', alsoRecipients: true } },
    ['-', 'own'],
  ],
  [
    'read as each person, a folder gets nothing',
    [person('own', user('o'))],
    { ...SHARE, ...AS_RECIPIENT },
    {},
    ['own'],
  ],
])('variants of a report: %s', (_, people, task, changes, expected) => {
  const definition = exampleDefinition({ ...task, reports: [use(changes)] })
  const wanted = wantedVariants(definition.task.reports[0]!, definition.task, audience(people, task), false)
  expect(wanted.map((one) => one.people.map(({ address }) => address.split('@')[0]).join('') || '-')).toEqual([
    ...expected,
  ])
})

test('a preview is for the first people alone, else for no person', () => {
  const { task } = exampleDefinition(SHARE)
  const [first] = task.reports
  expect(wantedVariants(first!, task, audience([own, inHub]), true)).toEqual(audience([own]).variants as never)
  expect(wantedVariants(first!, task, audience([]), true)).toMatchObject([{ id: '', people: [] }])
})

const region = (text: string) => [{ field: 'Region', value: cell(text) }]
const named = (from: Person, text: string, address: string): Named => ({
  access: audience([from]).variants[0]!,
  value: region(text),
  addressed: { mail: [address], hub: [] },
})

test('the documents of a cycle: people whom it names get those of their own filters', () => {
  const all = audience([person('a'), own])
  const [plain, filtered] = all.variants
  const found = [
    {
      variant: plain!,
      values: [region('N'), region('S')],
      named: [named(own, 'N', 'own@x.com'), named(own, 'N', 'too@x.com'), named(inHub, 'S', 'hub@x.com')],
    },
    { variant: filtered!, values: [region('N')], named: [] },
  ]
  const texts = (plainToo: boolean) =>
    documentsOf(found, all, plainToo).map(
      ({ variant, cycle, named: { mail } }) =>
        `${cycle[0]!.value.text}[${variant.filterIds}]${variant.people.length} ${mail}`,
    )
  const ofOthers = ['N[1]1 own@x.com,too@x.com', 'S[2]0 hub@x.com']
  expect(texts(true)).toEqual(['N[]1 ', 'S[]1 ', ...ofOthers])
  expect(texts(false)).toEqual(ofOthers)
})
