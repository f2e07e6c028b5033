/** Pages and actions about deliveries, destinations, snoozes and routes. */
import type { Page } from '../../page.ts'
import { deliveryList, deliveryPage } from './deliveries.tsx'
import { destinationList, destinationPage } from './destinations.tsx'
import { mailFrame } from './message.tsx'
import { routeList } from './routes.tsx'
import { snoozeList } from './snoozes.tsx'

export { deliveryOperations } from './operations.tsx'

export const deliveryPages: readonly Page[] = [
  deliveryList,
  deliveryPage,
  mailFrame,
  destinationList,
  destinationPage,
  snoozeList,
  routeList,
]
