/** The things that the steps of the examination share. */
import { hostname } from 'node:os'
import type { Connection } from '../../../platform/postgres/connection.ts'
import type { DoctorContext } from '../types.ts'

export interface Examination {
  readonly context: DoctorContext
  readonly connection: Connection
  /** Another connection to the same server. */
  readonly second: Connection
}

/** The name of this node as others see it. */
export const nodeName = ({ config }: DoctorContext): string => config.footman.node.name || hostname()
