/** Instants as the scheduler writes them into its messages. */
import { once } from '../../platform/once.ts'

/** `2026-03-02 07:03:11,482` on the wall clock of the zone; '' = the zone of this computer. */
export function createLogTime(timezone: string): (instant: number) => string {
  const format = once(
    () =>
      new Intl.DateTimeFormat('sv-SE', {
        ...(timezone !== '' && { timeZone: timezone }),
        dateStyle: 'short',
        timeStyle: 'medium',
      }),
  )
  return (instant) => `${format().format(instant)},${String(new Date(instant).getUTCMilliseconds()).padStart(3, '0')}`
}
