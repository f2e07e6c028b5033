import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { type EmailRulesConfig, emailRules } from '../../../src/alerts/butler-sections/email.ts'
import { sampleEvent, sampleToSend } from '../../../src/alerts/sample-event.ts'
import type { PlannedDelivery } from '../../../src/alerts/types.ts'
import { qlikSenseCloud } from '../../../src/events/config.ts'
import { EVENT_TYPES } from '../../../src/events/kinds.ts'
import type { CloudReloadDetails, EventOutcome, EventType, TaskEvent } from '../../../src/events/types.ts'
import {
  isAllowedDomain,
  isEmailAddress,
  splitAddresses,
  uniqueAddresses,
} from '../../../src/platform/mail-addresses.ts'
import { emailConfig, fullEvent } from '../../support/alerts.ts'
import { TASK_ID } from '../../support/events.ts'

test.each([
  ['anna@acme.example', true],
  ["o'brien+qlik@sub.acme-corp.example", true],
  ['a.b.c@x.io', true],
  ['A@B.CO', true],
  [`${'a'.repeat(64)}@acme.example`, true],
  [`${'a'.repeat(65)}@acme.example`, false],
  [`a@${'b'.repeat(63)}.example`, true],
  [`a@${'b'.repeat(64)}.example`, false],
  [`a@${`${'b'.repeat(60)}.`.repeat(4)}exampleexample`, false],
  ['anna', false],
  ['anna@acme', false],
  ['@acme.example', false],
  ['.anna@acme.example', false],
  ['anna.@acme.example', false],
  ['an..na@acme.example', false],
  ['anna@acme..example', false],
  ['anna@-acme.example', false],
  ['anna@acme.1x', false],
  ['anna@acme.x', false],
  ['anna@acme.example ', false],
  ['an na@acme.example', false],
  ['ännå@acme.example', false],
  ['Anna <anna@acme.example>', false],
  ['anna@acme.example\r\nBcc: x@y.io', false],
])('%p is an address: %p', (address, expected) => {
  expect(isEmailAddress(address)).toBe(expected)
})

test('no address holds anything that could end a header or an SMTP command', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 40 }), (text) => {
      const address = `a${text}@acme.example`
      if (isEmailAddress(address)) expect(address).not.toMatch(/[\s<>(),;:"\\[\]]/)
    }),
  )
})

test('lists are split, trimmed and freed of repetitions whatever the capitals', () => {
  const list = splitAddresses([' Anna@x.io ; bob@x.io', 'anna@X.io,', '', 'carl@x.io'])
  expect(uniqueAddresses(list)).toEqual(['Anna@x.io', 'bob@x.io', 'carl@x.io'])
})

test('domains can be restricted', () => {
  expect(isAllowedDomain('a@ACME.example', ['@acme.example'])).toBe(true)
  expect(isAllowedDomain('a@sub.acme.example', ['acme.example'])).toBe(false)
  expect(isAllowedDomain('a@anything.io', [])).toBe(true)
})

interface Situation {
  readonly recipients?: readonly string[]
  /** Values of the task's custom property with addresses. */
  readonly own?: readonly string[]
  /** `alertEnableByCustomProperty.enable`, and the task's value of that property. */
  readonly gate?: boolean
  readonly marked?: string
  readonly owner?: TaskEvent['owner']
  readonly appOwnerAlert?: object
}

const OWNER = { id: 'o', directory: 'ACME', userId: 'anna', userName: 'Anna', emails: ['z@a.io', 'y@a.io'] }

