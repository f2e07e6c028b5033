/** All checks of a parsed configuration, in the order of their messages. */
import type { ProblemList } from '../../../config/problems.ts'
import { type MapNode, nodeAt, placeOf, stepsOf } from '../../../config/tree.ts'
import { adoptButlersWays } from '../compatibility.ts'
import type { Check, CheckContext } from './check.ts'
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

/** Runs checks of the configuration that a tree has given. */
export function runChecks(
  checks: readonly Check[],
  root: MapNode,
  given: Omit<CheckContext, 'written' | 'report'>,
  problems: ProblemList,
): void {
  const context: CheckContext = {
    ...given,
    written: (path) => isWritten(root, path),
    report: (severity, path, message, { hint, standalone, feature } = {}) =>
      problems.add({
        severity,
        path: `Butler.${path}`,
        message,
        ...(hint ? { hint } : {}),
        ...(standalone ? { standalone } : {}),
        ...(feature ? { feature: `Butler.${feature}` } : {}),
        ...placeOf(root, ['Butler', ...stepsOf(path)]),
      }),
  }
  for (const run of checks) run(context)
}

export const isWritten = (root: MapNode, key: string): boolean =>
  nodeAt(root, ['Butler', ...stepsOf(key)]) !== undefined
