import { describe, expect, test } from 'bun:test'
import { linesOf, loadButler } from '../../../support/config.ts'

describe('inside Butler.footman', () => {
  test.each([
    ['access: {enable: true}', 'Butler.footman.access.enable: is true, but there is no way to authenticate'],
    ['access: {keys: [{id: a, hash: "sha256:0", scopes: []}]}', 'hash: must be sha256: and 64 lower-case hex digits'],
    [
      'access: {keys: [{id: a, hash: "sha256:6307a06331fc2ed1a4d42b32c248f14b889d9bcfe93f4248bea1a1600bf9c85f", scopes: []}]}',
      'hash: is the published example',
    ],
    [
      `access: {keys: [{id: a, hash: "sha256:${'0'.repeat(64)}", scopes: [task:start]}]}`,
      'scopes[0]: must be a scope like task:run, kv:* or admin, found "task:start"',
    ],
    [
      `access: {keys: [{id: a, hash: "sha256:${'0'.repeat(64)}", scopes: []}, {id: a, hash: "sha256:${'1'.repeat(64)}", scopes: []}]}`,
      'keys[1].id: is used twice',
    ],
    ['access: {jwt: {issuer: i, audience: a}}', 'access.jwt: needs exactly one of secret, publicKeyFile and jwksUrl'],
    ['access: {jwt: {issuer: i, audience: a, secret: short}}', 'access.jwt.secret: must have at least 32 bytes'],
    ['access: {jwt: {issuer: i, audience: a, jwksUrl: "http://x/"}}', 'access.jwt.jwksUrl: must start with https://'],
    [
      'access: {clientCertificates: {caFile: c}}',
      'access.clientCertificates: needs Butler.restServerConfig.tls.enable: true',
    ],
    [
      'access: {allowFrom: [10.0.0.0/40]}',
      'allowFrom[0]: must be an IP address or a network like 10.0.0.0/8, found "10.0.0.0/40"',
    ],
    [
      'api: {cors: {origins: ["https://x/path"]}}',
      'origins[0]: must be an origin like https://qs.acme.example, or "*", found "https://x/path"',
    ],
    [
      'reportTask: {enable: true, storageSpaces: [{id: a, directory: /a}, {id: a, directory: /b}]}',
      'reportTask.storageSpaces[1].id: is used twice; Footman does not start. Hint: give each space its own id',
    ],
    [
      'reportTask: {enable: true, storageSpaces: [{id: a, directory: reports}]}',
      'reportTask.storageSpaces[0].directory: "reports" is a relative path; Footman does not start. Hint: write the whole path',
    ],
    [
      'reportTask: {enable: true, defaultLocale: sv_SE}',
      'reportTask.defaultLocale: must be a language like en-GB, found "sv_SE"; Footman does not start',
    ],
    ['reportTask: {enable: true, storageSpaces: [{id: a}]}', 'reportTask.storageSpaces[0].directory: is missing'],
    [
      'reportTask: {defaultTimezone: Europe/Stokholm}',
      'reportTask.defaultTimezone: must be an IANA time zone like Europe/Stockholm, found "Europe/Stokholm"',
    ],
    [
      `reportTask: {enable: true, fonts: [${Array.from({ length: 9 }, (_, n) => `f${n}.ttf`).join(', ')}]}`,
      'reportTask.fonts: has 9 files, 8 are possible',
    ],
    ['taskPolicies: [{name: a}, {name: b}, {name: a}]', 'taskPolicies[2].name: is used twice'],
    ['taskPolicies: [{match: {task: x}}]', 'taskPolicies[0].name: is missing'],
    [
      'taskPolicies: [{name: a, match: {tasks: x}}]',
      'taskPolicies[0].match.tasks: unknown key; Footman does not start. Hint: did you mean task?',
    ],
    [
      'taskPolicies: [{name: a, match: {type: service}}]',
      'taskPolicies[0].match.type: must be reload, externalProgram, userSync, distribute, preload or a list, found "service"',
    ],
    [
      'taskPolicies: [{name: a, retry: often}]',
      'taskPolicies[0].retry: must be a retry policy; "often" is neither none nor of the form 3x/5m',
    ],
    [
      'taskPolicies: [{name: a, retry: 3x/5s}]',
      'taskPolicies[0].retry: must be a retry policy; "5s" is not a time from 10s to 24h',
    ],
    [
      'taskPolicies: [{name: a, watch: {stuck: soon}}]',
      'taskPolicies[0].watch.stuck: must be off or a time from 1m to 30d, found "soon"',
    ],
    [
      'taskPolicies: [{name: a, watch: {late: 30}}]',
      'taskPolicies[0].watch.late: must be off or a time like 30m, found 30',
    ],
    [
      'taskPolicies: [{name: a, watch: {dueBy: ["07:30", "tomorrow"]}}]',
      'taskPolicies[0].watch.dueBy[1]: must be a time like "07:30", "mon-fri 07:30" or "+45m", found "tomorrow"',
    ],
    ['alertRoutes: [{name: a, to: [nowhere]}]', 'alertRoutes[0].to[0]: no destination is called "nowhere"'],
    [
      'destinations: {m: {type: email, appOwner: true}}\n  alertRoutes: [{name: a, to: [m, {destination: m, priority: low}]}]',
      'alertRoutes[0].to[1]: is used twice',
    ],
    [
      'destinations: {m: {type: email, appOwner: true}}\n  alertRoutes: [{name: a, to: [{destination: m, prio: low}]}]',
      'alertRoutes[0].to[0].prio: is no setting of the type email; Footman does not start. Hint: see the settings of the type email',
    ],
    [
      'destinations: {m: {type: email, appOwner: true}}\n  alertRoutes: [{name: a, to: [{destination: m, appOwner: false}]}]',
      'alertRoutes[0].to[0]: has no recipients: set recipients, appOwner or recipientProperty',
    ],
    [
      'butlerRoutes: {disable: [butler.slackNotification.reloadTaskFailed]}',
      'butlerRoutes.disable[0]: no route is called "butler.slackNotification.reloadTaskFailed"; Footman does not start. Hint: did you mean butler.slackNotification.reloadTaskFailure?',
    ],
    ['alertRoutes: [{name: a, to: []}]', 'alertRoutes[0].to: must have at least 1 item'],
    [
      'alertRoutes: [{name: A b, to: [x]}]',
      'alertRoutes[0].name: must be a name of lower-case letters, digits and hyphens (at most 63), found "A b"',
    ],
    ['destinations: {X: {type: email, appOwner: true}}', 'destinations.X: must be a name of lower-case letters'],
    [
      'destinations: {x: {type: email}}',
      'destinations.x: has no recipients: set recipients, appOwner or recipientProperty',
    ],
    [
      'destinations: {ops-mail: {type: email, appOwner: true}}\n  selfAlerts: {to: [ops-mial]}',
      'selfAlerts.to[0]: no destination is called "ops-mial"; Footman does not start. Hint: did you mean ops-mail?',
    ],
    ['maintenance: [{name: a, during: nights}]', 'maintenance[0].during: no window is called "nights"'],
    ['windows: {w: {from: "25:00"}}', 'windows.w.from: must be a time like "07:00" in quotes, found "25:00"'],
    [
      'windows: {w: {days: mon-funday}}',
      'windows.w.days: must be a day like mon or a range like mon-fri, found "mon-funday"',
    ],
    ['windows: {w: {start: 2026-03-01T00:00:00Z, end: 2026-02-01T00:00:00Z}}', 'windows.w.end: must be after start'],
    [
      'windows: {w: {start: 2026-03-01T00:00:00Z, end: 2026-04-01T00:00:00Z, days: mon}}',
      'windows.w: start and end cannot be combined with days',
    ],
    ['windows: {w: {on: [holidays]}}', 'windows.w.on: no calendar is called "holidays"'],
    [
      'calendars: {c: {dates: [2026-02-30]}}',
      'calendars.c.dates[0]: must be a date like 2026-03-31, found "2026-02-30"',
    ],
    ['calendars: {c: {except: [d]}}', 'calendars.c.except: no calendar is called "d"'],
    [
      'alertRoutes: [{name: a, to: [x], match: {outcome: broken}}]',
      'match.outcome: must be *, failed, aborted, success, late',
    ],
    [
      'alertRoutes: [{name: a, to: [x], match: {message: "/(/"}}]',
      'match.message: must be a regular expression that can be compiled, found /(/',
    ],
    [
      'alertRoutes: [{name: a, to: [x], match: {message: "/(?:(?:){200000000}){200000000}/"}}]',
      'match.message: must be a regular expression that can be compiled, found /(?:(?:){200000000}){200000000}/',
    ],
    [
      'alertRoutes: [{name: a, to: [x], match: {message: "/((a{1000})+){101}/"}}]',
      'match.message: must be a regular expression that can be compiled, found /((a{1000})+){101}/',
    ],
    [
      'alertRoutes: [{name: a, to: [x], match: {duration: ">5"}}]',
      'match.duration: must be a comparison with one of = >= > <= <, like ">30m", found ">5"',
    ],
    [
      'alertRoutes: [{name: a, to: [x], limit: 3 per hour}]',
      'limit: must be none or <number>/<duration> like 1/5m, found "3 per hour"',
    ],
    [
      'startFilter: {appliesTo: [rest, telepathy]}',
      'appliesTo[1]: must be rest, mqtt, followUp, cli, console, schedule or retry, found "telepathy"',
    ],
    [
      'email: {testMode: {enable: true}}\n\nemailNotification: {enable: true, smtp: {host: m, tls: {requireTLS: false}}}',
      'testMode.address: must be a mail address',
    ],
    ['mqtt: {sharedGroup: a/b}', 'mqtt.sharedGroup: must not contain / + #'],
    ['reportTask: {qlikEventPollSeconds: 5}', 'qlikEventPollSeconds: must be 0 or between 10 and 3600'],
  ])('%s', async (text, expected) => {
    const [inside = '', outside = ''] = text.split('\n\n')
    const lines = await linesOf(`footman:\n  ${inside}\n${outside}`)
    expect(lines.filter((line) => line.includes(' error ')).join('\n')).toContain(expected)
  })

  test.each([
    [
      'reportTask: {enable: true}',
      'Butler.emailNotification.smtp.host: is missing; report tasks cannot send mails. Hint: set it to the mail server; report tasks that only write files do not need it',
    ],
    ['reportTask: {enable: true}', 'Butler.configEngine.host: is missing; report tasks cannot open apps. Hint: set it'],
    [
      'reportTask: {enable: true, allowedRecipientDomains: [company.com, "@acme.example", "*.acme.example", acme.example.]}',
      'reportTask.allowedRecipientDomains[2]: "*.acme.example" is no domain; no address fits it. Hint: write the part behind the @',
    ],
    ['reportTask: {enable: true, hub: {enable: true}}', 'cannot send mails, and no one can sign in to the hub.'],
    [
      'reportTask: {enable: true, hub: {enable: true, auth: trustedHeader}}',
      'reportTask.hub.trustedHeader.fromAddresses: is empty; no one can sign in to the hub. Hint: name the address',
    ],
  ])('what report tasks lack is a warning: %s', async (text, expected) => {
    const lines = await linesOf(`footman:\n  ${text}`, { qlikConnection: true })
    expect(lines.filter((line) => line.includes(' warning ')).join('\n')).toContain(expected)
  })

  test('matches and windows become what the program works with', async () => {
    const { config, problems } = await loadButler(`
footman:
  windows: {office: {days: [mon-thu, fri], from: "07:00", to: "18:00"}}
  destinations: {m: {type: email, appOwner: true}, t: {type: mqtt, topic: a/b}}
  alertRoutes:
    - name: r
      match: {type: Reload, outcome: "*", task: Sales*, taskTag: {all: [a, b]}, taskProperty: {dep: [x, y]}, consecutiveFailures: ">=3", duration: ">30m", during: office}
      except: [{user: a}, {user: b}]
      to: [m, {destination: t, retain: true}]
      limit: 3/1h
    - {name: s, to: [m], limit: none}`)
    expect(problems).toEqual([])
    expect(config?.footman.alertRoutes).toMatchObject([
      {
        match: [
          {
            type: ['reload'],
            task: ['Sales*'],
            taskTag: { all: ['a', 'b'] },
            taskProperty: { dep: ['x', 'y'] },
            consecutiveFailures: { operator: '>=', value: 3 },
            duration: { operator: '>', value: 1_800_000 },
            during: ['office'],
          },
        ],
        except: [{ user: ['a'] }, { user: ['b'] }],
        to: [{ destination: 'm' }, { destination: 't', retain: true }],
        limit: { count: 3, windowMs: 3_600_000 },
        recovery: 'auto',
        fallbackAfter: 300_000,
      },
      { limit: null },
    ])
    expect(config?.footman.alertRoutes[0]?.match?.[0]?.outcome).toContain('neverStarted')
    expect(config?.footman.windows.office).toEqual({ days: ['mon-thu', 'fri'], from: '07:00', to: '18:00' })
  })
})

