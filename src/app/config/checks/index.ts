/** All checks of a parsed configuration, in the order of their messages. */
import { adoptButlersWays } from '../compatibility.ts'
import type { Check } from './check.ts'
import { clusterRules } from './cluster.ts'
import {
  allowedTaskIds,
  clearTextAudit,
  clearTextPage,
  cloudLinks,
  duplicatePorts,
  frequencies,
  keyValueSwitch,
  listenAddress,
  mailAddresses,
  outgoingTopics,
  qlikUserHeader,
  rootApprovals,
  sourceValidation,
  startTopic,
  telemetry,
} from './cross.ts'
import { accessRules, disabledRoutes, references, routeTargets, uniqueNames } from './footman.ts'
import { nowHonoured } from './honoured.ts'
import { releaseThresholds } from './licenses.ts'
import { featureNeeds, qlikConnectionNeeds, webhookAddresses } from './needs.ts'
import { newRelicAccounts } from './new-relic.ts'
import { reportTasks } from './reports.ts'
import { emptyStartFilter, mailTlsMode, relativeDirectories, unescapedPaths } from './traps.ts'

export const CHECKS: readonly Check[] = [
  // Changes what the others look at.
  adoptButlersWays,
  telemetry,
  duplicatePorts,
  frequencies,
  rootApprovals,
  relativeDirectories,
  unescapedPaths,
  mailTlsMode,
  emptyStartFilter,
  mailAddresses,
  outgoingTopics,
  startTopic,
  qlikUserHeader,
  allowedTaskIds,
  keyValueSwitch,
  listenAddress,
  clusterRules,
  accessRules,
  uniqueNames,
  references,
  routeTargets,
  disabledRoutes,
  reportTasks,
  newRelicAccounts,
  releaseThresholds,
  nowHonoured,
  // These switch off what cannot work, hence last.
  sourceValidation,
  clearTextAudit,
  clearTextPage,
  qlikConnectionNeeds,
  featureNeeds,
  webhookAddresses,
  // Only of what stays on.
  cloudLinks,
]
