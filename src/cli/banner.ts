/** What the log shows first. */
import { arch, platform, release } from 'node:os'
import type { Logger } from '../platform/types.ts'
import { COMMIT, VERSION } from '../platform/version.ts'

interface BannerFacts {
  readonly logLevel: string
  readonly configFile: string
  readonly dataDirectory: string
  readonly nodeName: string
  readonly nodeRole: string
  /** Null when there is no connection to Qlik Sense. */
  readonly qrs: string | null
  /** Why there is none: it was not wanted, or what is told below makes it impossible. */
  readonly withoutQrs: 'option' | 'errors'
  readonly shadow: boolean
}

const RULE = '--------------------------------------'
const LABEL_WIDTH = 18

/** After the errors that explain it. */
export const WITHOUT_QRS =
  'MAIN: Footman goes on in spite of the errors above, without a connection to Qlik Sense, as its settings cannot be used. Correct them and start again.'

export function logBanner(log: Logger, facts: BannerFacts): void {
  const line = (label: string, value: string) => log.info(`${label.padEnd(LABEL_WIDTH)}: ${value}`)
  log.info(RULE)
  log.info('Starting Footman')
  line('Log level', facts.logLevel)
  line('App version', `${VERSION} (${COMMIT})`)
  line('Platform', `${platform()} ${release()}, ${arch()}`)
  line('Process id', String(process.pid))
  line('Node', `${facts.nodeName} (${facts.nodeRole})`)
  line('Config file', facts.configFile)
  line('Data directory', facts.dataDirectory)
  if (facts.qrs) line('Repository', facts.qrs)
  else if (facts.withoutQrs === 'option') log.info('Qlik Sense connection disabled (--no-qs-connection)')
  else line('Repository', 'no connection, its settings have errors')
  log.info(RULE)
  if (facts.shadow) log.warn('SHADOW MODE: everything is received and recorded, nothing is sent and nothing is started')
}
