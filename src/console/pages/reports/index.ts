/** Pages and actions about report tasks. */
import type { Operations } from '../../forms.tsx'
import type { Page } from '../../page.ts'
import { definitionPages } from './definitions.tsx'
import { hubList } from './hub.tsx'
import { reportOperations as operations } from './operations.tsx'
import { runPage, runRedirect } from './run.tsx'
import { taskPage } from './task.tsx'
import { taskList } from './tasks.tsx'
import { templateList } from './templates.tsx'

// A path with a parameter stands behind those with a word in its place.
export const reportPages: readonly Page[] = [
  taskList,
  templateList,
  hubList,
  ...definitionPages,
  taskPage,
  runPage,
  runRedirect,
]

export const reportOperations: Operations = operations