function planFor(
  situation: Situation,
  changes: Partial<TaskEvent> = {},
  more: object = {},
): readonly PlannedDelivery[] {
  const {
    recipients = [],
    own = [],
    gate = false,
    marked,
    owner = OWNER,
    appOwnerAlert = { enable: false },
  } = situation
  const config = emailConfig(
    {
      reloadTaskFailure: {
        enable: true,
        recipients: [...recipients],
        rateLimit: 600,
        alertEnableByCustomProperty: { enable: gate, customPropertyName: 'Alert', enabledValue: 'Yes' },
        alertEnabledByEmailAddress: { customPropertyName: 'SendTo' },
        appOwnerAlert,
      },
    } as never,
    more,
  )
  const property = (name: string) => (value: string) => ({ value, definition: { id: name, name } })
  const task = fullEvent().task!
  const event = fullEvent({
    owner,
    task: {
      ...task,
      customProperties: [...own.map(property('SendTo')), ...(marked ? [property('Alert')(marked)] : [])],
    },
    ...changes,
  })
  return emailRules(config)[0]!.plan(event)
}

const summary = (rows: readonly PlannedDelivery[]) =>
  rows.map(({ target, suppress }) => (suppress ? `${target} ${suppress.reason}` : target))

describe('who gets a mail', () => {
  const all = { enable: true, includeOwner: { includeAll: true } }
  const some = (...user: object[]) => ({ enable: true, includeOwner: { includeAll: false, user } })
  const anna = { directory: 'ACME', userId: 'anna' }

  test.each<[string, Situation, readonly string[]]>([
    ['without gate: the fixed list', { recipients: ['s@a.io'] }, ['s@a.io']],
    ['without gate, no list', {}, ['(nobody) NO_RECIPIENT']],
    ['marked: the fixed list', { gate: true, marked: 'Yes', recipients: ['s@a.io'] }, ['s@a.io']],
    ['marked, no list', { gate: true, marked: 'Yes' }, ['(nobody) NO_RECIPIENT']],
    ['not marked', { gate: true, recipients: ['s@a.io'] }, ['(nobody) CUSTOM_PROPERTY']],
    ['marked No', { gate: true, marked: 'No', recipients: ['s@a.io'] }, ['(nobody) CUSTOM_PROPERTY']],
    ['not marked, own recipients', { gate: true, own: ['o@a.io'], recipients: ['s@a.io'] }, ['o@a.io']],
    ['own recipients come first', { own: ['x@a.io'], recipients: ['y@a.io', 'x@a.io'] }, ['x@a.io', 'y@a.io']],
    ['several in one value', { own: ['x@a.io; y@a.io,X@A.io'] }, ['x@a.io', 'y@a.io']],
    ['invalid ones', { recipients: ['nonsense', 's@a.io'] }, ['nonsense RECIPIENT_INVALID', 's@a.io']],
    ['the owner, all addresses', { appOwnerAlert: all }, ['z@a.io', 'y@a.io']],
    ['the owner comes last', { recipients: ['s@a.io', 'Z@a.io'], appOwnerAlert: all }, ['s@a.io', 'Z@a.io', 'y@a.io']],
    ['the owner although not marked', { gate: true, appOwnerAlert: all }, ['z@a.io', 'y@a.io']],
    [
      'owner without address',
      { recipients: ['s@a.io'], owner: { ...OWNER, emails: [] }, appOwnerAlert: all },
      ['s@a.io'],
    ],
    ['owner unknown', { recipients: ['s@a.io'], owner: null, appOwnerAlert: all }, ['s@a.io']],
    ['owner unknown, nobody else', { owner: null, appOwnerAlert: all }, ['(nobody) NO_RECIPIENT']],
    ['owner included by name', { appOwnerAlert: some(anna) }, ['z@a.io', 'y@a.io']],
    [
      'owner not among the included',
      { recipients: ['s@a.io'], appOwnerAlert: some({ ...anna, userId: 'Anna' }) },
      ['s@a.io', 'z@a.io OWNER_EXCLUDED', 'y@a.io OWNER_EXCLUDED'],
    ],
    [
      'excluding wins over including all',
      { recipients: ['z@a.io'], appOwnerAlert: { ...all, excludeOwner: { user: [anna] } } },
      ['z@a.io', 'y@a.io OWNER_EXCLUDED'],
    ],
    [
      'excluding wins over including by name',
      { appOwnerAlert: { ...some(anna), excludeOwner: { user: [anna] } } },
      ['z@a.io OWNER_EXCLUDED', 'y@a.io OWNER_EXCLUDED', '(nobody) NO_RECIPIENT'],
    ],
  ])('%s', (_, situation, expected) => {
    expect(summary(planFor(situation))).toEqual([...expected])
  })

  test('task-specific, fixed and owner addresses: each once, in this order', () => {
    const owner = { ...OWNER, emails: ['z@a.io', 'y@a.io'] }
    const rows = planFor({ own: ['x@a.io'], recipients: ['y@a.io', 'x@a.io'], owner, appOwnerAlert: all })
    expect(summary(rows)).toEqual(['x@a.io', 'y@a.io', 'z@a.io'])
  })

  test('name and value must belong to the same custom property', () => {
    const other = { value: 'Yes', definition: { id: 'other', name: 'Other' } }
    const no = { value: 'No', definition: { id: 'alert', name: 'Alert' } }
    const task = { ...fullEvent().task!, customProperties: [no, other] }
    expect(summary(planFor({ gate: true, recipients: ['s@a.io'] }, { task }))).toEqual(['(nobody) CUSTOM_PROPERTY'])
  })

  test('an unreadable task does not hold back a failure', () => {
    expect(summary(planFor({ gate: true, recipients: ['s@a.io'] }, { task: null }))).toEqual(['s@a.io'])
  })

  test('domains that are not allowed are suppressed', () => {
    const rows = planFor({ recipients: ['s@a.io', 's@b.io'] }, {}, { allowedDomains: ['b.io'] })
    expect(summary(rows)).toEqual(['s@a.io RECIPIENT_INVALID', 's@b.io'])
  })

  test('each recipient has a window of its own, whatever the capitals', () => {
    const [row] = planFor({ recipients: ['Ops@a.io'] })
    const key = `butler.emailNotification.reloadTaskFailure|${TASK_ID}|ops@a.io`
    expect(row).toEqual({ target: 'Ops@a.io', lane: 'email', limit: { key, windowMs: 600_000 } })
  })
})

