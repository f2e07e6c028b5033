/** The messages that `mqttConfig` asks for, as routes. */
import type { EventOutcome, EventType, TaskEvent } from '../../events/types.ts'
import type { QlikSenseLicenseConfig, ServiceMonitorConfig } from '../../monitors/types.ts'
import type { MqttConfig } from '../../mqtt/config.ts'
import type { MqttService } from '../../mqtt/types.ts'
import {
  fullPayload,
  licenseAlertPayload,
  licenseStatusPayload,
  publishing,
  serviceChangePayload,
  shortPayload,
} from '../destinations/mqtt.ts'
import type { Destination, Rule } from '../types.ts'

/** An absent part is off. */
export interface MqttRulesConfig {
  readonly mqttConfig: Pick<
    MqttConfig,
    | 'enable'
    | 'taskFailureSendFull'
    | 'taskAbortedSendFull'
    | 'taskFailureTopic'
    | 'taskFailureFullTopic'
    | 'taskAbortedTopic'
    | 'taskAbortedFullTopic'
  > &
    Partial<MqttConfig>
  readonly footman?: { readonly mqtt?: { readonly taskSuccessTopic: string; readonly taskSuccessFullTopic: string } }
  readonly serviceMonitor?: Pick<ServiceMonitorConfig, 'alertDestination'>
  readonly qlikSenseLicense?: Pick<QlikSenseLicenseConfig, 'serverLicenseMonitor'>
}

interface Row {
  readonly name: string
  readonly type: EventType
  readonly outcomes: readonly EventOutcome[]
  /** Leaves with the datagram, before Qlik Sense is asked about anything. */
  readonly atArrival?: boolean
  readonly payload: (event: TaskEvent) => string
  /** Empty = off. */
  topic(config: MqttRulesConfig): string
  /** Appended to the topic. */
  readonly below?: (event: TaskEvent) => string
}

const short = { type: 'reload', atArrival: true, payload: shortPayload } as const
const full = { type: 'reload', payload: fullPayload } as const
const serviceChange = {
  type: 'service',
  payload: serviceChangePayload,
  below: ({ host, details }: TaskEvent) => `/${host}/${details?.kind === 'service' ? details.serviceName : ''}`,
} as const

const ROWS: readonly Row[] = [
  {
    ...short,
    name: 'butler.mqttConfig.taskFailureTopic',
    outcomes: ['failed'],
    topic: ({ mqttConfig }) => mqttConfig.taskFailureTopic,
  },
  {
    ...full,
    name: 'butler.mqttConfig.taskFailureFullTopic',
    outcomes: ['failed'],
    topic: ({ mqttConfig }) => (mqttConfig.taskFailureSendFull ? mqttConfig.taskFailureFullTopic : ''),
  },
  {
    ...short,
    name: 'butler.mqttConfig.taskAbortedTopic',
    outcomes: ['aborted'],
    topic: ({ mqttConfig }) => mqttConfig.taskAbortedTopic,
  },
  {
    ...full,
    name: 'butler.mqttConfig.taskAbortedFullTopic',
    outcomes: ['aborted'],
    topic: ({ mqttConfig }) => (mqttConfig.taskAbortedSendFull ? mqttConfig.taskAbortedFullTopic : ''),
  },
  {
    ...short,
    name: 'butler.footman.mqtt.taskSuccessTopic',
    outcomes: ['success'],
    topic: ({ footman }) => footman?.mqtt?.taskSuccessTopic ?? '',
  },
  {
    ...full,
    name: 'butler.footman.mqtt.taskSuccessFullTopic',
    outcomes: ['success'],
    topic: ({ footman }) => footman?.mqtt?.taskSuccessFullTopic ?? '',
  },
  {
    ...serviceChange,
    name: 'butler.mqttConfig.serviceStoppedTopic',
    // A host or service that cannot be reached is reported as stopped.
    outcomes: ['stopped', 'unreachable'],
    topic: (config) => (reportsServices(config) ? (config.mqttConfig.serviceStoppedTopic ?? '') : ''),
  },
  {
    ...serviceChange,
    name: 'butler.mqttConfig.serviceRunningTopic',
    outcomes: ['started'],
    topic: (config) => (reportsServices(config) ? (config.mqttConfig.serviceRunningTopic ?? '') : ''),
  },
  {
    name: 'butler.mqttConfig.qlikSenseServerLicenseTopic',
    type: 'license',
    outcomes: ['status'],
    payload: licenseStatusPayload,
    topic: (config) =>
      licenseDestination(config)?.sendRecurring.enable ? (config.mqttConfig.qlikSenseServerLicenseTopic ?? '') : '',
  },
  {
    name: 'butler.mqttConfig.qlikSenseServerLicenseExpireTopic',
    type: 'license',
    outcomes: ['expiring', 'expired'],
    payload: licenseAlertPayload,
    topic: (config) =>
      licenseDestination(config)?.sendAlert.enable ? (config.mqttConfig.qlikSenseServerLicenseExpireTopic ?? '') : '',
  },
]

function reportsServices({ serviceMonitor }: MqttRulesConfig): boolean {
  return serviceMonitor?.alertDestination.mqtt.enable ?? false
}

function licenseDestination({ qlikSenseLicense }: MqttRulesConfig) {
  const mqtt = qlikSenseLicense?.serverLicenseMonitor.destination.mqtt
  return mqtt?.enable ? mqtt : null
}

const PAYLOADS = new Map(ROWS.map(({ name, payload }) => [name, payload]))

/** The payload of a rule of Butler; rules of `alertRoutes` publish the whole event. */
export function payloadOf(routeName: string, event: TaskEvent): string {
  return (PAYLOADS.get(routeName) ?? fullPayload)(event)
}

/** Short messages leave with the datagram, full ones when the event is enriched. An empty topic makes no route. */
export function mqttRules(config: MqttRulesConfig): Rule[] {
  if (!config.mqttConfig.enable) return []
  return ROWS.flatMap((row) => {
    const topic = row.topic(config)
    return topic === '' ? [] : [routeOf(row, topic)]
  })
}

function routeOf({ name, type, outcomes, atArrival, below }: Row, topic: string): Rule {
  return {
    name,
    destination: 'mqtt',
    when: { types: [type], outcomes },
    phase: atArrival ? 'arrival' : 'enriched',
    needs: type === 'reload' && !atArrival ? ['app'] : [],
    plan(event) {
      const target = `${topic}${below?.(event) ?? ''}`
      return [{ target, lane: 'mqtt', orderKey: target }]
    },
  }
}

/** Deliveries wait in the outbox while the broker is away; `delivered` means PUBACK with QoS 1. */
export function createMqttDestination({ mqtt }: { readonly mqtt: MqttService }): Destination {
  return {
    name: 'mqtt',
    type: 'mqtt',
    async render({ event, rule, target, deliveryId }) {
      const body = payloadOf(rule.name, event)
      return { deliveryId, target, subject: null, body, payload: { topic: target, body } }
    },
    ...publishing(mqtt),
  }
}
