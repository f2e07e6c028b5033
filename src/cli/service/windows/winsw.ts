/** A real Windows service through WinSW: its configuration, which 2.x and 3.x understand. */
import { windowsArgument } from '../plan.ts'
import type { ServiceFacts } from '../types.ts'
import { xml } from './xml.ts'

/** Beyond the grace, before WinSW ends the process. */
const STOP_MARGIN_S = 15
/** Delays of the restarts after failures; the last one goes on. */
export const RESTARTS = [
  { words: '5 sec', ms: 5000 },
  { words: '1 min', ms: 60_000 },
  { words: '5 min', ms: 300_000 },
] as const
export const RESET_AFTER_S = 3600

/** Content of the XML file beside the WinSW executable; UTF-8. */
export function winswXml(facts: ServiceFacts, account: string): string {
  const [program, ...args] = facts.command
  const [, domain = '', user = account] = /^(.*)\\(.*)$/.exec(account) ?? []
  const restarts = RESTARTS.map(({ words }) => `  <onfailure action="restart" delay="${words}"/>`)
  return `<?xml version="1.0" encoding="UTF-8"?>
<!-- Written by "footman service install" -->
<service>
  <id>${xml(facts.name)}</id>
  <name>${xml(displayName(facts.name))}</name>
  <description>Alerts and task starts for Qlik Sense. Configuration: ${xml(facts.configFile)}</description>
  <executable>${xml(program)}</executable>
  <arguments>${xml(args.map(windowsArgument).join(' '))}</arguments>
  <workingdirectory>${xml(facts.workingDirectory)}</workingdirectory>
  <startmode>Automatic</startmode>
  <delayedAutoStart>true</delayedAutoStart>
  <!-- Ctrl-C first; Footman finishes or hands back its work within Butler.footman.shutdown.grace. -->
  <stoptimeout>${Math.ceil(facts.graceMs / 1000) + STOP_MARGIN_S} sec</stoptimeout>
${restarts.join('\n')}
  <resetfailure>1 hour</resetfailure>
  <serviceaccount>
    <!-- WinSW 2.x reads domain and user, 3.x reads username. -->
    <domain>${xml(domain)}</domain>
    <user>${xml(user)}</user>
    <username>${xml(account)}</username>
    <allowservicelogon>${!/^NT (AUTHORITY|SERVICE)\\/i.test(account)}</allowservicelogon>
  </serviceaccount>
  <logpath>${xml(facts.outputDirectory)}</logpath>
  <log mode="roll-by-size">
    <sizeThreshold>10240</sizeThreshold>
    <keepFiles>5</keepFiles>
  </log>
</service>
`
}

/** As services.msc lists it. */
export const displayName = (name: string): string =>
  /^footman$/i.test(name) ? 'Footman for Qlik Sense' : `Footman for Qlik Sense (${name})`
