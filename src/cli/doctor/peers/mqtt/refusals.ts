/** What a broker's refusal means. */
import { type Subject, trouble } from '../../net/trouble.ts'
import type { Finding } from '../../types.ts'
import type { Broker } from './broker.ts'

type Keys = Broker['keys']

export function refusedConnection(subject: Subject, { login, protocol, port }: Keys, error: Error): Finding {
  const { target } = subject
  const { message } = error
  if (/not authori[sz]ed|bad user ?name or password/i.test(message)) {
    const text = `the broker refuses the login: ${message}`
    const fix = `correct Butler.${login} and what belongs to it, or the access rules of the broker`
    return { level: 'error', code: 'mqtt.login', target, message: text, fix, key: login }
  }
  // The library says no more than that it was closed, that no answer came, or that it was no MQTT.
  if (/closed|reset|connack timeout|timed? ?out|header|packet|parse/i.test(message)) {
    const fix =
      protocol === null
        ? `check that Butler.${port} is the port of an MQTT broker`
        : `check that Butler.${port} is the port of an MQTT broker, and set Butler.${protocol} to mqtts if it speaks TLS`
    const text = 'the port is open, but nobody answers in MQTT'
    return { level: 'error', code: 'mqtt.no-mqtt', target, message: text, fix, key: protocol ?? port }
  }
  return trouble(error, subject)
}

export function refusedTopic(
  { target }: Subject,
  key: string,
  { topic, error }: { readonly topic: string; readonly error: Error },
): Finding {
  const message = `connected, but "${topic}" may not be subscribed: ${error.message}`
  const fix = `allow it in the access rules of the broker, or correct Butler.${key}`
  return { level: 'error', code: 'mqtt.topic', target, message, fix, key }
}

export const unreadable = ({ target, key }: Subject, { message }: Error): Finding => ({
  level: 'error',
  code: 'mqtt.file',
  target,
  message,
  fix: 'correct the path, and let the account of Footman read the file',
  key,
})
