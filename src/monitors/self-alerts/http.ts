/** `GET /v4/selfalerts`: what Footman alerts about itself at the moment. */
import { type ApiRoute, route } from '../../http/endpoint/route.ts'
import type { Database } from '../../platform/sqlite.ts'
import { SELF_ALERTS } from '../contract.ts'
import { loadRaised } from './checker.ts'
import type { SelfCode } from './types.ts'

/** The remedies of docs/monitors.md. */
const HELP: Readonly<Record<SelfCode, string>> = {
  BACKLOG_GROWING: 'Check CPU and disk of the machine.',
  BACKLOG_FULL: 'Remove the cause: usually Qlik Sense is down.',
  TASKS_UNVERIFIED: 'Repair Qlik Sense: it has to say which of these tasks exist.',
  DEAD_LETTERS: 'Repair the destination, then send the dead deliveries again.',
  QRS_DOWN: 'Check the Repository Service, the certificates and the firewall.',
  DESTINATION_DOWN: 'Waiting deliveries are sent when the destination works again.',
  UDP_NOT_LISTENING: 'Another program holds the port, or it cannot be opened: see the log.',
  MQTT_DISCONNECTED: 'Check the broker, its address and its credentials.',
  EVENTS_LOST: 'Check network, UDP buffers and the log appenders of the schedulers.',
  DISK_LOW: 'Free disk space.',
  STORAGE_TROUBLE: 'Check the disk of the data directory.',
  DESCRIPTORS_LOW: 'List the connections; raise the limit of open files.',
  CERTIFICATE_EXPIRING: 'Renew it. New files are used without a restart.',
  CERTIFICATE_INVALID: 'Put valid files in place. The old ones stay in use until then.',
  CALENDAR_UNREADABLE: 'Repair the file. Its last good content stays in use.',
  SETTING_UNUSABLE: 'Open the setting in the console, and correct it or enter its secret again.',
  CONFIG_INVALID: 'Run "footman check" and repair the file. The running configuration stays in use.',
  CLUSTER_DATABASE_DOWN: 'Check the database server, the network and "footman doctor".',
  CLUSTER_NODE_LOST: 'Start the node, or "footman cluster remove" it when it is gone for good.',
  CLUSTER_NODE_UNFIT: 'Repair what is named on that node: its disk, or its way to the repository.',
  CLUSTER_NO_LEADER: 'Start a node that may lead (Butler.footman.cluster.candidate).',
  CLUSTER_FLAPPING: 'Check the load of the nodes and of the database server, and the network between them.',
  CLUSTER_CLOCK: 'Set the clock of the machine, and let it follow a time server.',
  CLUSTER_REWOUND: 'Look at the audit and the schedules: the last changes may be missing.',
  SCHEDULE_CONFLICT: 'Take what is missing over from the file that was kept, and delete that file.',
}

interface SelfAlertRoutesDeps {
  readonly db: Database
  /** Self-alerts are switched on. */
  readonly isOn: boolean
}

const RAISED_EVENT = `SELECT id FROM event WHERE received_at BETWEEN ? - 5000 AND ? + 60000
  AND source = 'self' AND code = ? AND outcome = 'raised' ORDER BY seq LIMIT 1`

export function selfAlertRoutes({ db, isOn }: SelfAlertRoutesDeps): ApiRoute[] {
  return [
    route({
      ...SELF_ALERTS,
      scope: 'event:read',
      summary: "List Footman's alerts about itself",
      description: 'Those that stand now, the newest first.',
      examples: [{ name: 'none', status: 200, answer: { selfAlerts: [] } }],
      handle: (_, answer) => answer(200, { selfAlerts: isOn ? standing(db) : [] }),
    }),
  ]
}

function standing(db: Database) {
  return [...loadRaised(db)]
    .sort(([, a], [, b]) => b.raisedAt - a.raisedAt)
    .map(([code, { raisedAt, subjects }]) => ({
      code,
      since: new Date(raisedAt).toISOString(),
      subjects: Object.values(subjects).map(({ text, at }) => ({ text, at: new Date(at).toISOString() })),
      eventId: db.get<{ id: string }>(RAISED_EVENT, raisedAt, raisedAt, code)?.id ?? null,
      help: HELP[code],
    }))
}
