/** The messages about reload tasks that `mqttConfig` asks for, as routes. */
import type { Outcome } from '../../../events/types.ts'
import type { Route } from '../../types.ts'

export interface MqttRoutesConfig {
  readonly mqttConfig: {
    readonly enable: boolean
    readonly taskFailureSendFull: boolean
    readonly taskAbortedSendFull: boolean
    readonly taskFailureTopic: string
    readonly taskFailureFullTopic: string
    readonly taskAbortedTopic: string
    readonly taskAbortedFullTopic: string
  }
  readonly footman?: { readonly mqtt?: { readonly taskSuccessTopic: string; readonly taskSuccessFullTopic: string } }
}

interface Row {
  readonly name: string
  readonly outcome: Outcome
  readonly full: boolean
  /** Empty = off. */
  topic(config: MqttRoutesConfig): string
}

const ROWS: readonly Row[] = [
  {
    name: 'butler.mqttConfig.taskFailureTopic',
    outcome: 'failed',
    full: false,
    topic: ({ mqttConfig }) => mqttConfig.taskFailureTopic,
  },
  {
    name: 'butler.mqttConfig.taskFailureFullTopic',
    outcome: 'failed',
    full: true,
    topic: ({ mqttConfig }) => (mqttConfig.taskFailureSendFull ? mqttConfig.taskFailureFullTopic : ''),
  },
  {
    name: 'butler.mqttConfig.taskAbortedTopic',
    outcome: 'aborted',
    full: false,
    topic: ({ mqttConfig }) => mqttConfig.taskAbortedTopic,
  },
  {
    name: 'butler.mqttConfig.taskAbortedFullTopic',
    outcome: 'aborted',
    full: true,
    topic: ({ mqttConfig }) => (mqttConfig.taskAbortedSendFull ? mqttConfig.taskAbortedFullTopic : ''),
  },
  {
    name: 'butler.footman.mqtt.taskSuccessTopic',
    outcome: 'success',
    full: false,
    topic: ({ footman }) => footman?.mqtt?.taskSuccessTopic ?? '',
  },
  {
    name: 'butler.footman.mqtt.taskSuccessFullTopic',
    outcome: 'success',
    full: true,
    topic: ({ footman }) => footman?.mqtt?.taskSuccessFullTopic ?? '',
  },
]

const FULL_ROUTES = new Set(ROWS.filter((row) => row.full).map((row) => row.name))

/** True when the route publishes the whole event; also for routes that users write, which are not in the table. */
export function publishesFullEvent(routeName: string): boolean {
  return FULL_ROUTES.has(routeName) || !ROWS.some((row) => row.name === routeName)
}

/** Short messages leave with the datagram, full ones when the event is enriched. An empty topic makes no route. */
export function mqttRoutes(config: MqttRoutesConfig): Route[] {
  if (!config.mqttConfig.enable) return []
  return ROWS.flatMap((row) => {
    const topic = row.topic(config)
    return topic === '' ? [] : [routeOf(row, topic)]
  })
}

function routeOf(row: Row, topic: string): Route {
  return {
    name: row.name,
    destination: 'mqtt',
    when: { types: ['reload'], outcomes: [row.outcome] },
    phase: row.full ? 'enriched' : 'arrival',
    needs: row.full ? ['app'] : [],
    plan: () => [{ target: topic, lane: 'mqtt', orderKey: topic }],
  }
}
