/** Pages and actions about deliveries, destinations, snoozes and routes. */
import type { Page } from '../../page.ts'
import { deliveryList, deliveryPage } from './deliveries.tsx'
import { destinationPage } from './destination.tsx'
import { destinationList } from './destinations.tsx'
import { mailFrame } from './message.tsx'
import { routeList } from './routes.tsx'
import { snoozeList } from './snoozes.tsx'
import { newDestination } from './types.tsx'

export { deliveryOperations } from './operations.tsx'

export const deliveryPages: readonly Page[] = [
  deliveryList,
  deliveryPage,
  mailFrame,
  destinationList,
  destinationPage,
  newDestination,
  snoozeList,
  routeList,
]
