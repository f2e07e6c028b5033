/** A task of the Windows Task Scheduler: the way without any other program. */
import { windowsArgument } from '../plan.ts'
import type { ServiceFacts } from '../types.ts'
import { displayName } from './winsw.ts'
import { xml } from './xml.ts'

/** The most that the scheduler takes. */
const RESTARTS = 255

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
      <Count>${RESTARTS}</Count>
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
