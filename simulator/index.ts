/** The simulated Qlik Sense site: its parts, their start and stop, and the interface for the program that drives it. */
import type { Logger } from '../src/platform/types.ts'
import { createAboutListener } from './about.ts'
import { SERVER_LICENCES } from './acme/licences.ts'
import { addOrderLines, loadAcme } from './acme/load.ts'
import { loadCertificates, type SimulatorCertificates } from './certificates.ts'
import { createSimClock } from './clock.ts'
import type { Envelope } from './cloud/events.ts'
import { type CloudSettings, createCloudListener } from './cloud/listener.ts'
import { createControlListener } from './control.ts'
import { createEngineListener, type EngineSettings } from './engine/listener.ts'
import { createFaultTable } from './faults.ts'
import { createHttpListener, createRequestLog } from './http-listener.ts'
import type { Simulator, SimulatorFiles, TaskFields } from './interface.ts'
import { createLocalTime } from './local-time.ts'
import { assignKnown, changeModes, createModes, type ModesPatch, resetModes } from './modes.ts'
import { createNotifications } from './qrs/notifications.ts'
import { createQrs } from './qrs/qrs.ts'
import { createTask } from './qrs/write.ts'
import { createScheduler } from './scheduler/scheduler.ts'
import { createChains, createSchedules } from './scheduler/triggers.ts'
import { createScriptLogs } from './script-logs.ts'
import { createSite } from './site.ts'
import type {
  Listener,
  ListenerDeps,
  PortName,
  Reply,
  SimClock,
  SimRequest,
  SimTask,
  SimulatedSite,
  TaskBehaviour,
} from './types.ts'
import { burst, createUdpSender, type UdpTarget } from './udp.ts'

export { createSimClock } from './clock.ts'
export { FAULT_MODES } from './faults.ts'
export type { Simulator, SimulatorFiles } from './interface.ts'
export type { PortName } from './types.ts'

export interface SimulatorSettings {
  /** Where the certificates are; made there on the first start. */
  readonly certificateDirectory: string
  /** 0 or absent = any free port. */
  readonly ports?: Partial<Record<PortName, number>>
  /** Address to listen on, default 127.0.0.1; the control API always stays on loopback. */
  readonly host?: string
  /** IANA zone of the Windows servers, for log times; default Europe/Stockholm. */
  readonly timeZone?: string
  /** Where the log appenders send their datagrams; default nowhere. */
  readonly udpTarget?: UdpTarget | null
  /** Whether schedules start tasks by themselves; default false. */
  readonly schedules?: boolean
  readonly modes?: ModesPatch
  readonly engine?: ServiceSettings['engine']
  readonly cloud?: ServiceSettings['cloud']
  /** Changes of the data set: behaviour of tasks by id. */
  readonly tasks?: Readonly<Record<string, Partial<TaskBehaviour>>>
  /** Adds to the data set before the triggers are planned. */
  readonly extend?: (site: SimulatedSite) => void
}

/** Zone of the simulated servers, unless the settings name another one. */
export const SITE_ZONE = 'Europe/Stockholm'

