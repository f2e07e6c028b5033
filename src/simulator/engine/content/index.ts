import type { SimApp } from '../../types.ts'
import { bigNumbers } from './big-numbers.ts'
import { salesDashboard } from './sales-dashboard.ts'
import { financeQvdBuilder, genericApp, hrInsights, inventoryLive, salesEtl } from './small-apps.ts'
import type { AppContent } from './types.ts'

export type { AppContent, ObjectNode, TableContent } from './types.ts'

/** The apps of the data set that have a content of their own, by the end of their id. */
const BY_NUMBER: Readonly<Record<string, () => AppContent>> = {
  '01': salesEtl,
  '02': salesDashboard,
  '03': financeQvdBuilder,
  '04': hrInsights,
  '08': inventoryLive,
  '10': bigNumbers,
}

const ACME_APP = /^a1000000-0000-4000-8000-0000000000(\d\d)$/

/** What is in an app; any other app gets a small table and one sheet. Nothing is built before it is asked for. */
export function contentOf(app: SimApp): AppContent {
  const number = ACME_APP.exec(app.id)?.[1]
  const build = number === undefined ? undefined : BY_NUMBER[number]
  return build ? build() : genericApp(app.name, number === undefined ? '0099' : `00${number}`)
}
