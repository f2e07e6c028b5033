/** Pages and actions about stored data: key-value pairs, file jobs, MQTT messages. */
import type { Page } from '../../page.ts'
import { fileJob, fileJobs } from './files.tsx'
import { keyValueNamespace, keyValues } from './keyvalues.tsx'
import { mqttMessages } from './mqtt.tsx'

export { dataOperations } from './operations.tsx'

export const dataPages: readonly Page[] = [keyValues, keyValueNamespace, fileJobs, fileJob, mqttMessages]
