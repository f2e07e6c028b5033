export type MqttErrorCode =
  /** No connection at this moment, or it was lost before the broker had answered. */
  | 'NOT_CONNECTED'
  /** The broker did not answer in time. */
  | 'TIMEOUT'
  /** The caller gave up. */
  | 'ABORTED'
  /** The topic can never be published to. */
  | 'INVALID_TOPIC'

/** Why a message was not published; `code` tells callers whether another attempt makes sense. */
export class MqttError extends Error {
  override readonly name = 'MqttError'
  constructor(
    readonly code: MqttErrorCode,
    message: string,
  ) {
    super(message)
  }
}