/** A simulated Qlik Sense Enterprise site in one process: repository, scheduler, engine, about service, cloud tenant. */
export function createSimulator(
  deps: { readonly log: Logger; readonly clock?: SimClock },
  settings: SimulatorSettings,
): Simulator {
  const { log } = deps
  const clock = deps.clock ?? createSimClock()
  const timeZone = settings.timeZone ?? SITE_ZONE
  const time = createLocalTime(timeZone)
  const modes = createModes(settings.modes)
  const faults = createFaultTable()
  const requests = createRequestLog()
  const site = createSite({ clock }, { timeZone })
  const scriptLogs = createScriptLogs({ site, time, modes: modes.scriptLog })
  const scheduler = createScheduler({ site, modes: modes.scheduler, publishScriptLog: scriptLogs.publish })
  const startTask = (task: SimTask) => void scheduler.start(task, SCHEDULER_USER)
  const chains = createChains(site, startTask)
  const schedules = createSchedules(site, startTask, settings.schedules ?? false)
  const sender = createUdpSender({ site, time, modes: modes.udp, log }, { target: settings.udpTarget ?? null })
  const notifications = createNotifications({ site, log })
  const qrs = createQrs({
    site,
    scheduler,
    scriptLogs,
    notifications,
    modes: modes.qrs,
    rescheduled: schedules.refresh,
  })
  let running: Running | null = null
  let stopped = false

  function load() {
    loadAcme(site)
    settings.extend?.(site)
    for (const [id, behaviour] of Object.entries(settings.tasks ?? {})) setTask(id, behaviour)
    for (const task of site.tasks.values()) {
      if (task.taskType !== 0) continue
      for (const execution of site.executions.byTask(task.id)) scriptLogs.publishNow(task, execution)
    }
    schedules.refresh()
  }

  function findTask(task: string): SimTask {
    const found = site.tasks.get(task.toLowerCase()) ?? [...site.tasks.values()].find((one) => one.name === task)
    if (!found) throw new Error(`The simulated site has no task ${task}`)
    return found
  }

  function setTask(id: string, patch: Partial<TaskBehaviour> & Partial<TaskFields>) {
    const task = findTask(id)
    const fields = Object.entries(patch).filter(([key]) => TASK_FIELDS.has(key))
    const behaviour = Object.entries(patch).filter(([key]) => !TASK_FIELDS.has(key))
    assignKnown(task.behaviour, Object.fromEntries(behaviour), 'task')
    assignKnown(task, Object.fromEntries(fields), 'task')
  }

  const simulator: Simulator = {
    name: 'simulator',
    site,
    clock,
    modes,
    async start() {
      if (running) return
      if (stopped) throw new Error('A stopped simulator cannot be started again; create a new one')
      const tls = await loadCertificates(settings.certificateDirectory)
      const services = createServices({ site, tls, clock, faults, requests, log }, qrs, settings)
      const control = createControlListener({ simulator, log }, { port: settings.ports?.control ?? 0 })
      const started: Listener[] = []
      running = { tls, services, control, started }
      try {
        await sender.start()
        for (const listener of services.listeners) {
          await listener.start()
          started.push(listener)
        }
        await control.start()
      } catch (error) {
        await simulator.stop()
        throw error
      }
    },
    async stop() {
      const current = running
      running = null
      stopped = true
      schedules.stop()
      scheduler.reset()
      chains.stop()
      clock.stop()
      faults.clear()
      notifications.stop()
      if (!current) return
      await current.control.stop()
      await Promise.all(current.started.map((listener) => listener.stop()))
      await sender.stop()
    },
    get ports() {
      const ports = { qrs: 0, qrsHttp: 0, engine: 0, about: 0, cloud: 0, control: running?.control.port ?? 0 }
      for (const listener of running?.services.listeners ?? []) ports[listener.name] = listener.port
      return ports
    },
    get certificates() {
      if (!running) throw new Error('The simulator has no certificates before it was started')
      return describe(running.tls)
    },
    runTask: (task, user = SCHEDULER_USER) => scheduler.start(findTask(task), user),
    setTask,
    abort: (task, user = 'LAB\\anna') => scheduler.abort(findTask(task).id, user),
    ended(task) {
      const wanted = findTask(task)
      return new Promise((resolve) => {
        const unsubscribe = site.on('state', ({ task: changed, execution, final }) => {
          if (!final || changed !== wanted) return
          unsubscribe()
          resolve(execution)
        })
      })
    },
    setUdpTarget: sender.setTarget,
    sendRaw: sender.sendRaw,
    datagrams: sender.sent,
    burst: (request) => burst({ site, time, modes: modes.udp, scriptLogs, sender }, request),
    setModes: (patch) => changeModes(modes, patch),
    fault(rule) {
      if (rule.mode === 'failover') failover(site)
      else faults.add(rule)
    },
    clearFaults: faults.clear,
    requests: requests.list,
    clearRequests: requests.clear,
    engineCalls: () => Object.fromEntries(running?.services.engineCalls ?? []),
    advance: clock.advance,
    setServerLicence(variant) {
      const make = SERVER_LICENCES[variant]
      if (!make) throw new Error(`Unknown licence "${variant}"; known: ${Object.keys(SERVER_LICENCES).join(', ')}`)
      Object.assign(site.licences.server, make(clock.now()))
    },
    addTasks: (count) => addTasks(site, count),
    addOrderLines: () => addOrderLines(site),
    cloudEvent(reloadId, envelope) {
      if (!running) throw new Error('The simulated Qlik Cloud tenant is not running')
      return running.services.cloudEvent(reloadId, envelope)
    },
    reset() {
      scheduler.reset()
      schedules.stop()
      clock.stop()
      faults.clear()
      resetModes(modes)
      changeModes(modes, settings.modes ?? {})
      requests.clear()
      scriptLogs.clear()
      sender.clear()
      site.clear()
      load()
      running?.services.reset()
    },
  }
  load()
  return simulator
}

