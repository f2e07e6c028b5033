/** Members of schedules that mean nothing. They are kept, as Butler keeps them. */
import { nearest } from '../../config/nearest.ts'
import { EXTRA_FIELDS } from './plan.ts'
import type { ScheduleValues } from './types.ts'

const BUTLER_MEMBERS = [
  ...['id', 'name', 'created', 'cronSchedule', 'timezone', 'qlikSenseTaskId', 'startupState', 'lastKnownState', 'tags'],
] as const

const KNOWN: readonly string[] = [...BUTLER_MEMBERS, ...Object.keys(EXTRA_FIELDS)]

export interface UnknownMember {
  readonly member: string
  /** `did you mean notOn?` */
  readonly hint: string
}

export function unknownMembers(values: ScheduleValues): UnknownMember[] {
  return Object.keys(values)
    .filter((member) => !KNOWN.includes(member))
    .map((member) => {
      const meant = nearest(member, KNOWN)
      return { member, hint: meant ? `did you mean ${meant}?` : `schedules know ${KNOWN.join(', ')}` }
    })
}
