/** Pages and actions about Footman itself. */
import type { Operations } from '../../forms.tsx'
import type { Page } from '../../page.ts'
import { aboutPage } from './about.tsx'
import { accessOperations, auditPage, sessionsPage } from './access.tsx'
import { configOperations, configPage } from './config.tsx'
import { featureOperations, featuresPage } from './features.tsx'
import { healthOperations, healthPage } from './health.tsx'
import { keyOperations, keysPage } from './keys.tsx'
import { maintenanceOperations, maintenancePage } from './maintenance.tsx'
import { searchPage } from './search.tsx'
import { changesPage, settingOperations, settingsPage } from './settings.tsx'
import { settingEditor } from './settings-editor.tsx'

export const systemPages: readonly Page[] = [
  healthPage,
  maintenancePage,
  settingsPage,
  settingEditor,
  featuresPage,
  changesPage,
  configPage,
  auditPage,
  keysPage,
  sessionsPage,
  aboutPage,
  searchPage,
]

export const systemOperations: Operations = {
  ...healthOperations,
  ...maintenanceOperations,
  ...settingOperations,
  ...configOperations,
  ...accessOperations,
  ...keyOperations,
  ...featureOperations,
}
