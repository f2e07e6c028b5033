/** Pages and actions about tasks. */
import type { Operations } from '../../forms.tsx'
import type { Page } from '../../page.ts'
import { executionPage } from './execution.tsx'
import { taskList } from './list.tsx'
import { policiesPage, policyOperations } from './policies.tsx'
import { queuePage } from './queue.tsx'
import { taskOperations as ofStarts } from './start.tsx'
import { taskPage } from './task.tsx'

export const taskOperations: Operations = { ...ofStarts, ...policyOperations }

/** Queue and policies stand before the page of a task, whose address would match them too. */
export const taskPages: readonly Page[] = [taskList, queuePage, policiesPage, taskPage, executionPage]
