/** The first page of the demo: what runs where, and what to try. */

import { VERSION } from '../../platform/version.ts'
import type { Page } from './screen.ts'
import { demoCommands } from './script.ts'
import { USUAL_PORT, type World } from './world.ts'

/** `world` runs: its addresses are known. `anyPort`: nobody asked for a certain port of the REST API. */
export function demoPage(world: World, anyPort: boolean): Page {
  const { simulator, restPort, udpPort, webhook, mail, broker } = world
  const { qrs, engine, control } = simulator.ports
  const local = (scheme: string, port: number) => `${scheme}://127.0.0.1:${port}`
  const [restUrl, controlUrl] = [local('http', restPort), local('http', control)]
  return {
    version: VERSION,
    windows: process.platform === 'win32',
    groups: [
      {
        heading: 'A simulated Qlik Sense site',
        places: [
          { label: 'Repository (QRS)', address: local('https', qrs), remark: 'mutual TLS, as in real life' },
          { label: 'Engine (QIX)', address: local('wss', engine) },
          { label: 'Control', address: controlUrl, remark: 'makes the site do things' },
        ],
      },
      {
        heading: 'Footman, with the settings of a Butler 16 file',
        places: [
          {
            label: 'REST API',
            address: restUrl,
            ...(anyPort && restPort !== USUAL_PORT && { remark: `port ${USUAL_PORT} is taken` }),
          },
          { label: 'UDP', address: `127.0.0.1:${udpPort}`, remark: 'the site reports its tasks here' },
        ],
      },
      {
        heading: 'Receivers of the alerts',
        places: [
          { label: 'Webhook', address: local('http', webhook.port) },
          {
            label: 'Mail server',
            address: local('smtp', mail.port),
            remark: 'mails wait for the script log',
          },
          { label: 'MQTT broker', address: local('mqtt', broker.port), remark: 'topics below qliksense/' },
        ],
      },
    ],
    commands: demoCommands({ restUrl, controlUrl }),
  }
}