describe('mail routes', () => {
  test('one per section that is on', () => {
    const routes = emailRules(
      emailConfig({
        reloadTaskFailure: { enable: true },
        reloadTaskAborted: { enable: false },
        reloadTaskSuccess: { enable: true, headScriptLogLines: 0, tailScriptLogLines: 0 },
      }),
    )
    expect(routes.map(({ name, when, phase, needs }) => ({ name, when, phase, needs }))).toEqual([
      {
        name: 'butler.emailNotification.reloadTaskFailure',
        when: { types: ['reload'], outcomes: ['failed'] },
        phase: 'enriched',
        needs: ['app', 'owner', 'execution', 'scriptLog'],
      },
      {
        name: 'butler.emailNotification.reloadTaskSuccess',
        when: { types: ['reload'], outcomes: ['success'] },
        phase: 'enriched',
        needs: ['app', 'owner', 'execution'],
      },
    ])
  })

  test('none when mail is off', () => {
    expect(emailRules(emailConfig({ enable: false, reloadTaskFailure: { enable: true } }))).toEqual([])
  })

  test('a success of which the task could not be read stays silent where tasks must be marked', () => {
    const gate = { enable: true, customPropertyName: 'A', enabledValue: 'Yes' }
    const section = { enable: true, recipients: ['s@a.io'], alertEnableByCustomProperty: gate }
    const [route] = emailRules(emailConfig({ reloadTaskSuccess: section }))
    const event = fullEvent({ outcome: 'success', task: null })
    expect(summary(route!.plan(event))).toEqual(['(nobody) CUSTOM_PROPERTY'])
  })
})