interface Running {
  readonly tls: SimulatorCertificates
  readonly services: ReturnType<typeof createServices>
  readonly control: ReturnType<typeof createControlListener>
  /** Those that listen, for a start that fails half-way. */
  readonly started: Listener[]
}

const SCHEDULER_USER = 'INTERNAL\\sa_scheduler'
const TASK_FIELDS = new Set(['enabled', 'name', 'maxRetries', 'taskSessionTimeout'])

function describe(tls: SimulatorCertificates): SimulatorFiles {
  return {
    directory: tls.directory,
    clientCert: tls.client.cert.path,
    clientCertKey: tls.client.key.path,
    clientCertCA: tls.ca.path,
    serverCert: tls.server.cert.path,
    serverCertKey: tls.server.key.path,
    pem: tls,
  }
}

interface Services {
  readonly listeners: readonly Listener[]
  readonly engineCalls: ReadonlyMap<string, number>
  /** The webhook event of the Qlik Cloud tenant about one of its reloads. */
  cloudEvent(reloadId: string, envelope: Envelope): unknown
  /** Forgets what the services keep beside the site. */
  reset(): void
}

interface ServiceSettings {
  readonly host?: string
  readonly ports?: Partial<Record<PortName, number>>
  readonly engine?: Omit<EngineSettings, 'port' | 'host'>
  readonly cloud?: Omit<CloudSettings, 'port' | 'host'>
}

/** Every port of the site. */
function createServices(deps: ListenerDeps, qrs: (request: SimRequest) => Reply, settings: ServiceSettings): Services {
  const { host } = settings
  const port = (name: PortName) => settings.ports?.[name] ?? 0
  const engine = createEngineListener(deps, { ...settings.engine, host, port: port('engine') })
  const cloud = createCloudListener(deps, { ...settings.cloud, host, port: port('cloud') })
  return {
    cloudEvent: cloud.event,
    engineCalls: engine.calls,
    reset() {
      engine.reset()
      cloud.reset()
    },
    listeners: [
      createHttpListener(deps, { name: 'qrs', host, port: port('qrs'), security: 'mutual', handle: qrs }),
      createHttpListener(deps, { name: 'qrsHttp', host, port: port('qrsHttp'), security: 'none', handle: qrs }),
      engine,
      createAboutListener(deps, { host, port: port('about') }),
      cloud,
    ],
  }
}

/** Adds `count` reload tasks of the first app; returns their ids. */
function addTasks(site: SimulatedSite, count: number): readonly string[] {
  const app = site.apps.values().next().value
  const ids: string[] = []
  for (let index = 1; index <= count; index++) {
    const body = { name: `Reload ${String(index).padStart(5, '0')}`, app: { id: app?.id } }
    const task = createTask(site, 0, body, 'LAB\\anna')
    site.tasks.set(task.id, task)
    ids.push(task.id)
  }
  return ids
}

/** The failover candidate becomes the central node, with the scheduler's manager on it. */
function failover(site: SimulatedSite) {
  const old = site.centralNode()
  const next = [...site.nodes.values()].find((node) => node !== old && node.failoverCandidate)
  if (!next) return
  Object.assign(old, { isCentral: false, failoverCandidate: true, schedulerServiceType: 1 })
  Object.assign(next, { isCentral: true, failoverCandidate: false, schedulerServiceType: 2 })
}
