/** `Butler.configVisualisation`. */
import type { z } from 'zod'
import { flag, host, port, section } from '../config/fields.ts'

export const configVisualisation = section('Web page that shows the configuration.', () => ({
  enable: flag('Offer the page.'),
  host: host('Address to listen on.', 'localhost'),
  port: port('Port to listen on.', 3100),
  obfuscate: flag('Mask secrets and addresses.', true),
}))

export type ConfigVisualisationConfig = z.output<typeof configVisualisation>
