/** Pages and actions about tasks. */
import type { Page } from '../../page.ts'
import { executionPage } from './execution.tsx'
import { taskList } from './list.tsx'
import { policiesPage } from './policies.tsx'
import { queuePage } from './queue.tsx'
import { taskPage } from './task.tsx'

export { taskOperations } from './start.tsx'

/** Queue and policies stand before the page of a task, whose address would match them too. */
export const taskPages: readonly Page[] = [taskList, queuePage, policiesPage, taskPage, executionPage]
