/** Older layouts of New Relic. */
import { type LegacyCase, readAs } from './legacy-notes.ts'

export const NEW_RELIC_CASES: readonly LegacyCase[] = [
  {
    name: 'one New Relic account as a mapping',
    text: 'thirdPartyToolsCredentials: {newRelic: {insertApiKey: k, accountId: 5}}\nuptimeMonitor: {storeNewRelic: {enable: true}}',
    expected: {
      thirdPartyToolsCredentials: { newRelic: [{ accountName: 'default', insertApiKey: 'k', accountId: '5' }] },
      uptimeMonitor: { storeNewRelic: { destinationAccount: ['default'] } },
    },
    notes: [readAs('thirdPartyToolsCredentials.newRelic', '7.3–8.3.1', 'thirdPartyToolsCredentials.newRelic[]')],
  },
  {
    name: 'New Relic of 7.3',
    text: 'thirdPartyToolsCredentials: {newRelic: [{accountName: a}]}\nincidentTool:\n  newRelic:\n    enable: true\n    url: https://e.example/\n    reloadTaskFailure:\n      enable: true\n      rateLimit: 7\n      header: [{name: h, value: v}]\n      attribute: {static: [{name: s, value: t}]}',
    expected: {
      incidentTool: {
        newRelic: {
          url: { event: 'https://e.example/', log: 'https://log-api.eu.newrelic.com/log/v1' },
          reloadTaskFailure: {
            destination: { event: { enable: true, sendToAccount: { always: { enable: true, account: ['a'] } } } },
            sharedSettings: {
              rateLimit: 7,
              header: [{ name: 'h', value: 'v' }],
              attribute: { static: [{ name: 's', value: 't' }] },
            },
          },
        },
      },
    },
    notes: [
      readAs('incidentTool.newRelic.url', '7.3–7.5', 'incidentTool.newRelic.url.event'),
      readAs(
        'incidentTool.newRelic.reloadTaskFailure.enable',
        '7.3–7.5',
        'incidentTool.newRelic.reloadTaskFailure.destination.event.enable',
      ),
      readAs(
        'incidentTool.newRelic.reloadTaskFailure.rateLimit',
        '7.3–7.5',
        'incidentTool.newRelic.reloadTaskFailure.sharedSettings.rateLimit',
      ),
      readAs(
        'incidentTool.newRelic.reloadTaskFailure.header',
        '7.3–7.5',
        'incidentTool.newRelic.reloadTaskFailure.sharedSettings.header',
      ),
      readAs(
        'incidentTool.newRelic.reloadTaskFailure.attribute.static',
        '7.3–7.5',
        'incidentTool.newRelic.reloadTaskFailure.sharedSettings.attribute.static',
      ),
    ],
  },
  {
    name: 'New Relic without account lists',
    text: 'thirdPartyToolsCredentials: {newRelic: [{accountName: a}, {accountName: b}]}\nincidentTool: {newRelic: {enable: true, reloadTaskFailure: {destination: {event: {enable: true}}}}}',
    expected: { incidentTool: { newRelic: { destinationAccount: { event: ['a', 'b'], log: ['a', 'b'] } } } },
    notes: [
      readAs(
        'incidentTool.newRelic',
        'up to 8.5.0, without account lists',
        'incidentTool.newRelic.destinationAccount (all accounts)',
      ),
    ],
  },
]
