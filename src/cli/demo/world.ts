/** Everything that runs in the demo: receivers, the simulated site, the product, and the script that keeps it busy. */
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { DeliveryChange } from '../../alerts/outbox/outbox.ts'
import { type App, createApp } from '../../app/app.ts'
import { createPathResolver } from '../../config/paths.ts'
import type { TaskEvent } from '../../events/types.ts'
import { createLifecycle, type Lifecycle } from '../../platform/lifecycle.ts'
import type { Logger, Service } from '../../platform/types.ts'
import { createSimulator, type Simulator } from '../../simulator/index.ts'
import { demoConfiguration } from './configuration.ts'
import { freeTcpPort, freeUdpPort } from './ports.ts'
import { BEHAVIOUR, createScript } from './script.ts'
import { createBrokerSink, createMailSink, createWebhookSink, type Sink } from './sinks.ts'

export interface WorldDeps {
  readonly log: Logger
  readonly onEvent: (event: TaskEvent) => void
  readonly onDelivery: (change: DeliveryChange) => void
}

export interface WorldSettings {
  /** For certificates and data; exists, and belongs to the demo alone. */
  readonly directory: string
  /** Port of the REST API; absent = 8080, or a free one when that is taken. */
  readonly port?: number | undefined
}

export interface World extends Lifecycle {
  readonly simulator: Simulator
  readonly webhook: Sink
  readonly mail: Sink
  readonly broker: Sink
  /** Known once it is started. */
  readonly restPort: number
  readonly udpPort: number
  /** Begins to start tasks, until `stop`. */
  play(): void
}

/** The port that Butler's REST API usually has. */
export const USUAL_PORT = 8080

export function createWorld(deps: WorldDeps, settings: WorldSettings): World {
  const { log } = deps
  const { directory } = settings
  const [webhook, mail, broker] = [createWebhookSink(), createMailSink(), createBrokerSink()]
  const simulator = createSimulator(
    { log },
    { certificateDirectory: join(directory, 'certificates'), tasks: BEHAVIOUR },
  )
  const script = createScript({ simulator })
  let app: App | null = null
  let udpPort = 0

  /** The addresses are known when the site and the receivers run. */
  async function startProduct(): Promise<void> {
    udpPort = await freeUdpPort()
    const config = demoConfiguration({
      qrsPort: simulator.ports.qrs,
      enginePort: simulator.ports.engine,
      certificates: simulator.certificates,
      restPort: settings.port || (await freeTcpPort(settings.port ?? USUAL_PORT)),
      udpPort,
      webhookPort: webhook.port,
      mailPort: mail.port,
      brokerPort: broker.port,
    })
    const dataDirectory = join(directory, 'data')
    await mkdir(dataDirectory)
    app = createApp(
      {
        log,
        paths: createPathResolver({ configDirectory: directory, cwd: directory }),
        observe: { event: deps.onEvent, delivery: deps.onDelivery },
      },
      { config, dataDirectory, qrsConnection: true, shadow: false, degraded: false, apiRateLimit: null },
    )
    await app.start()
    simulator.setUdpTarget({ host: '127.0.0.1', port: udpPort })
  }

  const product: Service = { name: 'footman', start: startProduct, stop: async (graceMs) => app?.stop(graceMs) }
  const quiet: Service = { name: 'script of the demo', start: async () => {}, stop: async () => script.stop() }
  const lifecycle = createLifecycle({ log }, [webhook, mail, broker, simulator, product, quiet])

  return {
    ...lifecycle,
    simulator,
    webhook,
    mail,
    broker,
    get restPort() {
      return app?.restPort ?? 0
    },
    get udpPort() {
      return udpPort
    },
    play: script.start,
  }
}
