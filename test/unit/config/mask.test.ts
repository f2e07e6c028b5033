import { describe, expect, test } from 'bun:test'
import { join } from 'node:path'
import fc from 'fast-check'
import { loadConfig } from '../../../src/app/config/load.ts'
import { collectHosts, collectSecrets, maskConfig } from '../../../src/config/mask.ts'
import { createLogMask } from '../../../src/platform/log-mask.ts'

const STARS = '**********'

describe('masking', () => {
  test.each([
    ['3 characters of hosts', { configQRS: { host: 'smtp.acme.example' } }, { configQRS: { host: `smt${STARS}` } }],
    [
      'short values are shown whole, then stars',
      { mqttConfig: { brokerHost: 'mq' } },
      { mqttConfig: { brokerHost: `mq${STARS}` } },
    ],
    [
      'hosts in lists',
      { serviceMonitor: { monitor: [{ host: 'qs-central' }] } },
      { serviceMonitor: { monitor: [{ host: `qs-${STARS}` }] } },
    ],
    [
      '5 characters of API keys',
      {
        thirdPartyToolsCredentials: { newRelic: [{ accountName: 'EU', insertApiKey: 'NRII-0123', accountId: 31415 }] },
      },
      {
        thirdPartyToolsCredentials: {
          newRelic: [{ accountName: 'EU', insertApiKey: `NRII-${STARS}`, accountId: `314${STARS}` }],
        },
      },
    ],
    [
      '10 characters of webhook addresses',
      {
        slackNotification: { reloadTaskFailure: { webhookURL: 'https://hooks.slack.com/x' } },
        incidentTool: { signl4: { url: 'https://connect.signl4.com/webhook/abc' } },
      },
      {
        slackNotification: { reloadTaskFailure: { webhookURL: `https://ho${STARS}` } },
        incidentTool: { signl4: { url: `https://co${STARS}` } },
      },
    ],
    [
      'passwords, even to be empty',
      { emailNotification: { smtp: { auth: { password: '' } } }, restServerConfig: { tls: { ca: null } } },
      { emailNotification: { smtp: { auth: { password: STARS } } }, restServerConfig: { tls: { ca: STARS } } },
    ],
    [
      'anything with a secret name',
      {
        footman: {
          mqtt: { password: 'p' },
          email: { oauth2: { clientSecret: 's', refreshToken: '', tokenUrl: 'https://t/' } },
        },
      },
      {
        footman: {
          mqtt: { password: STARS },
          email: { oauth2: { clientSecret: STARS, refreshToken: '', tokenUrl: 'https://t/' } },
        },
      },
    ],
    [
      'destinations',
      {
        footman: {
          destinations: {
            a: { url: 'https://w.example/secret' },
            b: { routingKey: 'k' },
            c: { headers: { 'X-Key': 'v' } },
          },
        },
      },
      {
        footman: {
          destinations: {
            a: { url: `https://w.${STARS}` },
            b: { routingKey: STARS },
            c: { headers: { 'X-Key': STARS } },
          },
        },
      },
    ],
    [
      'headers other than X-Qlik-User',
      {
        configQRS: {
          headers: {
            static: [
              { name: 'X-Qlik-User', value: 'U' },
              { name: 'X-Key', value: 'v' },
            ],
          },
        },
        uptimeMonitor: { storeNewRelic: { header: [{ name: 'A', value: 'b' }] } },
      },
      {
        configQRS: {
          headers: {
            static: [
              { name: 'X-Qlik-User', value: 'U' },
              { name: 'X-Key', value: STARS },
            ],
          },
        },
        uptimeMonitor: { storeNewRelic: { header: [{ name: 'A', value: STARS }] } },
      },
    ],
    [
      'tags are no headers',
      { influxDb: { tag: { static: [{ name: 'env', value: 'prod' }] } } },
      { influxDb: { tag: { static: [{ name: 'env', value: 'prod' }] } } },
    ],
    [
      'mail addresses',
      { emailNotification: { reloadTaskFailure: { recipients: ['ops@acme.example'], fromAddress: 'Qlik <q@a.b>' } } },
      { emailNotification: { reloadTaskFailure: { recipients: [`ops${STARS}`], fromAddress: `Qli${STARS}` } } },
    ],
    [
      'cloud owners',
      {
        qlikSenseCloud: {
          event: {
            mqtt: {
              tenant: {
                alert: {
                  emailNotification: {
                    reloadAppFailure: { appOwnerAlert: { includeOwner: { user: [{ email: 'anna@acme.example' }] } } },
                  },
                },
              },
            },
          },
        },
      },
      {
        qlikSenseCloud: {
          event: {
            mqtt: {
              tenant: {
                alert: {
                  emailNotification: {
                    reloadAppFailure: {
                      appOwnerAlert: {
                        includeOwner: { user: [{ email: `ann${STARS}`, directory: STARS, userId: STARS }] },
                      },
                    },
                  },
                },
              },
            },
          },
        },
      },
    ],
    [
      'topics of ntfy, not those of MQTT',
      {
        footman: {
          destinations: {
            phone: { type: 'ntfy', topic: 'acme-qlik-7f3k' },
            loop: { type: 'mqtt', topic: 'qliksense/events' },
          },
        },
      },
      {
        footman: {
          destinations: { phone: { type: 'ntfy', topic: STARS }, loop: { type: 'mqtt', topic: 'qliksense/events' } },
        },
      },
    ],
    [
      'plain settings stay',
      { logLevel: 'info', udpServerConfig: { enable: true, portTaskFailure: 9998 }, genericUrls: null },
      { logLevel: 'info', udpServerConfig: { enable: true, portTaskFailure: 9998 }, genericUrls: null },
    ],
  ])('%s', (_, config, masked) => {
    expect(maskConfig(config)).toEqual(masked as never)
  })

  test('a topic of ntfy is hidden from the log, unless it is a word', () => {
    const secretsOf = (type: string, topic: string) =>
      collectSecrets({ footman: { destinations: { phone: { type, topic } } } })
    expect(secretsOf('ntfy', 'acme-qlik-7f3k')).toEqual(['acme-qlik-7f3k'])
    expect(secretsOf('ntfy', 'qlik')).toEqual([])
    expect(secretsOf('mqtt', 'qliksense/events')).toEqual([])
  })

  test('never fails, whatever the shape', () => {
    fc.assert(
      fc.property(
        fc.anything(),
        (value) => maskConfig(value) !== Symbol.for('never') && Array.isArray(collectSecrets(value)),
      ),
    )
  })
})

