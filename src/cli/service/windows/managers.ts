/** The service managers of Windows: WinSW, NSSM and the Task Scheduler. */

import { win32 } from 'node:path'
import type { ServiceFacts } from '../host.ts'
import { windowsArgument } from '../plan.ts'
import { xml } from './places.ts'

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

/** The name in services.msc. */
export const displayName = (name: string): string =>
  /^footman$/i.test(name) ? 'Footman for Qlik Sense' : `Footman for Qlik Sense (${name})`

const STOP_MARGIN_MS = 15_000

/** One a line, for `cmd.exe`. */
export function nssmCommands(facts: ServiceFacts, account: string): string[] {
  const { name, command, workingDirectory, graceMs } = facts
  const [program, ...args] = command
  const output = facts.outputDirectory
  const settings: readonly (readonly [string, ...string[]])[] = [
    ['AppParameters', args.map(windowsArgument).join(' ')],
    ['AppDirectory', workingDirectory],
    ['DisplayName', displayName(name)],
    ['Start', 'SERVICE_DELAYED_AUTO_START'],
    ['ObjectName', account],
    // NSSM sends Ctrl-C and waits so long before it uses force.
    ['AppStopMethodConsole', String(graceMs + STOP_MARGIN_MS)],
    ['AppRestartDelay', '5000'],
    ['AppExit', 'Default', 'Restart'],
    // 0 = stopped as asked; 1 = wrong configuration, which no restart repairs.
    ['AppExit', '0', 'Exit'],
    ['AppExit', '1', 'Exit'],
    ['AppStdout', win32.join(output, `${name}.out.log`)],
    ['AppStderr', win32.join(output, `${name}.err.log`)],
    ['AppRotateFiles', '1'],
    ['AppRotateBytes', '10485760'],
  ]
  const lines = [['install', name, program], ...settings.map(([key, ...values]) => ['set', name, key, ...values])]
  return [...lines, ['start', name]].map((parts) => forCmd(['nssm', ...parts.map(windowsArgument)].join(' ')))
}

/** `cmd.exe` counts every quote, also one after a backslash: what stands outside for it is escaped in its own way. */
function forCmd(text: string): string {
  let isQuoted = false
  return text.replaceAll(/["&|<>^()]/g, (sign) => {
    if (sign === '"') isQuoted = !isQuoted
    return sign === '"' || isQuoted ? sign : `^${sign}`
  })
}

/** The most that the scheduler takes. */
const TASK_RESTARTS = 255

/** Content for `schtasks /create /xml`, to be written as UTF-16 with a byte-order mark. */
export function taskXml(facts: ServiceFacts, account: { readonly id: string; readonly isManaged: boolean }): string {
  const [program, ...args] = facts.command
  return `<?xml version="1.0" encoding="UTF-16"?>
<Task version="1.3" xmlns="http://schemas.microsoft.com/windows/2004/02/mit/task">
  <RegistrationInfo>
    <Author>footman service install</Author>
    <Description>${xml(displayName(facts.name))}. Configuration: ${xml(facts.configFile)}</Description>
  </RegistrationInfo>
  <Triggers>
    <BootTrigger>
      <Enabled>true</Enabled>
      <Delay>PT30S</Delay>
    </BootTrigger>
  </Triggers>
  <Principals>
    <Principal id="Footman">
      <UserId>${xml(account.id)}</UserId>${account.isManaged ? '\n      <LogonType>Password</LogonType>' : ''}
      <RunLevel>LeastPrivilege</RunLevel>
    </Principal>
  </Principals>
  <Settings>
    <MultipleInstancesPolicy>IgnoreNew</MultipleInstancesPolicy>
    <DisallowStartIfOnBatteries>false</DisallowStartIfOnBatteries>
    <StopIfGoingOnBatteries>false</StopIfGoingOnBatteries>
    <AllowHardTerminate>true</AllowHardTerminate>
    <StartWhenAvailable>true</StartWhenAvailable>
    <RunOnlyIfNetworkAvailable>false</RunOnlyIfNetworkAvailable>
    <IdleSettings>
      <StopOnIdleEnd>false</StopOnIdleEnd>
      <RestartOnIdle>false</RestartOnIdle>
    </IdleSettings>
    <AllowStartOnDemand>true</AllowStartOnDemand>
    <Enabled>true</Enabled>
    <Hidden>false</Hidden>
    <RunOnlyIfIdle>false</RunOnlyIfIdle>
    <WakeToRun>false</WakeToRun>
    <ExecutionTimeLimit>PT0S</ExecutionTimeLimit>
    <Priority>5</Priority>
    <RestartOnFailure>
      <Interval>PT1M</Interval>
      <Count>${TASK_RESTARTS}</Count>
    </RestartOnFailure>
  </Settings>
  <Actions Context="Footman">
    <Exec>
      <Command>${xml(windowsArgument(program))}</Command>
      <Arguments>${xml(args.map(windowsArgument).join(' '))}</Arguments>
      <WorkingDirectory>${xml(facts.workingDirectory)}</WorkingDirectory>
    </Exec>
  </Actions>
</Task>
`.replaceAll('\n', '\r\n')
}
