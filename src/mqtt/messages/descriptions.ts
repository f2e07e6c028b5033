/** Calls of the message endpoints, for the description of the API. */
import { z } from 'zod'
import type { RouteDescription } from '../../http/endpoint/description.ts'

type More = Pick<RouteDescription, 'description' | 'failures' | 'examples'>

export const PUBLISH: More = {
  description: 'Accepted means stored: the message outlives an outage of the broker and a restart of Footman.',
  failures: {
    403: 'The message would start tasks that the caller may not start, or past the start filter.',
    502: 'The caller may start some tasks only, and Qlik Sense cannot be asked which the message selects.',
    409: 'Footman runs in shadow mode, which sends nothing.',
    503: 'MQTT is not enabled, or too many messages wait for the broker.',
  },
  examples: [
    {
      name: 'publish',
      body: { topic: 'qliksense/new_data_notification/sales', message: 'dt=20201028' },
      status: 201,
      answer: { topic: 'qliksense/new_data_notification/sales', message: 'dt=20201028' },
    },
  ],
}

const greeting = {
  channel: '#general',
  from_user: 'Footman the Bot',
  msg: 'Greetings from *Footman*',
  emoji: ':ghost:',
}

export const SLACK: More = {
  description: 'Formatting, links and mentions of Slack work in `msg`.',
  failures: {
    409: 'Footman runs in shadow mode, which sends nothing.',
    502: 'Slack is unreachable or has refused the message.',
    503: 'The webhook of Slack is not configured.',
    504: 'Slack is silent.',
  },
  examples: [{ name: 'greeting', body: greeting, status: 201, answer: greeting }],
}

const NEW_RELIC_FAILURES = {
  409: 'Footman runs in shadow mode, which sends nothing.',
  502: 'At least one account of New Relic has refused or is unreachable.',
  503: 'No usable account is configured.',
  504: 'New Relic is silent.',
} as const

export const ACCEPTED = { 202: z.string().describe('Every account has accepted.') } as const

export const NEW_RELIC_EVENT: More = {
  failures: NEW_RELIC_FAILURES,
  examples: [
    {
      name: 'event',
      body: {
        eventType: 'reload-failed',
        timestamp: 1642164296053,
        attributes: [{ name: 'host.name', value: 'dev.server.com' }],
      },
      status: 202,
      answer: 'Accepted',
    },
  ],
}

export const NEW_RELIC_METRIC: More = {
  failures: NEW_RELIC_FAILURES,
  examples: [
    {
      name: 'gauge',
      body: {
        name: 'memory.heap',
        type: 'gauge',
        value: 2.3,
        timestamp: 1642164296053,
        attributes: [{ name: 'host.name', value: 'dev.server.com' }],
      },
      status: 202,
      answer: 'Accepted',
    },
    {
      name: 'count',
      body: { name: 'errors', type: 'count', value: 15, interval: 10_000 },
      status: 202,
      answer: 'Accepted',
    },
  ],
}

export const RECEIVED: More = {
  description: 'What was received on the topics of `Butler.footman.mqtt.receivedTopics`, newest first.',
  examples: [
    {
      name: 'last-day',
      query: { from: '24h', limit: '10' },
      status: 200,
      answer: {
        messages: [
          {
            id: '019cad26-62e0-7f58-b914-5b24d108d7ac',
            at: '2026-03-02T06:05:00.120Z',
            topic: 'plant/line1/state',
            qos: 1,
            retained: false,
            payload: 'running',
            payloadBase64: null,
          },
        ],
        nextCursor: null,
      },
    },
  ],
}
