/** Arguments that several commands have. */
import { InvalidArgumentError } from 'commander'
import { parseDuration } from '../platform/duration.ts'

/** Milliseconds of `30s` or `30`. */
export function toTimeout(text: string): number {
  const duration = parseDuration(/^\d+$/.test(text) ? `${text}s` : text)
  if (duration.ok && duration.value > 0) return duration.value
  throw new InvalidArgumentError(duration.ok ? 'it must be above 0' : duration.error)
}