test('the secrets of a whole file are found and masked', async () => {
  const cwd = join(import.meta.dir, '../../fixtures/config')
  const { config, secrets } = await loadConfig({ file: 'butler16-full.yaml', env: {}, cwd })
  for (const secret of [
    's3cret-influx',
    'v2-token',
    'v3-token',
    's3cret-smtp',
    's3cret-mqtt',
    'NRII-0123456789abcdef',
    'eyJhbGciOi.acme.jwt',
    'https://connect.signl4.com/webhook/acme12345',
  ]) {
    expect(secrets).toContain(secret)
    expect(JSON.stringify(maskConfig(config))).not.toContain(secret)
  }
  for (const harmless of ['smtp.acme.example', 'butler', 'qs-central.acme.example', 'bi-ops@acme.example']) {
    expect(secrets).not.toContain(harmless)
  }
})

test('a short password that is a part of host names hides itself, not them', () => {
  const butler = {
    emailNotification: { smtp: { host: 'mail.acme.example', auth: { password: 'acme' } } },
    slackNotification: { reloadTaskFailure: { webhookURL: 'https://hooks.acme.example/services/T0' } },
    serviceMonitor: { monitor: [{ host: 'qs1.acme.example' }] },
  }
  const hosts = collectHosts(butler)
  expect(hosts).toEqual(['mail.acme.example', 'hooks.acme.example', 'qs1.acme.example'])
  const { text } = createLogMask(
    () => collectSecrets(butler),
    () => hosts,
  )
  expect(text('mail.acme.example refused acme: qs1.acme.example, hooks.acme.example')).toBe(
    'mail.acme.example refused **********: qs1.acme.example, hooks.acme.example',
  )
  expect(text('POST https://hooks.acme.example/services/T0')).toBe('POST **********')
  const same = createLogMask(
    () => ['mail.acme.example'],
    () => hosts,
  )
  expect(same.text('mail.acme.example')).toBe('**********')
})