describe('the other sections', () => {
  const people = ['ops@a.io', 'OPS@a.io; dev@a.io']
  const services = (email: boolean, enable = true) => ({
    serviceMonitor: { enable, alertDestination: { email: { enable: email } } },
  })
  const cloud = (section: object, enable = true) => ({
    qlikSenseCloud: qlikSenseCloud.parse({
      enable,
      event: {
        mqtt: {
          tenant: {
            alert: { emailNotification: { reloadAppFailure: { enable: true, recipients: people, ...section } } },
          },
        },
      },
    }),
  })
  const on = { enable: true, recipients: people, rateLimit: 60 }
  const everything = {
    ...emailConfig({
      reloadTaskFailure: on,
      reloadTaskAborted: on,
      reloadTaskSuccess: on,
      distributeTaskFailure: on,
      distributeTaskSuccess: on,
      preloadTaskFailure: on,
      preloadTaskSuccess: on,
      serviceStopped: { recipients: people, rateLimit: 30 },
      serviceStarted: { recipients: people, rateLimit: 40 },
    }),
    ...services(true),
    ...cloud({}),
  }

  const matching = (config: EmailRulesConfig, type: EventType, outcome: EventOutcome) =>
    emailRules(config).filter(({ when }) => when.types.includes(type) && when.outcomes.includes(outcome))

  test.each<[EventType, EventOutcome, string | null]>([
    ['reload', 'failed', 'emailNotification.reloadTaskFailure'],
    ['reload', 'aborted', 'emailNotification.reloadTaskAborted'],
    ['reload', 'success', 'emailNotification.reloadTaskSuccess'],
    ['distribute', 'failed', 'emailNotification.distributeTaskFailure'],
    ['distribute', 'aborted', 'emailNotification.distributeTaskFailure'],
    ['distribute', 'success', 'emailNotification.distributeTaskSuccess'],
    ['preload', 'failed', 'emailNotification.preloadTaskFailure'],
    ['preload', 'aborted', null],
    ['preload', 'success', 'emailNotification.preloadTaskSuccess'],
    ['service', 'stopped', 'emailNotification.serviceStopped'],
    ['service', 'unreachable', 'emailNotification.serviceStopped'],
    ['service', 'started', 'emailNotification.serviceStarted'],
    ['cloudReload', 'failed', 'qlikSenseCloud.emailNotification.reloadAppFailure'],
    ['cloudReload', 'success', null],
    ['externalProgram', 'failed', null],
    ['userSync', 'failed', null],
    ['reload', 'late', null],
    ['license', 'expired', null],
    ['self', 'raised', null],
  ])('%s %s is for %p', (type, outcome, name) => {
    const expected = name === null ? [] : [`butler.${name}`]
    expect(matching(everything, type, outcome).map((route) => route.name)).toEqual(expected)
  })

  const planOf = (config: EmailRulesConfig, event: TaskEvent) =>
    matching(config, event.type, event.outcome)[0]!.plan(event)

  test('stop and start of a service have windows of their own, per host, service and recipient', () => {
    const limits = (['stopped', 'started'] as const).map((outcome) => {
      const event = { ...sampleEvent('e', outcome, 0, 'service'), host: 'h1' }
      return planOf(everything, event).map(({ limit }) => limit)
    })
    const key = (section: string, to: string) => `butler.emailNotification.${section}|h1|QlikSenseEngineService|${to}`
    expect(limits).toEqual([
      [
        { key: key('serviceStopped', 'ops@a.io'), windowMs: 30_000 },
        { key: key('serviceStopped', 'dev@a.io'), windowMs: 30_000 },
      ],
      [
        { key: key('serviceStarted', 'ops@a.io'), windowMs: 40_000 },
        { key: key('serviceStarted', 'dev@a.io'), windowMs: 40_000 },
      ],
    ])
  })

  test('services need every switch, and say when there is nobody', () => {
    for (const config of [services(false), services(true, false), {}]) {
      const found = emailRules({ ...emailConfig({ serviceStopped: { recipients: people } }), ...config })
      expect(found).toEqual([])
    }
    const none = { ...emailConfig({}), ...services(true) }
    expect(summary(planOf(none, sampleEvent('e', 'stopped', 0, 'service')))).toEqual(['(nobody) NO_RECIPIENT'])
  })

  test('failed distributions and preloads go to the common list, once per task and recipient in a window', () => {
    for (const type of ['distribute', 'preload'] as const) {
      const event = sampleEvent('e', 'failed', 0, type)
      expect(summary(planOf(everything, event))).toEqual(['ops@a.io', 'dev@a.io'])
      expect(planOf(everything, event)[0]!.limit!.key).toContain(`|${event.taskId}|ops@a.io`)
    }
  })

  test('an invented event never goes to its invented owner', () => {
    const owner = { enable: true, includeOwner: { includeAll: true } }
    const own = {
      ...emailConfig({ reloadTaskFailure: { enable: true, recipients: ['ops@a.io'], appOwnerAlert: owner } }),
    }
    const ofCloud = { ...emailConfig({}), ...cloud({ recipients: ['ops@a.io'], appOwnerAlert: owner }) }
    expect(summary(planOf(own, sampleToSend('e', 'failed', 0, 'reload')))).toEqual(['ops@a.io'])
    expect(summary(planOf(ofCloud, sampleToSend('e', 'failed', 0, 'cloudReload')))).toEqual(['ops@a.io'])
    for (const type of EVENT_TYPES) {
      expect(JSON.stringify(sampleToSend('e', 'failed', 0, type))).not.toContain('@sample.example')
    }
  })

  describe('Qlik Cloud', () => {
    const event = (variables: object = {}) => {
      const sample = sampleEvent('e', 'failed', 0, 'cloudReload')
      const details = sample.details as CloudReloadDetails
      return { ...sample, test: false, details: { ...details, variables: { ...details.variables, ...variables } } }
    }
    const plan = (section: object, variables: object = {}) =>
      summary(planOf({ ...emailConfig({}), ...cloud(section) }, event(variables)))
    const tagged = { alertEnableByTag: { enable: true, tag: 'alert me' } }
    const ownerAlert = (more: object) => ({ recipients: ['ops@a.io'], appOwnerAlert: { enable: true, ...more } })
    const anna = 'anna@sample.example'

    test.each<[string, object, object, readonly string[]]>([
      ['the common list', {}, {}, ['ops@a.io', 'dev@a.io']],
      ['the tag is there', tagged, { appTags: ['x', 'alert me'] }, ['ops@a.io', 'dev@a.io']],
      ['the tag is not there', tagged, { appTags: ['x'] }, ['(nobody) TAG']],
      ['the tags could not be read', tagged, { appTags: null }, ['ops@a.io', 'dev@a.io']],
      ['the owner of an app without tag', { ...tagged, ...ownerAlert({}) }, { appTags: [] }, [anna]],
      ['the owner comes last', ownerAlert({}), {}, ['ops@a.io', anna]],
      ['the owner once', { ...ownerAlert({}), recipients: ['Anna@sample.example'] }, {}, ['Anna@sample.example']],
      ['an unknown owner', ownerAlert({}), { appOwnerEmail: '' }, ['ops@a.io']],
      [
        'an included owner',
        ownerAlert({ includeOwner: { includeAll: false, user: [{ email: anna }] } }),
        {},
        ['ops@a.io', anna],
      ],
      [
        'an owner who is not included',
        ownerAlert({ includeOwner: { includeAll: false, user: ['x@y.io'] } }),
        {},
        ['ops@a.io', `${anna} OWNER_EXCLUDED`],
      ],
      ['an excluded owner', ownerAlert({ excludeOwner: { user: [anna] } }), {}, ['ops@a.io', `${anna} OWNER_EXCLUDED`]],
    ])('%s', (_, section, variables, expected) => {
      expect(plan(section, variables)).toEqual([...expected])
    })

    test('one window per app and recipient', () => {
      const [row] = planOf(everything, event())
      const key = `butler.qlikSenseCloud.emailNotification.reloadAppFailure|${event().appId}|ops@a.io`
      expect(row!.limit).toEqual({ key, windowMs: 60_000 })
    })

    test('needs the switches of Qlik Cloud and of mail', () => {
      expect(emailRules({ ...emailConfig({}), ...cloud({}, false) })).toEqual([])
      expect(emailRules({ ...emailConfig({}), ...cloud({ enable: false }) })).toEqual([])
      expect(emailRules({ ...emailConfig({ enable: false }), ...cloud({}) })).toEqual([])
    })
  })
})