describe('a lock with errors, when errors are to be skipped', () => {
  const KEY = `{id: a, hash: "sha256:${'ab'.repeat(32)}", scopes: ["task:run"]}`
  const loaded = (access: string) =>
    loadButler(`restServerConfig: {enable: true}\nfootman:\n  access: ${access}`, {
      overrides: { skipVerification: true },
    })

  test.each([
    ['5'],
    ['{enable: "yes please"}'],
    ['{enable: true}'],
    [`{enable: true, keys: [${KEY}], allowForm: [10.0.0.0/8]}`],
    [`{enable: true, keys: [${KEY}], allowFrom: [nonsense]}`],
    [`{enable: true, jwt: {secret: short, issuer: a, audience: b}, keys: [${KEY}]}`],
    [
      `{enable: true, jwt: {secret: ${'x'.repeat(32)}, issuer: a, audience: b, grants: {g: {scopes: [], startFilter: 5}}}}`,
    ],
  ])('%s keeps the API off', async (access) => {
    const result = await loaded(access)
    expect(result.config?.restServerConfig.enable).toBe(false)
    expect(result.problems.map(({ message }) => message)).toContain('has errors, so the REST API stays off')
  })

  test('a good one opens it', async () => {
    const { config } = await loaded(`{enable: true, keys: [${KEY}]}`)
    expect([config?.restServerConfig.enable, config?.footman.access.enable]).toEqual([true, true])
  })
})
